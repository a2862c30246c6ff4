# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of a drill by name, and those of one replica."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import LONGEST_GRACE
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_host_faults import (
    BalancerKill,
    EngineRestart,
    KeeperKill,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_scene import (
    Fault,
    Scene,
    main_process,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import write_json
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Replica

LEAST_REPLICAS = 2
SICK_SECONDS = 60.0
"""Seconds after which a replica is sick no more, whatever becomes of the drill."""

_ROUNDS = 3
_INITS = ("docker-init", "tini")
"""Names of the process that Docker puts before the application (``init: true``)."""


class ReplicaFault(Fault):
    """A fault of one replica: the member that the keeper has repaired the longest ago, if at all;
    among equals the one with the lowest number. The keeper waits longer with each repair of a
    replica, so several drills in a row had better not hit the same one.
    """

    rotates = True

    def __init__(self, scene: Scene) -> None:
        """Raises LoadBalancingError where nobody else would serve meanwhile."""
        published = scene.members()
        running = [
            replica
            for replica in scene.host.replicas(lambda _address: True)
            if replica.address and published.get(replica.id) == replica.address
        ]
        if len(running) < LEAST_REPLICAS:
            raise LoadBalancingError(
                f"fault: '{self.name}' is not allowed with {len(running)} of the replicas in the "
                f"traffic: at least {LEAST_REPLICAS}, so that another one serves meanwhile. "
                "Set the variable replicas and run the playbook scale."
            )
        self.replica = _least_repaired(running, scene.status())
        super().__init__(scene, self.replica.name)

    def has_left(self, members: Mapping[str, str]) -> bool:
        """Whether the balancer sends to it no more, or only under another address."""
        return members.get(self.replica.id) != self.replica.address

    def restore(self) -> None:
        """Start it, if it is there and does not run."""
        state = self._scene.host.inspect(self.replica.id).get("State", {}).get("Status", "")
        if state in ("exited", "created"):
            self._scene.host.start(self.replica.id)


def _least_repaired(running: Sequence[Replica], status: Mapping[str, Any]) -> Replica:
    waits = {one["id"]: one.get("repair_at", 0.0) for one in status.get("replicas", ())}
    return min(running, key=lambda one: (waits.get(one.id, 0.0), one.number))


class Crash(ReplicaFault):
    """Its program ends at once. The engine does not start it again: it was told to kill it."""

    name = "crash"
    does = "is killed (SIGKILL)"

    def inject(self) -> None:
        """SIGKILL, through the engine."""
        self._scene.host.signal(self.replica.id, "KILL")


class Stop(ReplicaFault):
    """Somebody stops it by hand."""

    name = "stop"
    does = "is stopped, as by docker stop"

    def inject(self) -> None:
        """SIGTERM, the stack's grace, SIGKILL."""
        grace = min(self._scene.stack.stop_grace, LONGEST_GRACE)
        self._scene.host.stop(self.replica.id, grace)


@dataclass(frozen=True)
class _Process:
    """A process; ``started`` (in ticks since boot) tells it from a later one of the same number."""

    pid: int
    parent: int
    command: str
    started: str


class Hang(ReplicaFault):
    """It runs and answers nothing, as in a deadlock."""

    name = "hang"
    does = "hangs (SIGSTOP)"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._stopped: list[_Process] = []

    def inject(self) -> None:
        """SIGSTOP to the application's processes, also to those that it starts meanwhile."""
        for _round in range(_ROUNDS):
            found = [one for one in self._application() if one not in self._stopped]
            for process in found:
                self._stopped.append(process)
                self._signal(process, signal.SIGSTOP)
        if not self._stopped:
            raise LoadBalancingError(f"{self.victim} has no process that could be stopped.")

    def restore(self) -> None:
        """SIGCONT to those that are still there; a container that was started again has others."""
        for process in self._stopped:
            self._signal(process, signal.SIGCONT)
        super().restore()

    def _application(self) -> list[_Process]:
        """The processes below the container's first one, and that one itself unless it is Docker's
        own. Others, such as those of a health check, are no part of the application.
        """
        host = self._scene.host
        first = main_process(host.inspect(self.replica.id))
        seen = (self._look(pid) for pid in host.processes(self.replica.id))
        there = {one.pid: one for one in seen if one}
        found = [one for one in there.values() if one.pid == first]
        for parent in found:
            found += [one for one in there.values() if one.parent == parent.pid]
        return [one for one in found if not (one.pid == first and one.command in _INITS)]

    def _look(self, pid: int) -> _Process | None:
        """A process as ``/proc/<pid>/stat`` shows it (proc(5)); None if it has ended."""
        try:
            with open(os.path.join(self._scene.proc, str(pid), "stat"), encoding="utf-8") as stat:
                before, _bracket, after = stat.read().rpartition(")")
        except OSError:
            return None
        fields = after.split()
        return _Process(pid, int(fields[1]), before.partition("(")[2], fields[19])

    def _signal(self, process: _Process, number: int) -> None:
        now = self._look(process.pid)
        if now and now.started == process.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


class Sick(ReplicaFault):
    """Its health path fails while the rest of it works. No application can be brought to that from
    outside, so the keeper is told to count its probes as failed. A restart cures it.
    """

    name = "sick"
    does = "is sick: the keeper counts its probes as failed"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._file = os.path.join(scene.paths.state, "drill.json")
        self._restarts = self._count(scene.status())

    def inject(self) -> None:
        """Write the file that the keeper reads."""
        until = time.time() + SICK_SECONDS
        write_json(self._file, {"replica": self.replica.id, "until": until}, 0o600)

    def watch(self, status: Mapping[str, Any]) -> None:
        """See whether it was restarted."""
        if self._count(status) > self._restarts:
            self._cure()

    def restore(self) -> None:
        """Let the keeper believe its probes again."""
        self._cure()
        super().restore()

    def _cure(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._file)

    def _count(self, status: Mapping[str, Any]) -> int:
        replicas = status.get("replicas", [])
        return sum(int(one["restarts"]) for one in replicas if one["id"] == self.replica.id)


class Network(ReplicaFault):
    """It is cut off the network on which the balancer reaches it."""

    name = "network"
    does = "is cut off its network"

    def inject(self) -> None:
        """Disconnect it from the network ``edge``."""
        self._scene.host.disconnect_network(self.replica.id, "edge")

    def restore(self) -> None:
        """Connect it, if it is still there and disconnected."""
        found = self._scene.host.inspect(self.replica.id)
        networks = found.get("NetworkSettings", {}).get("Networks", {})
        if found and f"{self._scene.paths.name}_edge" not in networks:
            self._scene.host.connect_network(self.replica.id, "edge")
        super().restore()


FAULTS: dict[str, Callable[[Scene], Fault]] = {
    "crash": Crash,
    "stop": Stop,
    "hang": Hang,
    "sick": Sick,
    "network": Network,
    "balancer": BalancerKill,
    "keeper": KeeperKill,
    "engine": EngineRestart,
}
