# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much processor time and memory containers use, read from the kernel's cgroup files: some
microseconds for a container, where the engine's own statistics take a second and a thread each.

Both versions of cgroups: v2 (https://docs.kernel.org/admin-guide/cgroup-v2.html), one tree, and v1
(https://docs.kernel.org/admin-guide/cgroup-v1/), a tree for each controller. On a host that has
both, a controller is in one of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import Sample

_NANO = 1e9
_MICRO = 1e6


@dataclass(frozen=True)
class Limits:
    """What a container may use: processors (1.5 = one and a half), bytes of memory."""

    cpus: float
    memory: int


@dataclass(frozen=True)
class Usage:
    """What a container has used: seconds of processor time since its start, bytes of memory now.

    Memory is the working set, as the engine counts it: without the file cache that the kernel takes
    back first. None where nobody can tell.
    """

    cpu_seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class Cgroup:
    """The folders of a container's cgroup; empty for a controller that it has not."""

    unified: bool
    cpu: str
    memory: str

    def read(self) -> Usage:
        """Read the files. Never raises: a container may have ended."""
        if self.unified:
            micro = _table(os.path.join(self.cpu, "cpu.stat")).get("usage_usec")
            used = _number(os.path.join(self.memory, "memory.current"))
            cache = _table(os.path.join(self.memory, "memory.stat")).get("inactive_file", 0)
            seconds = None if micro is None else micro / _MICRO
        else:
            nano = _number(os.path.join(self.cpu, "cpuacct.usage"))
            used = _number(os.path.join(self.memory, "memory.usage_in_bytes"))
            cache = _table(os.path.join(self.memory, "memory.stat")).get("total_inactive_file", 0)
            seconds = None if nano is None else nano / _NANO
        return Usage(seconds, None if used is None else max(0, used - cache))


def find_cgroup(pid: int, proc: str = "/proc", root: str = "/sys/fs/cgroup") -> Cgroup | None:
    """The cgroup of a process; None if it has ended, or if its cgroup is not to be seen from here,
    as inside of another container.
    """
    try:
        with open(os.path.join(proc, str(pid), "cgroup"), encoding="utf-8") as handle:
            lines = handle.read().splitlines()
    except (OSError, ValueError):
        return None
    found: dict[str, str] = {}
    for line in lines:
        _number_of_tree, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        for name in controllers.split(","):
            places = (name, controllers) if name else ("", "unified")
            for place in places:
                folder = os.path.join(root, place, path.lstrip("/"))
                if ".." not in path.split("/") and os.path.isdir(folder):
                    found.setdefault(name, folder)
    if "cpuacct" in found or "memory" in found:
        return Cgroup(False, found.get("cpuacct", ""), found.get("memory", ""))
    if "" in found:
        return Cgroup(True, found[""], found[""])
    return None


def limits_of(inspected: Mapping[str, Any]) -> Limits:
    """What a container may use, by what the engine tells of it; all of the host without a limit."""
    host = inspected.get("HostConfig") or {}
    cpus = float(host.get("NanoCpus") or 0) / _NANO
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    if not cpus and quota > 0:
        cpus = quota / period
    return Limits(cpus or float(os.cpu_count() or 1), int(host.get("Memory") or 0) or _all_memory())


BLIND = 60.0
"""Seconds after which a container whose cgroup was not to be seen is looked up again."""


@dataclass
class _Known:
    """A container as it was found, and its processor time at the last sample."""

    cgroup: Cgroup
    limits: Limits
    cpu_seconds: float | None = None
    moment: float = 0.0


class UsageMeter:
    """Samples the use of containers. Each is inspected once, and again when it was started anew.

    :param inspect: gives what the engine knows of a container, by its id; may raise
        LoadBalancingError.
    :param clock: seconds that never go back.
    """

    def __init__(
        self,
        inspect: Callable[[str], Mapping[str, Any]],
        find: Callable[[int], Cgroup | None] = find_cgroup,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inspect = inspect
        self._find = find
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._unseen: dict[str, float] = {}

    def sample(self, running: Mapping[str, str]) -> dict[str, Sample]:
        """What each container uses of its limits, by its name: processor time since the sample
        before, memory now. Raises LoadBalancingError if the engine does not answer.

        :param running: names of the containers that run by their ids.
        """
        self._known = {one: known for one, known in self._known.items() if one in running}
        self._unseen = {one: until for one, until in self._unseen.items() if one in running}
        samples = {}
        for container, name in running.items():
            known = self._known.get(container) or self._look_up(container)
            if known:
                samples[name] = self._sample(container, known)
        return samples

    def _look_up(self, container: str) -> _Known | None:
        if self._clock() < self._unseen.get(container, 0.0):
            return None
        inspected = self._inspect(container)
        pid = int((inspected.get("State") or {}).get("Pid") or 0)
        cgroup = self._find(pid) if pid else None
        if cgroup is None:
            if pid:
                self._unseen[container] = self._clock() + BLIND
            return None
        known = self._known[container] = _Known(cgroup, limits_of(inspected))
        return known

    def _sample(self, container: str, known: _Known) -> Sample:
        usage, now = known.cgroup.read(), self._clock()
        if usage == Usage(None, None):
            del self._known[container]  # it was started again, or has ended
            return Sample(None, None)
        before, since = known.cpu_seconds, now - known.moment
        known.cpu_seconds, known.moment = usage.cpu_seconds, now
        cpu = None
        if usage.cpu_seconds is not None and before is not None and since > 0:
            used = usage.cpu_seconds - before
            # Less than before: started again meanwhile, under the same path.
            cpu = used / (since * known.limits.cpus) if used >= 0 else None
        memory = None if usage.memory is None else usage.memory / known.limits.memory
        return Sample(cpu, memory)


def _number(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as handle:
            return int(handle.read())
    except (OSError, ValueError):
        return None


def _table(path: str) -> dict[str, int]:
    """Lines of a name and a number."""
    try:
        with open(path, encoding="ascii") as handle:
            rows = [line.split() for line in handle]
        return {row[0]: int(row[1]) for row in rows if len(row) == 2}  # noqa: PLR2004
    except (OSError, ValueError):
        return {}


def _all_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
