# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations counted in a histogram of logarithmic buckets: little memory, percentiles with a small
and known error. Pure.

Each bucket is GROWTH times as wide as the one before it, so a percentile, told as the geometric
middle of its bucket, is wrong by a factor of sqrt(GROWTH) at most, 5 %, from SMALLEST to LONGEST
(the idea of HdrHistogram and DDSketch, https://arxiv.org/abs/1908.10693).
"""

from __future__ import annotations

import math
from array import array

SMALLEST = 0.001
"""Seconds: nginx tells no less. What is shorter is 0."""

LONGEST = 600.0
"""Seconds: what is longer is told as this."""

GROWTH = 1.1
_PER_BUCKET = 1 / math.log(GROWTH)
_LAST = 1 + math.ceil(math.log(LONGEST / SMALLEST) * _PER_BUCKET)
_EMPTY = array("I", [0]) * (_LAST + 1)


class Histogram:
    """Counts of durations, in seconds. ``total`` is their sum in whole milliseconds, so that what
    is added and taken away again leaves nothing behind.
    """

    __slots__ = ("_counts", "count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self._counts = array("I", _EMPTY)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.count += 1
        self.total += round(seconds * 1000)
        if seconds < SMALLEST:
            self._counts[0] += 1
        elif seconds < LONGEST:
            self._counts[1 + int(math.log(seconds / SMALLEST) * _PER_BUCKET)] += 1
        else:
            self._counts[_LAST] += 1

    def merge(self, other: Histogram, sign: int = 1) -> None:
        """Add another one; with ``sign`` -1 take away one that was added before."""
        self.count += sign * other.count
        self.total += sign * other.total
        for index, count in enumerate(other._counts):
            if count:
                self._counts[index] += sign * count

    def mean(self) -> float | None:
        """In seconds; None without any."""
        return self.total / self.count / 1000 if self.count else None

    def percentile(self, percent: float) -> float | None:
        """The duration, in seconds, that so many per cent of them do not exceed (nearest rank);
        None without any.
        """
        rank = max(1, math.ceil(self.count * percent / 100))
        for index, count in enumerate(self._counts):
            rank -= count
            if count and rank <= 0:
                return _middle(index)
        return None


def _middle(index: int) -> float:
    if index == 0:
        return 0.0
    return LONGEST if index == _LAST else SMALLEST * GROWTH ** (index - 0.5)
