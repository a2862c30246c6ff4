# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host for tests: the engine, nginx, and the stack's folder, joined as they are on a real one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import docker
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    balancer,
    docker_host,
    handover,
    rollout,
    services,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import (
    Balancer,
    Instance,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import Member
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import Probe
from ansible_collections.digiz.load_balancing.plugins.module_utils.sockets import Worker
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from tests.unit.fakes.clock import Clock
from tests.unit.fakes.engine import WELL, Behaviour, Container, Engine, Service
from tests.unit.fakes.engine_api import Client
from tests.unit.fakes.nginx import Nginx

IMAGE = "sha256:image"
STATIC = "# the static part\n"
STACK = Stack(
    name="shop",
    port=8000,
    health_path="/health",
    health_interval=1.0,
    health_timeout=1.0,
    health_rise=2,
    health_fall=3,
    health_statuses=((200, 399),),
    start_timeout=60.0,
    drain_timeout=600.0,
    stop_grace=30,
    balancer_image="nginx:1.30",
    balancer_ports=(8080,),
    status_port=18080,
    count=3,
    surge=1,
    revision="new",
    image="shop:2",
    version="2",
    keeper_enabled=True,
    keeper_port=28080,
    restart_after=10.0,
    tls=CertificateSpec(),
)


class SimulatedHost:
    """Everything that the code under test touches. What it asks of the real machine is replaced
    by ``patch``, and put back when that ends.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.engine = Engine(self.clock)
        self.paths = StackPaths("shop", str(folder))
        self.paths.create()
        self.nginx = Nginx(Path(self.paths.nginx), self.clock)
        self.engine.holds = self.nginx.holds
        self.engine.on_signal = self._signal
        self.engine.on_exec = self.nginx.test
        self.engine.on_change = self._changed
        self.engine.images["shop:2"] = IMAGE
        self.engine.services = {
            "app": Service("replica", "new", IMAGE, "2", network="edge"),
            "balancer": Service("balancer", "b1"),
        }
        self.host = DockerHost(self.paths, Client(self.engine))
        self._nginxes: dict[int, Nginx] = {}
        for module in (balancer, handover, rollout, services):
            patch.setattr(module, "time", self.clock)
        patch.setattr(rollout, "probe", self._probe)
        patch.setattr(rollout, "is_healthy", lambda address, *_unused: self.engine.is_well(address))
        patch.setattr(balancer, "observe_workers", lambda master, *_unused: self._workers(master))
        patch.setattr(balancer, "list_workers", self._workers)
        patch.setattr(balancer, "still_accepting", self._still_accepting)
        patch.setattr(Instance, "served_generation", lambda one: self._served(one.master))
        patch.setattr(Balancer, "status", lambda _unused: self.nginx.status())
        patch.setattr(docker_host, "capture", self.engine.run)
        patch.setattr(docker, "from_env", lambda **_unused: Client(self.engine))
        logrotate = folder / "logrotate.conf"
        patch.setattr(StackPaths, "logrotate", property(lambda _unused: str(logrotate)))
        patch.setattr(os, "fsync", lambda _unused: None)

    def balancer(self) -> Balancer:
        """The balancer of the stack."""
        return Balancer.of(STACK, self.host)

    def start_balancer(self, members: Sequence[Container] = ()) -> None:
        """Publish these members and run the balancer with them."""
        self.balancer().publish([as_member(one) for one in members], STATIC)
        self.engine.create("balancer", WELL)

    def replica(
        self,
        behaviour: Behaviour = WELL,
        revision: str = "new",
        age: float = 1000.0,
        **changes: Any,
    ) -> Container:
        """A replica that is ``age`` seconds old."""
        labels = {"digiz.load_balancing.revision": revision, **changes.pop("labels", {})}
        started = self.clock.now - age
        return self.engine.create("app", behaviour, labels=labels, started=started, **changes)

    def well(self, revision: str = "") -> list[str]:
        """Names of the replicas that are healthy, of that revision if one is given."""
        return [
            one.name
            for one in self.engine.of("app")
            if self.engine.is_well(one.address)
            and (not revision or one.labels["digiz.load_balancing.revision"] == revision)
        ]

    def serving(self) -> list[str]:
        """Names of the healthy replicas that nginx really sends to."""
        members = self.nginx.members
        return [
            one.name
            for one in self.engine.of("app")
            if one.address in members and self.engine.is_well(one.address)
        ]

    def _probe(self, address: str, *_unused: object) -> Probe:
        healthy = self.engine.is_well(address)
        return Probe(healthy, 0.01, "" if healthy else "answered 503")

    def _signal(self, one: Container, name: str) -> None:
        if one.service == "balancer" and name == "HUP":
            self._nginxes[one.pid].reload()
        elif one.service == "balancer" and name == "QUIT":
            self._nginxes[one.pid].quit()

    def _workers(self, master: int) -> list[Worker]:
        """The workers of a balancer; one that was told to quit ends with the last of them."""
        nginx = self._nginxes.get(master)
        found = nginx.workers() if nginx else []
        if nginx and nginx.quitting and not found:
            for one in self.engine.everyone():
                if one.pid == master and one.status == "running":
                    self.engine.end(one)
        return found

    def _still_accepting(self, pids: Iterable[int]) -> set[int]:
        found = [worker for master in list(self._nginxes) for worker in self._workers(master)]
        return {worker.pid for worker in found if not worker.exiting} & set(pids)

    def _served(self, master: int) -> int | None:
        nginx = self._nginxes.get(master)
        return nginx.status().get("generation") if nginx and not nginx.quitting else None

    def _changed(self) -> None:
        """Each running balancer has an nginx; ``nginx`` is that of the oldest."""
        everyone = self.engine.everyone()
        running = [o.pid for o in everyone if o.service == "balancer" and o.status == "running"]
        for pid in set(self._nginxes) - set(running):
            self._nginxes.pop(pid).stop()
        if self._nginxes and self.nginx not in self._nginxes.values():
            self.nginx = next(iter(self._nginxes.values()))
        for pid in running:
            if pid not in self._nginxes:
                taken = self.nginx in self._nginxes.values()
                nginx = Nginx(Path(self.paths.nginx), self.clock) if taken else self.nginx
                self._nginxes[pid] = nginx
                nginx.start()


def as_member(one: Container) -> Member:
    """A container as a member of the balancer."""
    return Member(one.id, one.name, one.address, 8000)


def names(containers: Sequence[Container]) -> list[str]:
    """Names of containers."""
    return [one.name for one in containers]


def serving_three(folder: Path, patch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with three replicas, published and served."""
    there = SimulatedHost(folder, patch)
    for _unused in range(3):
        there.replica()
    there.start_balancer(there.engine.of("app"))
    return there


def members_of(there: SimulatedHost) -> list[Member]:
    """All its replicas as members."""
    return [as_member(one) for one in there.engine.of("app")]
