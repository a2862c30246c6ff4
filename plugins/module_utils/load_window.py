# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper knows of the traffic and the load of the last minutes: a rolling window of short
slots, each of which counts requests as a whole and by replica. Memory does not grow with traffic.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.load_histogram import Histogram
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_request import (
    CLASSES,
    ERROR,
    GONE,
    LIMITED,
    Request,
)

WINDOW, SLOT = 300.0, 5.0
"""Seconds."""

REPLICAS = 200
"""Replicas that one slot tells apart; the settings allow 100. The rest counts as a whole only."""


class Tally:
    """What is counted of some requests. ``response`` has neither streams nor what was refused by a
    limit or given up by its client.
    """

    __slots__ = ("classes", "requests", "response")

    def __init__(self) -> None:
        self.requests = 0
        self.classes = [0] * len(CLASSES)
        self.response = Histogram()

    def add(self, request: Request) -> None:
        """Count a request."""
        self.requests += 1
        self.classes[request.status] += 1
        if request.timed and not request.stream:
            self.response.add(request.seconds)

    def merge(self, other: Tally, sign: int = 1) -> None:
        """Add another one; with ``sign`` -1 take away one that was added before."""
        self.requests += sign * other.requests
        for index, count in enumerate(other.classes):
            self.classes[index] += sign * count
        self.response.merge(other.response, sign)

    @property
    def error_percent(self) -> float:
        """Answers 5xx among those that count: all but 429 and 499."""
        counting = self.requests - self.classes[LIMITED] - self.classes[GONE]
        return 100 * self.classes[ERROR] / counting if counting else 0.0


class Whole(Tally):
    """What is counted of all requests. ``first_byte`` has streams, too."""

    __slots__ = ("first_byte", "retried")

    def __init__(self) -> None:
        super().__init__()
        self.retried = 0
        self.first_byte = Histogram()

    def add(self, request: Request) -> None:
        """Count a request."""
        super().add(request)
        if request.retried:
            self.retried += 1
        if request.first_byte is not None and request.timed:
            self.first_byte.add(request.first_byte)

    def merge_whole(self, other: Whole, sign: int) -> None:
        """As :meth:`merge`, with all that this has."""
        self.merge(other, sign)
        self.retried += sign * other.retried
        self.first_byte.merge(other.first_byte, sign)


@dataclass(frozen=True)
class Sample:
    """What a replica used since the sample before: ``cpu`` and ``memory`` as shares of its limits,
    1 = all of it; None where nobody can tell.
    """

    cpu: float | None
    memory: float | None


UNKNOWN = Sample(None, None)


@dataclass
class Slot:
    """Some seconds of traffic, from ``begin`` on, by the window's clock."""

    begin: float
    whole: Whole = field(default_factory=Whole)
    replicas: dict[str, Tally] = field(default_factory=dict)
    samples: Mapping[str, Sample] = field(default_factory=dict)

    def add(self, request: Request) -> None:
        """Count a request."""
        self.whole.add(request)
        if not request.replica:
            return
        tally = self.replicas.get(request.replica)
        if tally is None:
            if len(self.replicas) >= REPLICAS:
                return
            tally = self.replicas[request.replica] = Tally()
        tally.add(request)


class LoadWindow:
    """Requests of the last ``window`` seconds, in slots of ``slot`` seconds; ``clock`` gives
    seconds and never goes back. A request counts when it is told.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        window: float = WINDOW,
        slot: float = SLOT,
    ) -> None:
        self._clock = clock
        self._window = window
        self._slot = slot
        self._open = Slot(clock())
        self._closed: deque[Slot] = deque()
        self._most = round(window / slot) - 1
        self._sum = Slot(0.0)

    def add(self, request: Request) -> None:
        """Count a request in the slot of now; :meth:`advance` says what now is."""
        self._open.add(request)

    def use(self, samples: Mapping[str, Sample]) -> None:
        """What each replica that runs uses, by its name."""
        self._open.samples = dict(samples)

    @property
    def due(self) -> bool:
        """Whether the slot of now has ended."""
        return self._clock() >= self._open.begin + self._slot

    def advance(self) -> list[Slot]:
        """Begin a new slot if it is time; gives those that have ended since, the oldest first.
        Those of a time in which nobody counted are empty.
        """
        ended: list[Slot] = []
        behind = self._clock() - self._open.begin
        if behind > self._window:  # the host slept: nothing of before counts any more
            self._closed.clear()
            self._sum = Slot(0.0)
            ended.append(self._open)
            self._open = Slot(self._clock())
        while self.due:
            ended.append(self._open)
            self._close(self._open)
            self._open = Slot(self._open.begin + self._slot)
        return ended

    def _close(self, slot: Slot) -> None:
        self._closed.append(slot)
        self._merge(slot, 1)
        if len(self._closed) > self._most:
            self._merge(self._closed.popleft(), -1)

    def _merge(self, slot: Slot, sign: int) -> None:
        _merge(self._sum, slot, sign)
        for name in slot.replicas:
            if not self._sum.replicas[name].requests:
                del self._sum.replicas[name]

    def as_dict(self, running: Iterable[str]) -> dict[str, Any]:
        """The key ``load`` of the keeper's status: plain data, for JSON.

        Times are seconds. ``cpu_percent`` is the mean of the window, ``memory_percent`` the last
        sample; the whole's are the mean and the highest of the replicas that run.

        :param running: names of the replicas that run now. Others are told of as long as the window
            has requests that they answered.
        """
        total = Slot(0.0)
        _merge(total, self._sum, 1)
        _merge(total, self._open, 1)
        names = dict.fromkeys((*running, *sorted(total.replicas)))
        usage = {name: self._usage(name) for name in running}
        cpu = [one.cpu for one in usage.values() if one.cpu is not None]
        memory = [one.memory for one in usage.values() if one.memory is not None]
        whole = total.whole
        answered = sum(tally.requests for tally in total.replicas.values())
        covered = min(self._window, self._clock() - self._first.begin)
        return {
            "window_seconds": self._window,
            "covered_seconds": round(covered, 1),
            "requests": whole.requests,
            "requests_per_minute": rounded(60 * whole.requests / max(covered, 1.0)),
            "response_p50": rounded(whole.response.percentile(50)),
            "response_p95": rounded(whole.response.percentile(95)),
            "response_mean": rounded(whole.response.mean()),
            "first_byte_p95": rounded(whole.first_byte.percentile(95)),
            "error_percent": rounded(whole.error_percent),
            "statuses": dict(zip(CLASSES, whole.classes)),
            "limited": whole.classes[LIMITED],
            "retried": whole.retried,
            "cpu_percent": rounded(100 * sum(cpu) / len(cpu)) if cpu else None,
            "memory_percent": rounded(100 * max(memory)) if memory else None,
            "replicas": {
                name: _told(total.replicas.get(name, _NOTHING), usage.get(name, UNKNOWN), answered)
                for name in names
            },
        }

    @property
    def _first(self) -> Slot:
        return self._closed[0] if self._closed else self._open

    def _usage(self, name: str) -> Sample:
        """Of a replica: the mean of its processor, the last of its memory."""
        slots = (*self._closed, self._open)
        found = [slot.samples[name] for slot in slots if name in slot.samples]
        cpu = [one.cpu for one in found if one.cpu is not None]
        memory = [one.memory for one in found if one.memory is not None]
        return Sample(sum(cpu) / len(cpu) if cpu else None, memory[-1] if memory else None)


_NOTHING = Tally()


def _merge(into: Slot, slot: Slot, sign: int) -> None:
    into.whole.merge_whole(slot.whole, sign)
    for name, tally in slot.replicas.items():
        into.replicas.setdefault(name, Tally()).merge(tally, sign)


def _told(tally: Tally, usage: Sample, answered: int) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "share_percent": rounded(100 * tally.requests / answered if answered else 0.0),
        "error_percent": rounded(tally.error_percent),
        "response_p95": rounded(tally.response.percentile(95)),
        "cpu_percent": percent(usage.cpu),
        "memory_percent": percent(usage.memory),
    }


def percent(share: float | None) -> float | None:
    """A share as per cent, rounded."""
    return None if share is None else rounded(100 * share)


def rounded(value: float | None) -> float | None:
    """Four significant digits at most: nothing here is known better."""
    return None if value is None else float(f"{value:.4g}")
