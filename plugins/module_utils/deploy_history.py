# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys of a stack, from its audit log: when, what came out, how it ended.

The audit log has a line for the begin and one for the end of each run that held the deploy lock
(lock.py). Of a run that was killed there is no end: the next one takes its lock over.
"""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

SUCCEEDED, FAILED, INTERRUPTED, RUNNING = "succeeded", "failed", "interrupted", "running"
RESULTS = (SUCCEEDED, FAILED, INTERRUPTED)
KEPT = 20

_LINE = re.compile(r"(\S+) .*\S@\S.* (deploy|scale|rollback): (.*)")
_OUT = re.compile(r"release (\d{1,9}) is out(?:: (\d{1,4}) x version (.+))?")
_STAMP = "%Y-%m-%dT%H:%M:%S%z"


@dataclass(frozen=True)
class Deploy:
    """One run: ``time`` is when it ended, or began if it has not, in seconds of the epoch; ``what``
    is deploy, scale or rollback; ``result`` one of RESULTS, or RUNNING. ``version`` and
    ``replicas`` are None where nobody knows them.
    """

    time: float
    what: str
    result: str
    release: int = 0
    version: str | None = None
    replicas: int | None = None


def read_runs(lines: Iterable[str]) -> list[Deploy]:
    """The runs that the lines of an audit log tell of, oldest first. What is no line of a run is
    left out. At most the last one is RUNNING.
    """
    ended: list[Deploy] = []
    begun: Deploy | None = None
    for line in lines:
        found = _LINE.fullmatch(line.strip())
        try:
            moment = datetime.strptime(found[1], _STAMP).timestamp() if found else None
        except ValueError:
            continue
        if found is None or moment is None:
            continue
        out = _OUT.fullmatch(found[3])
        if out:
            count = int(out[2]) if out[2] else None
            ended.append(Deploy(moment, found[2], SUCCEEDED, int(out[1]), out[3], count))
            begun = None
        elif found[3].startswith(("begins", "takes over the lock of")):
            if begun:
                ended.append(Deploy(begun.time, begun.what, INTERRUPTED))
            begun = Deploy(moment, found[2], RUNNING)
        else:
            ended.append(Deploy(moment, found[2], FAILED))
            begun = None
    return [*ended, begun] if begun else ended


class DeployHistory:
    """Remembers the last deploys, and counts all that it has seen. Not for several threads."""

    def __init__(self, paths: StackPaths) -> None:
        self._file = os.path.join(paths.state, "audit.log")
        self._seen: tuple[int, int, int] | None = None
        self._last: deque[Deploy] = deque(maxlen=KEPT)
        self._running: Deploy | None = None
        self.counts: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))

    def look(self) -> None:
        """Read the audit log if it has changed. Raises LoadBalancingError if it cannot be read."""
        try:
            status = os.stat(self._file)
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return
            with open(self._file, encoding="utf-8", errors="replace") as handle:
                runs = read_runs(handle)
        except FileNotFoundError:
            return
        except OSError as error:
            raise LoadBalancingError(f"{self._file} cannot be read: {error.strerror}.") from error
        self._seen = seen
        self._running = runs.pop() if runs and runs[-1].result == RUNNING else None
        for one in _new(runs, self._last):
            self.counts[one.result] += 1
            self._last.append(one)

    def as_list(self, at_work: bool) -> list[dict[str, Any]]:
        """The last deploys, oldest first, for JSON. ``at_work``: somebody holds the deploy lock; if
        nobody does, a run without an end was killed.
        """
        runs = list(self._last)
        if self._running:
            result = RUNNING if at_work else INTERRUPTED
            runs.append(Deploy(self._running.time, self._running.what, result))
        return [asdict(one) for one in runs[-KEPT:]]

    @property
    def last_time(self) -> float | None:
        """When the last one that has ended did so."""
        return self._last[-1].time if self._last else None


def _new(runs: list[Deploy], known: Iterable[Deploy]) -> list[Deploy]:
    """Those that come after the last one that is known. The log's older half may be gone by now."""
    last = next(reversed(list(known)), None)
    if last is None:
        return runs
    for index in range(len(runs) - 1, -1, -1):
        if runs[index] == last:
            return runs[index + 1 :]
    return [one for one in runs if one.time > last.time]
