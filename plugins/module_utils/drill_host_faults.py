# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of a drill that hit what there is one of: the balancer, the keeper, the engine."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_service, programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_scene import (
    Fault,
    Scene,
    main_process,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.engine_state import (
    engine_pid,
    init_system,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

ENGINE_TIMEOUT = 60.0
"""Seconds that the engine may take to end, and again to answer."""

_COMMAND_TIMEOUT = 90
_POLL = 0.1
_KEEPER = re.compile(r"(?:^|[./])keeper(?:\.py)?$")


class BalancerKill(Fault):
    """The balancer ends at once, and with it every connection."""

    name = "balancer"
    does = "is killed (SIGKILL)"

    def __init__(self, scene: Scene) -> None:
        running = scene.host.balancer()
        if not running:
            raise LoadBalancingError(
                f"The stack {scene.paths.name} has no running balancer. Run the playbook deploy."
            )
        self._id = str(running["Id"])
        self._pid = main_process(running)
        super().__init__(scene, str(running["Name"]).lstrip("/"))

    def inject(self) -> None:
        """SIGKILL to its main process, past the engine: the engine starts it again."""
        if self._pid == main_process(self._scene.host.inspect(self._id)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def is_mended(self, status: Mapping[str, Any]) -> bool:
        """Whether another one runs."""
        return main_process(self._scene.host.balancer()) not in (0, self._pid)

    def restore(self) -> None:
        """Start it, if it is there and none runs."""
        found = self._scene.host.inspect(self._id)
        if found and not self._scene.host.balancer():
            self._scene.host.start(self._id)


class KeeperKill(Fault):
    """The keeper ends at once. Traffic does not depend on it."""

    name = "keeper"
    does = "is killed (SIGKILL)"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, f"the keeper of {scene.paths.name}")
        self._pid = int(scene.status().get("pid") or 0)
        self._check()

    def inject(self) -> None:
        """SIGKILL to its process."""
        self._check()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def is_mended(self, status: Mapping[str, Any]) -> bool:
        """Whether another one answers."""
        return status.get("pid") not in (None, self._pid)

    def restore(self) -> None:
        """Start its service, if nobody answers."""
        if self._scene.status():
            return
        service = f"digiz-keeper-{self._scene.paths.name}"
        systemd = init_system() == "systemd"
        command = ["systemctl", "start"] if systemd else [f"/etc/init.d/{service}", "start"]
        programs.run(
            [*command, f"{service}.service"] if systemd else command,
            f"starting {service}",
            _COMMAND_TIMEOUT,
        )

    def _check(self) -> None:
        """Raises LoadBalancingError if that process is another one than this stack's keeper."""
        path = os.path.join(self._scene.proc, str(self._pid), "cmdline")
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                words = file.read().split("\0")
        except OSError:
            words = []
        if not is_keeper(words, self._scene.paths.name):
            raise LoadBalancingError(
                f"The process {self._pid}, which the keeper of the stack "
                f"{self._scene.paths.name} says to be, is another program. Nothing was killed."
            )


class EngineRestart(Fault):
    """Docker's engine is restarted, as by an upgrade of its package."""

    name = "engine"
    does = "is restarted"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, "Docker's engine")
        if not scene.host.info().get("LiveRestoreEnabled"):
            raise LoadBalancingError(
                "fault: 'engine' is not allowed while live-restore is off in Docker's engine: its "
                "restart would end every container of this host. Run the playbook deploy, which "
                'sets it, or set "live-restore": true in /etc/docker/daemon.json.'
            )

    def inject(self) -> None:
        """Restart it, and wait for its answer."""
        init = init_system()
        if init == "systemd":
            command = ["systemctl", "restart", "docker.service"]
            programs.run(command, "systemctl restart docker", _COMMAND_TIMEOUT)
        else:
            _end_engine()
        engine_service.start(init, ENGINE_TIMEOUT)

    def restore(self) -> None:
        """Start it, if it does not answer."""
        if not engine_service.answers():
            engine_service.start(init_system(), ENGINE_TIMEOUT)


def is_keeper(words: Sequence[str], stack: str) -> bool:
    """Whether a command line is that of this stack's keeper."""
    named = any(pair == ("--stack", stack) for pair in zip(words, words[1:]))
    return any(_KEEPER.search(word) for word in words) and (named or f"--stack={stack}" in words)


def _end_engine() -> None:
    """SIGTERM to dockerd, and wait until it is gone."""
    pid = engine_pid()
    if not pid:
        raise LoadBalancingError("Docker's engine has no process on this host. Nothing was done.")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + ENGINE_TIMEOUT
    while engine_pid() == pid:
        if time.monotonic() > deadline:
            raise LoadBalancingError(
                f"Docker's engine did not end within {ENGINE_TIMEOUT:.0f} s of SIGTERM."
            )
        time.sleep(_POLL)
