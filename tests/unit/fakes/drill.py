# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack that a drill can break: containers that stop when told to, and a keeper that mends them
after a while by a clock.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    Configuration,
    Member,
    members_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill import Order
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_scene import Scene
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import (
    TrafficResult,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    replace_link,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import HEALTHY, Replica
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Target,
)
from tests.unit.fakes.clock import Clock
from tests.unit.fakes.host import STACK

FIRST = f"{1:064x}"
BALANCER = "b" * 64
KEEPER_PID = 5_000_001
CRASH = Order("crash", confirmed=True, who="ana", where="laptop")
QUIET = TrafficResult(
    sent=1204,
    kinds={},
    longest_pause=0.4,
    p50=0.003,
    p95=0.0089,
    slowest=1.204,
    seconds=24.1,
    failures=(),
)


@dataclass
class Box:
    """A container: the engine's word for its state, its first process, its networks."""

    id: str
    name: str
    status: str = "running"
    pid: int = 0
    processes: list[int] = field(default_factory=list)
    networks: dict[str, str] = field(default_factory=dict)


class DrillHost:
    """Takes the place of DockerHost. ``calls`` is what was done to it."""

    def __init__(self, paths: StackPaths, count: int = 3) -> None:
        self.paths = paths
        self.calls: list[tuple[Any, ...]] = []
        self.failing: dict[str, Exception] = {}
        self.live_restore = True
        self.on_call: Callable[[], None] = lambda: None
        self.boxes = {
            f"{number:064x}": Box(
                f"{number:064x}",
                f"shop-app-{number}",
                pid=5_000_100 + number,
                networks={"shop_edge": f"10.0.0.{number}", "shop_data": f"10.0.1.{number}"},
            )
            for number in range(1, count + 1)
        }
        self.boxes[BALANCER] = Box(BALANCER, "shop-balancer-1", pid=5_000_200)

    def replicas(self, is_healthy: Callable[[str], bool]) -> tuple[Replica, ...]:
        """Those with an address, the lowest number first."""
        boxes = [box for box in self.boxes.values() if box.id != BALANCER]
        return tuple(
            Replica(
                id=box.id,
                name=box.name,
                number=number,
                revision="new",
                image_id="sha256:image",
                version="2",
                address=box.networks.get("shop_edge", "") if box.status == "running" else "",
                state=HEALTHY,
            )
            for number, box in enumerate(boxes, 1)
        )

    def inspect(self, container: str) -> dict[str, Any]:
        """As much of it as is used; nothing of one that is gone."""
        box = self.boxes.get(container)
        if box is None:
            return {}
        runs = box.status == "running"
        return {
            "Id": box.id,
            "Name": f"/{box.name}",
            "State": {"Status": box.status, "Pid": box.pid if runs else 0},
            "NetworkSettings": {"Networks": {name: {} for name in box.networks}},
        }

    def balancer(self) -> dict[str, Any]:
        """The balancer, if it runs."""
        box = self.boxes.get(BALANCER)
        return self.inspect(BALANCER) if box and box.status == "running" else {}

    def info(self) -> dict[str, Any]:
        """What the engine says of itself."""
        return {"LiveRestoreEnabled": self.live_restore}

    def processes(self, container: str) -> list[int]:
        """The processes that the test gave it."""
        return self.boxes[container].processes

    def signal(self, container: str, name: str) -> None:
        """SIGKILL ends it."""
        self._called("signal", container, name)
        self.boxes[container].status = "exited"

    def stop(self, container: str, grace: int) -> None:
        """End it."""
        self._called("stop", container, grace)
        self.boxes[container].status = "exited"

    def start(self, container: str) -> None:
        """Let it run."""
        self._called("start", container)
        self.boxes[container].status = "running"

    def connect_network(self, container: str, network: str) -> None:
        """Give it an address, another one than before."""
        self._called("connect", container, network)
        self.boxes[container].networks[f"shop_{network}"] = "10.0.0.200"

    def disconnect_network(self, container: str, network: str) -> None:
        """Take its address."""
        self._called("disconnect", container, network)
        del self.boxes[container].networks[f"shop_{network}"]

    def _called(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        self.on_call()
        if name in self.failing:
            raise self.failing[name]


class DrillClock(Clock):
    """The clock of a drill. ``on_sleep`` is called after each sleep."""

    on_sleep: Callable[[], None] = staticmethod(lambda: None)

    def time(self) -> float:
        """What ``time.time`` gives."""
        return self.now + 1_800_000_000

    def sleep(self, seconds: float) -> None:
        """Let the time pass, and what is due happen."""
        super().sleep(seconds)
        self.on_sleep()


class World:
    """A whole stack in a folder. The keeper notices the first call to the engine: ``out_after``
    seconds later the first replica is out of the traffic, ``restart_after`` seconds later it is
    restarted, ``whole_after`` seconds later all is well again.
    """

    def __init__(self, folder: Path, count: int = 3) -> None:
        self.clock = DrillClock()
        self.clock.on_sleep = self.tick
        self.paths = StackPaths("shop", str(folder))
        self.paths.create()
        os.makedirs(os.path.join(self.paths.releases, "1"))
        stack = os.path.join(self.paths.releases, "1", "stack.json")
        Path(stack).write_text(json.dumps(STACK.as_dict()), encoding="utf-8")
        replace_link(self.paths.release, "1")
        self.host = DrillHost(self.paths, count)
        self.host.on_call = self.broken
        self.out_after, self.restart_after, self.whole_after = 4.08, 14.0, 17.22
        self.state: dict[str, Any] = {}
        self.silent = False
        self.traffic: list[DrillTraffic] = []
        self._broken_at = math.inf
        self._generation = 0
        self.publish(list(self.host.boxes)[:count])

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let drills take place here, by this clock. ``traffic`` is that of each of them."""
        monkeypatch.setattr(drill, "Traffic", self._make_traffic)
        monkeypatch.setattr(drill, "time", self.clock)
        monkeypatch.setattr(drill, "ThreadPoolExecutor", Inline)
        monkeypatch.setattr(drill, "keeper_status", lambda _port: self.status())
        monkeypatch.setattr(DockerHost, "connect", lambda _paths: self.host)

    @property
    def scene(self) -> Scene:
        """What faults work on."""
        return Scene(STACK, self.host, self.status)  # type: ignore[arg-type]

    def publish(self, ids: list[str]) -> None:
        """Make these the members."""
        self._generation += 1
        members = tuple(
            Member(one, self.host.boxes[one].name, self._address(one), 8000) for one in ids
        )
        folder = Path(self.paths.nginx, str(self._generation))
        folder.mkdir()
        (folder / "nginx.conf").write_text("http {\n}\n", encoding="utf-8")
        text = json.dumps(members_file(Configuration(self._generation, members=members)))
        (folder / "members.json").write_text(text, encoding="utf-8")
        replace_link(self.paths.current, str(self._generation))

    def broken(self) -> None:
        """Note when the first thing was done to the stack."""
        self._broken_at = min(self._broken_at, self.clock.now)

    def tick(self) -> None:
        """Let the keeper do what is due."""
        passed = self.clock.now - self._broken_at
        replicas = [one for one in self.host.boxes if one != BALANCER]
        first = self.host.boxes[replicas[0]]
        if passed >= self.restart_after:
            first.status = "running"
            first.networks.setdefault("shop_edge", "10.0.0.100")
        if passed >= self.whole_after:
            if self._generation < 3:
                self._generation = max(self._generation, 2)
                self.publish(replicas)
        elif passed >= self.out_after and self._generation < 2:
            self.publish(replicas[1:])

    def status(self) -> dict[str, Any]:
        """What the keeper answers."""
        if self.silent:
            return {}
        passed = self.clock.now - self._broken_at
        ill = self.out_after <= passed < self.whole_after
        replicas = [one for one in self.host.boxes if one != BALANCER]
        restarts = [1 if passed >= self.restart_after else 0] + [0] * len(replicas)
        return {
            "pid": KEEPER_PID,
            "time": self.clock.time(),
            "state": "degraded" if ill else "ok",
            "text": f"{len(replicas) - ill} of {len(replicas)} replicas are healthy",
            "wanted": len(replicas),
            "deploy": "",
            "replicas": [{"id": i, "restarts": n} for i, n in zip(replicas, restarts)],
            **self.state,
        }

    def _make_traffic(self, *arguments: Any) -> DrillTraffic:
        self.traffic.append(DrillTraffic(*arguments))
        return self.traffic[-1]

    def _address(self, one: str) -> str:
        return self.host.boxes[one].networks.get("shop_edge", "10.0.0.99")


class DrillTraffic:
    """Takes the place of Traffic: nothing is sent."""

    def __init__(self, *arguments: Any) -> None:
        self.target: Target = arguments[0]
        self.path: str = arguments[1]
        self.rate: int = arguments[2]
        self.statuses: tuple[tuple[int, int], ...] = arguments[3]
        self.done: list[str] = []
        self.before = QUIET
        self.after = QUIET

    def start(self) -> None:
        """Begin."""
        self.done.append("start")

    def so_far(self) -> TrafficResult:
        """What came of it before the fault."""
        return self.before

    def stop(self) -> TrafficResult:
        """End."""
        self.done.append("stop")
        return self.after


class Inline:
    """Takes the place of ThreadPoolExecutor: does at once what it is given."""

    def __init__(self, max_workers: int) -> None:
        assert max_workers == 1

    def submit(self, job: Callable[[], None]) -> Future[None]:
        """Do it."""
        future: Future[None] = Future()
        try:
            future.set_result(job())
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool) -> None:
        """There is nothing to wait for."""
        assert wait
