# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's sight of traffic and load: follows the access log, samples what the replicas use,
knows the deploys, the certificate that is served and the room on the disk.

A thread of its own does this: neither a long log nor a slow disk may delay who gets traffic.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import certificate_store
from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import parse_line
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_end import (
    certificate_end,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import MEMBERS
from ansible_collections.digiz.load_balancing.plugins.module_utils.container_usage import (
    UsageMeter,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.deploy_history import (
    DeployHistory,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    read_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Snapshot
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_request import request_of
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_series import LoadSeries
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_totals import Totals
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import (
    LoadWindow,
    Sample,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.log_follower import LogFollower
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import RUNNING

ROUND = 1.0
"""Seconds between two looks."""

READS = 16
"""Times that the log is read in a round at most: 4 MiB, some 7,000 requests, in small pieces."""

REMEMBERED = 600.0
"""Seconds for which a replica that is gone is known by its address: its streams may end late."""

_EVENT = "traffic"


@dataclass(frozen=True)
class Sight:
    """What :class:`Traffic` knows, for the metrics. Moments are seconds of the epoch; None is what
    nobody knows. ``certificate`` is the name of the one that is served, and when it ends.
    """

    totals: Totals
    samples: Mapping[str, Sample]
    deploys: Mapping[str, int]
    last_deploy: float | None
    certificate: tuple[str, float] | None
    path: str
    free_ratio: float | None
    skipped: int


class Traffic:
    """The sight of one stack; safe to be asked from other threads than its own.

    :param snapshot: the keeper's last one; None before its first round has ended.
    :param inspect: gives what the engine knows of a container, by its id; may raise
        LoadBalancingError. Only called in the thread of :meth:`run`.
    :param names: what the certificate is for, now.
    """

    def __init__(
        self,
        paths: StackPaths,
        journal: Journal,
        snapshot: Callable[[], Snapshot | None],
        inspect: Callable[[str], Mapping[str, Any]],
        names: Callable[[], tuple[str, ...]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = paths
        self._journal = journal
        self._snapshot = snapshot
        self._names = names
        self._clock = clock
        self._lock = threading.Lock()
        self._log: LogFollower | None = None
        self._meter = UsageMeter(inspect, clock=clock)
        self._window = LoadWindow(clock)
        self._series = LoadSeries()
        self._totals = Totals()
        self._history = DeployHistory(paths)
        self._addresses: dict[str, tuple[str, float]] = {}
        self._samples: Mapping[str, Sample] = {}
        self._certificate: tuple[str, tuple[str, float] | None] = ("", None)
        self._free_ratio: float | None = None

    def run(self, stopped: threading.Event) -> None:
        """Look each second until told to stop."""
        while not stopped.is_set():
            started = self._clock()
            self.round()
            stopped.wait(max(0.1, ROUND - (self._clock() - started)))
        if self._log:
            self._log.close()

    def round(self) -> None:
        """Look once. What cannot be seen is told in the journal and left out."""
        snapshot = self._snapshot()
        self._try("log", self._read_log, snapshot)
        self._try("deploys", self._read_history)
        if self._window.due:
            self._try("usage", self._sample, snapshot)
            self._try("certificate", self._read_certificate)
            self._free_ratio = free_ratio(self._paths.root)
            with self._lock:
                for slot in self._window.advance():
                    self._series.add(slot, len(snapshot.members) if snapshot else None)

    def _try(self, what: str, look: Callable[..., None], *arguments: Any) -> None:
        try:
            look(*arguments)
        except (LoadBalancingError, OSError, ValueError) as error:
            # The files are others': a disk that fails must not end the sight of the rest for ever.
            self._journal.tell(_EVENT, str(error), "warning", what)

    # what is looked at

    def _read_log(self, snapshot: Snapshot | None) -> None:
        if self._log is None:
            self._log = LogFollower(os.path.join(self._paths.logs, "access.log"))
        names = self._known_names(snapshot)
        for _unused in range(READS):
            lines = self._log.read()
            if not lines:
                return
            self._count(lines, names)

    def _count(self, lines: Iterable[bytes], names: Mapping[str, str]) -> None:
        with self._lock:
            for line in lines:
                entry = parse_line(line)
                request = request_of(entry, names) if entry else None
                if request:
                    self._window.add(request)
                    self._totals.add(request)

    def _known_names(self, snapshot: Snapshot | None) -> dict[str, str]:
        """Names of replicas by address: of those that are there, and of those that were lately."""
        now = self._clock()
        for one in snapshot.replicas if snapshot else ():
            if one.address:
                self._addresses[one.address] = (one.name, now)
        self._addresses = {
            address: (name, seen)
            for address, (name, seen) in self._addresses.items()
            if now - seen < REMEMBERED
        }
        names = {address: name for address, (name, _seen) in self._addresses.items()}
        with self._lock:
            self._totals.keep(set(names.values()))
        return names

    def _read_history(self) -> None:
        with self._lock:
            self._history.look()

    def _sample(self, snapshot: Snapshot | None) -> None:
        samples = self._meter.sample(running(snapshot, by_id=True))
        with self._lock:
            self._samples = samples
            self._window.use(samples)

    def _read_certificate(self) -> None:
        served = str(read_json(os.path.join(self._paths.current, MEMBERS)).get("certificate", ""))
        if served == self._certificate[0]:
            return
        self._certificate = (served, None)
        if served:
            folder = certificate_store.folder(self._paths, os.path.basename(served))
            end = certificate_end(_text(os.path.join(folder, certificate_store.CERTIFICATE)))
            name = next(iter(self._names()), self._paths.name)
            self._certificate = (served, (name, end))

    # what is told

    def load(self) -> dict[str, Any]:
        """The key ``load`` of the status."""
        names = running(self._snapshot()).values()
        with self._lock:
            return self._window.as_dict(names)

    def deploys(self) -> list[dict[str, Any]]:
        """The key ``deploys`` of the status: the last 20, oldest first."""
        snapshot = self._snapshot()
        with self._lock:
            return self._history.as_list(bool(snapshot and snapshot.deploy))

    def series(self, epoch: float) -> dict[str, Any]:
        """The last ten minutes, and the deploys in them. ``epoch``: now, in seconds of it."""
        with self._lock:
            series = self._series.as_dict(self._clock(), epoch)
        return {**series, "deploys": self.deploys()}

    def sight(self) -> Sight:
        """What the metrics tell."""
        with self._lock:
            return Sight(
                totals=copy.deepcopy(self._totals),
                samples=self._samples,
                deploys=dict(self._history.counts),
                last_deploy=self._history.last_time,
                certificate=self._certificate[1],
                path=self._paths.root,
                free_ratio=self._free_ratio,
                skipped=self._log.skipped if self._log else 0,
            )


def running(snapshot: Snapshot | None, by_id: bool = False) -> dict[str, str]:
    """Names of the replicas that run, by their ids or, so that each stands once, by themselves."""
    replicas = snapshot.replicas if snapshot else ()
    return {one.id if by_id else one.name: one.name for one in replicas if one.container == RUNNING}


def free_ratio(path: str) -> float | None:
    """How much of a file system may still be written, 1 = all of it; None if nobody can tell."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail / found.f_blocks if found.f_blocks else None


def _text(path: str) -> str:
    try:
        return read_text(path) or ""
    except (OSError, ValueError) as error:
        raise LoadBalancingError(f"{path} cannot be read.") from error
