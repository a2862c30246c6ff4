# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services of a stack that are not replicated: balancer, database, the operator's own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    REVISION,
    DockerHost,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import read_text
from ansible_collections.digiz.load_balancing.plugins.module_utils.handover import (
    DONE,
    START,
    Handover,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import NGINX, digest

BALANCER = "balancer"
SERVICE = "com.docker.compose.service"
READY_TIMEOUT = 120.0
POLL = 0.2


def outdated(host: DockerHost, wanted: Mapping[str, str]) -> list[str]:
    """Those of the wanted services (name to revision) that do not run in that revision."""
    running = {
        one["Labels"].get(SERVICE): one["Labels"].get(REVISION, "")
        for one in host.containers()
        if one["State"] == "running"
    }
    return sorted(name for name, revision in wanted.items() if running.get(name) != revision)


def bring_up(host: DockerHost, names: list[str], balancer: Balancer) -> dict[str, float]:
    """Start or recreate services and wait until they are ready; gives the seconds that each one
    took.

    Raises LoadBalancingError with a service's last lines if it is not ready in time.
    """
    started = time.monotonic()
    host.compose("up", "--detach", "--no-deps", "--no-build", "--pull", "never", *names)
    ready: dict[str, float] = {}
    while len(ready) < len(names):
        for container in host.containers():
            name = container["Labels"].get(SERVICE, "")
            if name in names and name not in ready and _is_ready(container, name, balancer):
                ready[name] = round(time.monotonic() - started, 1)
        if time.monotonic() - started > READY_TIMEOUT:
            _give_up(host, [name for name in names if name not in ready])
        time.sleep(POLL if len(ready) < len(names) else 0)
    return ready


class ServiceWork:
    """Bring some services (name to wanted revision) up, and nginx's static configuration with the
    balancer.
    """

    def __init__(
        self,
        host: DockerHost,
        balancer: Balancer,
        wanted: Mapping[str, str],
        nginx_digest: str,
        drain_timeout: float = 600.0,
    ) -> None:
        self._host = host
        self._balancer = balancer
        self._wanted = wanted
        self._nginx_digest = nginx_digest
        self._handover = Handover(balancer, wanted.get(BALANCER, ""), drain_timeout)

    def preview(self) -> tuple[bool, str]:
        """What would be done: whether anything, and a sentence."""
        words = ["would replace the balancer without a gap"] if self._is_handover() else []
        words += [f"would bring up {name}" for name in self._outdated()]
        words += ["would reload nginx"] if self._configuration_differs() else []
        return bool(words), ", ".join(words) or "all as wanted"

    def carry_out(self) -> tuple[bool, str]:
        """Do it: whether anything was done, and a sentence."""
        words = []
        if self._configuration_differs():
            done = self._balancer.publish(self._balancer.published().members, self._release_text())
            words.append(f"configuration generation {done.after.generation}")
        if self._is_handover():
            words.append(self._handover.carry_out())
        names = self._outdated()
        if names:
            ready = bring_up(self._host, names, self._balancer)
            words += [f"{name} ready after {seconds:.1f} s" for name, seconds in ready.items()]
        return bool(words), ", ".join(words) or "all as wanted"

    def _is_handover(self) -> bool:
        """Whether a balancer runs, but not just the wanted one."""
        if BALANCER not in self._wanted:
            return False
        return self._handover.next().kind not in (START, DONE)

    def _outdated(self) -> list[str]:
        """Those to be brought up by Compose; a balancer that runs is replaced in another way."""
        names = outdated(self._host, self._wanted)
        replaced = BALANCER in names and self._handover.next().kind != START
        return [name for name in names if not (replaced and name == BALANCER)]

    def _configuration_differs(self) -> bool:
        if BALANCER not in self._wanted:
            return False
        published = digest(self._balancer.published().static)
        return published != self._nginx_digest or not self._balancer.is_served()

    def _release_text(self) -> str:
        return read_text(os.path.join(self._host.paths.release, NGINX)) or ""


def _is_ready(container: dict[str, Any], name: str, balancer: Balancer) -> bool:
    if container["State"] != "running":
        return False
    if name == BALANCER:
        return balancer.is_served()
    return "(healthy)" in container["Status"] or "health" not in container["Status"]


def _give_up(host: DockerHost, names: list[str]) -> None:
    containers = [one for one in host.containers() if one["Labels"].get(SERVICE) in names]
    logs = host.logs(containers[0]["Id"]) if containers else "(there is no container)"
    raise LoadBalancingError(
        f"{', '.join(names)} is not ready after {READY_TIMEOUT:g} s. Its last lines:\n{logs}"
    )


def run_pre_deploy(host: DockerHost, timeout: float) -> str:
    """Run the service ``pre-deploy`` once; gives what it printed. A killed run's container is
    removed, and that of a command that takes too long.

    Raises LoadBalancingError with the command's last lines when it fails or takes too long.
    """
    _remove_pre_deploy(host)
    try:
        return host.compose(
            "--profile",
            "pre-deploy",
            "run",
            "--rm",
            "--no-deps",
            "-T",
            "pre-deploy",
            timeout=timeout,
        )
    except LoadBalancingError as error:
        with contextlib.suppress(LoadBalancingError):
            _remove_pre_deploy(host)
        raise LoadBalancingError(
            f"app_pre_deploy failed, no replica was touched. {error}"
        ) from error


def _remove_pre_deploy(host: DockerHost) -> None:
    for container in host.containers(role="pre_deploy"):
        host.stop_and_remove(container["Id"], grace=1)
