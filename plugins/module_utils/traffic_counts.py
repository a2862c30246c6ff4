# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counting millions of things in little memory: percentiles, and who is the most frequent. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from functools import lru_cache
from typing import Callable, Generic, TypeVar

RELATIVE_ERROR = 0.01
"""A percentile is at most this part of itself away from the value of that rank."""

# Slots whose bounds grow by a constant factor; the middle of each is within RELATIVE_ERROR of all
# that is in it (Masson, Rim, Lee: DDSketch, VLDB 2019). nginx counts whole milliseconds.
_FACTOR = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_SMALLEST, _LARGEST = 0.001, 1e6
_PER_SLOT = 1 / math.log(_FACTOR)
_SLOTS = 2 + int(math.log(_LARGEST / _SMALLEST) * _PER_SLOT)
_EMPTY = bytes(8 * _SLOTS)


@lru_cache(maxsize=8192)
def slot_of(seconds: float) -> int:
    """The slot of a duration: 0 for less than a millisecond, the last one from 10⁶ s on."""
    if seconds < _SMALLEST:
        return 0
    return min(1 + int(math.log(seconds / _SMALLEST) * _PER_SLOT), _SLOTS - 1)


class Histogram:
    """Durations in seconds, counted in slots: 8 KiB, however many there are."""

    __slots__ = ("slots",)

    def __init__(self) -> None:
        self.slots = array("Q", _EMPTY)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.slots[slot_of(seconds)] += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.slots)

    def percentile(self, percent: float) -> float | None:
        """The smallest duration that `percent` of all do not exceed (nearest rank), within
        RELATIVE_ERROR; None if there are none.
        """
        rank = max(1, math.ceil(self.count * percent / 100))
        passed = 0
        for slot, count in enumerate(self.slots):
            passed += count
            if passed >= rank:
                return _middle(slot)
        return None


def _middle(slot: int) -> float:
    """The duration that stands for a slot."""
    if not slot:
        return 0.0
    return float(_SMALLEST * _FACTOR ** (slot - 1) * 2 * _FACTOR / (1 + _FACTOR))


class Counts:
    """What a table keeps of one name; ``weight`` is the table's own."""

    __slots__ = ("requests", "weight")

    def __init__(self) -> None:
        self.weight = 0
        self.requests = 0

    def absorb(self, other: Counts) -> None:
        """Add the counts of another one."""
        self.requests += other.requests


R = TypeVar("R", bound=Counts)


class Table(Generic[R]):
    """The most frequent names and their counts, at most ``most`` of them at a time.

    Exact as long as there are no more names than that. Then the rarer half goes into ``other``, and
    the largest weight among them is taken from the weights of those that stay (Misra, Gries 1982).
    So whoever has more than 2/``most`` of all requests is never lost, and what is counted under a
    name is at most ``missing`` too low. What is in the rows and in ``other`` is always everything.
    """

    def __init__(self, most: int, new: Callable[[], R]) -> None:
        self._most = most
        self._new = new
        self.rows: dict[str, R] = {}
        self.other = new()
        self.others = 0  # how many names went there, a name that came back counted again
        self.missing = 0

    def row(self, name: str) -> R:
        """The row of a name, which is about to be counted there once."""
        row = self.rows.get(name)
        if row is None:
            if len(self.rows) >= self._most:
                self._shrink()
            row = self.rows[name] = self._new()
        row.weight += 1
        return row

    def top(self, count: int) -> list[tuple[str, R]]:
        """The rows with the most requests; of those with as many, by name."""
        return sorted(self.rows.items(), key=lambda item: (-item[1].requests, item[0]))[:count]

    def left(self, shown: Iterable[str]) -> R:
        """All requests that are not under one of these names, as one row."""
        rest = self._new()
        rest.absorb(self.other)
        names = set(shown)
        for name, row in self.rows.items():
            if name not in names:
                rest.absorb(row)
        return rest

    def _shrink(self) -> None:
        ranked = sorted(self.rows.items(), key=lambda item: (-item[1].weight, item[0]))
        kept, gone = ranked[: self._most // 2], ranked[self._most // 2 :]
        taken = gone[0][1].weight
        for _name, row in gone:
            self.other.absorb(row)
        self.others += len(gone)
        self.missing += taken
        self.rows = {name: row for name, row in kept if row.weight > taken}
        for _name, row in kept:
            row.weight -= taken
            if row.weight <= 0:
                self.other.absorb(row)
                self.others += 1
