# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A queue, event by event: what the formulas of capacity_queue are compared with.

Requests arrive at random moments. Each takes a free place, or waits in line for the one that is
free first. Nothing here knows a formula for waiting.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Callable

BATCH = 20_000
LEAST_BATCHES = 8


@dataclass(frozen=True)
class Waits:
    """Share of the requests that waited, the mean wait of all in seconds, and by how much more work
    than on average happened to arrive, as a share of that.
    """

    share: float
    mean: float
    surplus: float = 0.0


class Queue:
    """Requests that arrive at ``places``, ``rate`` a second on average, each with a time of
    ``holding``.
    """

    def __init__(
        self,
        chance: random.Random,
        places: int,
        rate: float,
        seconds: float,
        holding: Callable[[], float],
    ) -> None:
        self._draw = chance.random
        self._rate = rate
        self._load = rate * seconds
        self._holding = holding
        self._free_at = [0.0] * places  # a heap: when each place becomes free
        self._moment = 0.0

    def run(self, requests: int) -> Waits:
        """Let so many more requests arrive; how long these waited."""
        draw, rate, holding, free_at = self._draw, self._rate, self._holding, self._free_at
        log, take = math.log, heapq.heapreplace
        moment, total, held, waited = self._moment, 0.0, 0.0, 0
        for _number in range(requests):
            moment -= log(1.0 - draw()) / rate
            time = holding()
            held += time
            first = free_at[0]
            if first > moment:
                waited += 1
                total += first - moment
                take(free_at, first + time)
            else:
                take(free_at, moment + time)
        arrived = held / (moment - self._moment)
        self._moment = moment
        return Waits(waited / requests, total / requests, arrived / self._load - 1)

    def measure(self, error: float, most: int = 60) -> Waits:
        """Go on until the mean wait is known with this relative standard error, at most for so many
        batches. What comes first is not counted: the queue begins empty.
        """
        self.run(BATCH // 4)
        batches: list[Waits] = []
        while True:
            batches.append(self.run(BATCH))
            if len(batches) >= LEAST_BATCHES:
                surplus = [batch.surplus for batch in batches]
                mean, deviation = corrected([batch.mean for batch in batches], surplus)
                if deviation <= error * mean or len(batches) == most:
                    share, _deviation = corrected([batch.share for batch in batches], surplus)
                    return Waits(share, mean)


def corrected(values: Sequence[float], surplus: Sequence[float]) -> tuple[float, float]:
    """The mean of values at a surplus of 0 by linear regression, and its standard error.

    The expected surplus is known to be 0, which makes it a control variate: what the values owe to
    the luck of the draw is taken out of them.
    """
    count = len(values)
    value, luck = statistics.fmean(values), statistics.fmean(surplus)
    pairs = list(zip(values, surplus))
    slope = sum((v - value) * (s - luck) for v, s in pairs) / sum((s - luck) ** 2 for s in surplus)
    rest = sum((v - value - slope * (s - luck)) ** 2 for v, s in pairs)
    return value - slope * luck, math.sqrt(rest / (count - 2) / count)


def exponential(chance: random.Random, mean: float) -> Callable[[], float]:
    """Times that are exponential."""
    draw, log = chance.random, math.log
    return lambda: -mean * log(1.0 - draw())


def lognormal(chance: random.Random, mean: float, variation: float) -> Callable[[], float]:
    """Times that are lognormal with this squared coefficient of variation."""
    spread = math.sqrt(math.log1p(variation))
    middle = math.log(mean) - spread**2 / 2
    return lambda: math.exp(chance.gauss(middle, spread))


def cases(seed: int, count: int) -> Iterator[tuple[int, float, float]]:
    """Random (places, rate, mean seconds), of 1 to 20 places that are 25 to 70 % in use.

    Where fewer than 1 of 8 wait, an affordable simulation itself is not good to 5 %, so such a case
    is drawn again.
    """
    chance = random.Random(seed)
    found = 0
    while found < count:
        places = chance.randint(1, 20)
        used = chance.uniform(0.25, 0.7)
        seconds = math.exp(chance.uniform(math.log(0.05), math.log(5)))
        rate = used * places / seconds
        trial = Queue(chance, places, rate, seconds, exponential(chance, seconds)).run(2000)
        if trial.share >= 1 / 8:
            found += 1
            yield places, rate, seconds
