# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A day of traffic and replicas that carry it, for advice on their number.

Traffic: little at night, eleven times as much within four hours of the morning, a dip at noon, an
evening, each minute with noise of its own. Replicas: each request takes ``CPU_SECONDS`` of one CPU;
answers take ``SERVICE_SECONDS`` where nobody waits, more by 1 / (1 - utilisation) as in a queue
(M/M/1).
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field

from ansible_collections.digiz.load_balancing.plugins.module_utils.advice import STAY, advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    Change,
    History,
    Observation,
    Thresholds,
)

STEP = 15.0
"""Seconds that the simulation goes on at a time."""

ASKED = 60.0
"""Seconds between two questions for advice."""

STARTED = 30.0
"""Seconds until a change is carried out."""

DAY, WINDOW = 86_400.0, 300.0
CPU_SECONDS, SERVICE_SECONDS = 0.25, 0.5
IDLE_CPU = 2.0
MEMORY = 40.0
PROFILE = (
    *((0, 90), (5, 60), (6, 80), (10, 900), (11.5, 1150), (12.5, 800), (13.5, 1000)),
    *((16, 1100), (18, 700), (20, 950), (22, 400), (24, 90)),
)
"""Hours of the day, and requests a minute then; straight lines between them."""


def traffic(hour: float) -> float:
    """Requests a minute at an hour of the day, without noise."""
    for (left, low), (right, high) in zip(PROFILE, PROFILE[1:]):
        if left <= hour <= right:
            return low + (high - low) * (hour - left) / (right - left)
    raise ValueError(hour)


@dataclass
class Course:
    """How a day went. ``utilisation`` is the CPU of a replica by the second of the day, in percent
    of its limit; ``changes`` are in the same seconds.
    """

    utilisation: list[tuple[float, float]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def most_in(self, seconds: float) -> int:
        """The most changes within so many seconds."""
        times = [change.time for change in self.changes]
        return max((sum(t <= u < t + seconds for u in times) for t in times), default=0)

    def longest_above(self, percent: float) -> float:
        """The longest time in a row, in seconds, with more CPU than this."""
        longest = since = 0.0
        for at, cpu in self.utilisation:
            since = since if cpu > percent else at
            longest = max(longest, at - since)
        return longest


def run(seed: int, limits: Thresholds, peak: float = 1.0, noise: float = 0.1) -> Course:
    """Let a day pass. ``peak`` multiplies the traffic, ``noise`` is its relative deviation."""
    rng = random.Random(seed)
    course, history = Course(), History()
    window: deque[tuple[float, float]] = deque(maxlen=int(WINDOW / STEP))
    count, due, wanted = limits.min_replicas, math.inf, limits.min_replicas
    rate = 0.0
    for step in range(int(DAY / STEP)):
        at = step * STEP
        if at % 60 == 0:
            rate = max(0.0, peak * traffic(at / 3600) * rng.gauss(1, noise))
        if at >= due:
            count, due = wanted, math.inf
        cpu = min(100.0, IDLE_CPU + rate / count / 60 * CPU_SECONDS * 100)
        window.append((rate, cpu))
        course.utilisation.append((at, cpu))
        course.counts.append(count)
        if at % ASKED or due < math.inf:
            continue
        advice = advise(observe(at, count, window), limits, history)
        if advice.direction != STAY:
            change = Change(
                time=at,
                before=count,
                after=advice.replicas,
                causes=advice.causes,
                requests_per_minute=_mean([one for one, _cpu in window]),
                reasons=advice.reasons,
            )
            course.changes.append(change)
            history = history.with_change(change)
            wanted, due = advice.replicas, at + STARTED
    return course


def observe(at: float, count: int, window: deque[tuple[float, float]]) -> Observation:
    """What the keeper would say of these requests a minute and this CPU, one pair per step."""
    covered = len(window) * STEP
    rates, cpus = zip(*window)
    cpu = _mean(cpus)
    return Observation(
        time=at,
        replicas=count,
        healthy=count,
        requests=int(_mean(rates) * covered / 60),
        requests_per_minute=_mean(rates),
        error_percent=0.0,
        response_p95=response(cpu),
        cpu_percent=cpu,
        memory_percent=MEMORY,
        window_seconds=WINDOW,
        covered_seconds=covered,
    )


def response(cpu: float) -> float:
    """The response time at a utilisation in percent, 30 s at the most."""
    return min(30.0, SERVICE_SECONDS / max(1e-9, 1 - cpu / 100))


def _mean(values: tuple[float, ...] | list[float]) -> float:
    return sum(values) / len(values)
