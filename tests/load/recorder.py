# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts everything while traffic runs, and makes the result of it.

All times come from time.monotonic(): the time of a uvloop is one of whole milliseconds.
"""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.load.faults import RequestFailedError
from tests.load.result import LONG_KINDS, FailureDetail, KindResult, Result, Second

KINDS: Final = ("closed", "open", "idle", "sse", "websocket")
DETAILS: Final = 2000


@dataclass(slots=True)
class _Tally:
    """Counts of one kind of load while it runs; latencies in seconds."""

    result: KindResult = field(default_factory=KindResult)
    failures: Counter[str] = field(default_factory=Counter)
    latencies: array[float] = field(default_factory=lambda: array("d"))


@dataclass(frozen=True, slots=True)
class Origin:
    """Who gave an answer, as the answer says."""

    instance: str = ""
    version: str = ""


class Recorder:
    """Counts by kind. Every `sent` must be followed by exactly one `ok` or `failed`.

    `on_limit` is called once when `limit` have been sent.
    """

    def __init__(self, run: str, limit: int, on_limit: Callable[[], None]) -> None:
        self.run = run
        self.acknowledged: list[str] = []
        self.total = 0
        self._limit = limit
        self._on_limit = on_limit
        self._started_at = time.time()
        self._started = self._last_ok = time.monotonic()
        self._pause = (0.0, 0.0)
        self._tallies = {kind: _Tally() for kind in KINDS}
        self._instances: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()
        self._timeline: dict[int, Second] = {}
        self._details: list[FailureDetail] = []

    def sent(self, kind: str) -> None:
        """A request, stream or WebSocket is begun."""
        self._tallies[kind].result.sent += 1
        self.total += 1
        if self.total == self._limit:
            self._on_limit()

    def ok(self, kind: str, origin: Origin, latency: float | None = None) -> None:
        """It came to its proper end; `latency` in seconds where it is not counted by itself."""
        now = time.monotonic()
        tally = self._tallies[kind]
        tally.result.ok += 1
        if latency is not None:
            tally.latencies.append(latency)
        if kind in ("closed", "open"):
            self._note_pause(now)
            self._last_ok = now
        second = self._second(now)
        second.ok += 1
        if origin.instance:
            self._instances[origin.instance] += 1
        if origin.version:
            self._versions[origin.version] += 1
            second.versions[origin.version] = second.versions.get(origin.version, 0) + 1

    def failed(self, kind: str, method: str, path: str, fault: RequestFailedError) -> None:
        """It failed."""
        now = time.monotonic()
        tally = self._tallies[kind]
        tally.result.failed += 1
        tally.failures[fault.failure.value] += 1
        self._second(now).failed += 1
        if len(self._details) < DETAILS:
            second = round(now - self._started, 3)
            what = (kind, fault.failure.value, second, method, path)
            self._details.append(FailureDetail(*what, fault.reason, fault.status, fault.request_id))

    def latency(self, kind: str, seconds: float) -> None:
        """A part of something longer was answered: a first token, a message."""
        self._tallies[kind].latencies.append(seconds)

    def message(self, message_id: str) -> None:
        """A message on a WebSocket was answered rightly."""
        self._tallies["websocket"].result.messages += 1
        self.acknowledged.append(message_id)

    def replayed(self, kind: str) -> None:
        """An answer says that the same message had been stored before."""
        self._tallies[kind].result.replayed += 1

    def renewed(self, kind: str, by_reset: bool) -> None:
        """A resting connection was found closed, before anything was sent on it."""
        result = self._tallies[kind].result
        if by_reset:
            result.reset_at_rest += 1
        else:
            result.reconnected += 1

    def progress(self) -> dict[str, float]:
        """Figures so far: seconds, sent, requests (those of `sent` that Result.requests counts),
        ok, failed.
        """
        results = [tally.result for tally in self._tallies.values()]
        single = [tally.result for kind, tally in self._tallies.items() if kind not in LONG_KINDS]
        return {
            "seconds": round(time.monotonic() - self._started, 3),
            "sent": sum(result.sent for result in results),
            "requests": sum(result.sent for result in single),
            "ok": sum(result.ok for result in results),
            "failed": sum(result.failed for result in results),
        }

    def result(self, stopped: float) -> Result:
        """All figures; `stopped` is the monotonic time at which the end was asked for."""
        if self._paced():
            self._note_pause(stopped)
        return Result(
            started_at=self._started_at,
            seconds=stopped - self._started,
            run=self.run,
            kinds={
                kind: self._finish(tally)
                for kind, tally in self._tallies.items()
                if tally.result.sent
            },
            failures=self._details,
            longest_pause=self._pause[0],
            longest_pause_at=self._pause[1],
            instances=dict(self._instances),
            versions=dict(self._versions),
            timeline=[self._timeline[second] for second in sorted(self._timeline)],
            acknowledged=self.acknowledged,
        )

    def _paced(self) -> bool:
        return any(self._tallies[kind].result.sent for kind in ("closed", "open"))

    def _note_pause(self, now: float) -> None:
        if now - self._last_ok > self._pause[0]:
            self._pause = (now - self._last_ok, self._last_ok - self._started)

    def _second(self, now: float) -> Second:
        number = int(now - self._started)
        second = self._timeline.get(number)
        if second is None:
            second = self._timeline[number] = Second(number)
        return second

    @staticmethod
    def _finish(tally: _Tally) -> KindResult:
        tally.result.failures = dict(tally.failures)
        tally.result.latency_ms = percentiles(tally.latencies)
        return tally.result


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max in milliseconds (nearest rank); empty when there is nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    ranks = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    return {
        name: round(ordered[-(-len(ordered) * rank // 100) - 1] * 1000, 3)
        for name, rank in ranks.items()
    }
