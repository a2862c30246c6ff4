# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queueing theory: how many are served at once, and how long the others wait. Pure.

A stack is taken as one queue in front of ``places``, one for each request that may be worked on at
a time. That fits a balancer that sends each request to the replica with the fewest connections
(``least_conn``). Work arrives by itself, whatever becomes of what came before (Poisson).

- Offered load (Little's law): arrivals a second x seconds that each holds its place. J. D. C.
  Little, "A Proof for the Queuing Formula L = lambda W", Operations Research 9 (1961).
- Probability to wait (Erlang C, M/M/c), by the recursion of Erlang B, which neither overflows nor
  cancels. A. K. Erlang (1917); R. B. Cooper, "Introduction to Queueing Theory" (1981), chapter 3.
- Mean wait when times are no exponential ones (M/G/c): the wait of M/M/c times (1 + v) / 2, with v
  the squared coefficient of variation. A. M. Lee, P. A. Longton (1959), also known as the
  approximation of Allen and Cunneen. It is exact for v = 1 and for one place, and too high for many
  places and v above 1, which is the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)

P95_OF_NORMAL = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""


@dataclass(frozen=True)
class Work:
    """One kind of work. ``rate``: how many begin a second; ``seconds``: how long each holds its
    place on average; ``variation``: the squared coefficient of variation of that time, 1 for
    exponential times, 0 for times that are all the same.
    """

    rate: float
    seconds: float
    variation: float = 1.0

    @property
    def load(self) -> float:
        """How many of it are there at once on average (Little's law)."""
        return self.rate * self.seconds

    @property
    def residual(self) -> float:
        """Seconds that one which is found at work goes on for, on average."""
        return self.seconds * (1 + self.variation) / 2


def offered_load(works: Sequence[Work]) -> float:
    """How many places all the work would hold on average if there were enough of them."""
    return sum(work.load for work in works)


def variation_of(mean: float, p95: float | None) -> float:
    """The squared coefficient of variation of times with this mean and 95th percentile.

    The times are taken as lognormal, which response times resemble. With s the deviation of their
    logarithm, ``p95 / mean = exp(1.645 s - s^2 / 2)`` and the result is ``exp(s^2) - 1``. No
    lognormal distribution has a p95 above 3.87 times its mean; a greater one counts as that much,
    the greatest variation. Without a p95 the times are taken as exponential: 1.
    """
    if p95 is None:
        return 1.0
    ratio = math.log(max(1.0, p95 / mean))
    spread = P95_OF_NORMAL - math.sqrt(max(0.0, P95_OF_NORMAL**2 - 2 * ratio))
    return math.expm1(spread**2)


class Places:
    """The queue in front of ``count`` places, which can be increased step by step.

    Raises LoadBalancingError for a load below 0.
    """

    def __init__(self, load: float) -> None:
        if not 0 <= load < math.inf:
            raise LoadBalancingError(f"offered load: {load!r} is not allowed: a number from 0 up.")
        self.load = load
        self.count = 0
        self._refused = 1.0

    def add(self, more: int) -> None:
        """Add so many places; the effort is in proportion to them."""
        load, refused = self.load, self._refused
        for count in range(self.count + 1, self.count + more + 1):
            refused = load * refused / (count + load * refused)
        self.count += more
        self._refused = refused

    @property
    def waiting(self) -> float:
        """Probability that a request finds no free place (Erlang C); 1 if there are too few."""
        if self.load == 0:
            return 0.0
        if self.load >= self.count:
            return 1.0
        return self._refused / (1 - self.load / self.count * (1 - self._refused))

    def mean_wait(self, works: Sequence[Work]) -> float:
        """Seconds that a request waits for a place on average, those included that do not wait.

        ``works`` is what the load consists of. Different kinds of work count by the places that
        they hold: who waits, waits for whoever is at work.
        """
        if self.load == 0:
            return 0.0
        if self.load >= self.count:
            return math.inf
        residual = sum(work.load * work.residual for work in works) / self.load
        return self.waiting * residual / (self.count - self.load)


def erlang_c(places: int, load: float) -> float:
    """Probability to wait with so many places and this offered load; raises LoadBalancingError."""
    queue = Places(load)
    queue.add(places)
    return queue.waiting


def mean_wait(places: int, works: Sequence[Work]) -> float:
    """Seconds that a request waits on average; infinite if the places do not suffice."""
    queue = Places(offered_load(works))
    queue.add(places)
    return queue.mean_wait(works)


def response_quantile(places: int, work: Work, part: float = 0.95) -> float:
    """Seconds within which that part of the requests is answered, waiting included; infinite if the
    places do not suffice. For exponential times (M/M/c), whatever the work's variation.

    With probability C (Erlang C) a request waits, and then for an exponential time of rate
    ``theta = places / seconds - rate``; Cooper (1981), chapter 3. The response time is the sum of
    that and of the time at work, so more than t with the probability below. Raises
    LoadBalancingError for a part that is not between 0 and 1.
    """
    if not 0 < part < 1:
        raise LoadBalancingError(f"part: {part!r} is not allowed: a number between 0 and 1.")
    if work.load >= places:
        return math.inf
    waiting, low, high = erlang_c(places, work.load), 0.0, work.seconds
    while _exceeds(places, work, waiting, high) > 1 - part:
        low, high = high, 2 * high
    for _halving in range(60):
        middle = (low + high) / 2
        if _exceeds(places, work, waiting, middle) > 1 - part:
            low = middle
        else:
            high = middle
    return high


def _exceeds(places: int, work: Work, waiting: float, seconds: float) -> float:
    """Probability that a response takes longer than so many seconds."""
    done = 1 / work.seconds
    begun = places * done - work.rate
    at_work = math.exp(-done * seconds)
    if abs(begun - done) < 1e-9 * done:
        late = (1 + done * seconds) * at_work
    else:
        late = (begun * at_work - done * math.exp(-begun * seconds)) / (begun - done)
    return (1 - waiting) * at_work + waiting * late
