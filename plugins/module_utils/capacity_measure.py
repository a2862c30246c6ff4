# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many requests one replica takes at once: a search in bounded steps. Pure.

A trial keeps so many requests in flight for some seconds. It holds as long as the 95th percentile
of the times and the share of failures stay within the limits. The number is doubled until a trial
does not hold, then the place between is halved until it is known to a tenth. A trial that does not
hold is repeated once, since one bad moment is no limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    RefusedError,
    number,
    whole,
)

MOST = 500
"""Requests in flight at most: a client of this kind is no load generator for more."""

LIMITS: dict[str, Field] = {
    "p95_seconds": number(0.001, 60),
    "error_percent": number(0, 50),
    "most": whole(1, MOST),
    "step_seconds": number(1, 60),
}
_FINENESS = 10


@dataclass(frozen=True)
class Limits:
    """When a trial holds: ``p95_seconds`` and ``error_percent`` are not exceeded. ``most`` requests
    are tried at once, each trial for ``step_seconds``.
    """

    p95_seconds: float = 1.0
    error_percent: float = 1.0
    most: int = 200
    step_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Raises LoadBalancingError for a value that is not allowed."""
        for name, field in LIMITS.items():
            try:
                field.read(getattr(self, name))
            except RefusedError as refused:
                raise LoadBalancingError(
                    f"measure_{name}: {refused.shown} is not allowed: {refused.allowed}. "
                    f"Set the variable measure_{name}."
                ) from None


@dataclass(frozen=True)
class Seen:
    """What a trial saw: requests, how many of them failed, the 95th percentile of the good ones in
    seconds, and good answers a second. ``left``: the replica lost its traffic meanwhile, since the
    keeper held it for ill.
    """

    requests: int
    failed: int
    p95: float
    rate: float
    left: bool = False


@dataclass(frozen=True)
class Step:
    """A trial with so many requests in flight, and why it did not hold (empty if it did)."""

    concurrency: int
    seen: Seen
    broke: str

    @property
    def text(self) -> str:
        """One line for people."""
        seen = self.seen
        what = f"p95 {seen.p95:.3f} s, {seen.failed} of {seen.requests} failed"
        why = f": {self.broke}" if self.broke else ""
        return f"{self.concurrency} at once: {what}, {seen.rate:.1f}/s{why}"


@dataclass(frozen=True)
class Measurement:
    """What came of a search. ``safe`` is the greatest number that held, 0 if none did; ``found``:
    a greater one did not hold, so it is the limit.
    """

    safe: int
    found: bool
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """The result in one sentence."""
        if self.found:
            return f"one replica takes {self.safe} requests at once"
        return f"one replica takes at least {self.safe} requests at once, the most that was tried"

    def as_dict(self) -> dict[str, Any]:
        """The mapping that crosses to Ansible."""
        steps = [
            {"concurrency": step.concurrency, "broke": step.broke, **asdict(step.seen)}
            for step in self.steps
        ]
        return {"safe_concurrency": self.safe, "limit_found": self.found, "steps": steps}


def judge(seen: Seen, limits: Limits) -> str:
    """Why a trial did not hold, empty if it did."""
    if seen.left:
        return "the keeper took the replica out"
    if not seen.requests or seen.failed * 100 > limits.error_percent * seen.requests:
        return f"more than {limits.error_percent:g} % failed"
    if seen.p95 > limits.p95_seconds:
        return f"p95 above {limits.p95_seconds:g} s"
    return ""


def search(trial: Callable[[int], Seen], limits: Limits) -> Measurement:
    """Try until the limit is known to a tenth, or ``most`` holds. ``trial`` may raise."""
    steps: list[Step] = []

    def holds(concurrency: int) -> bool:
        for _attempt in range(2):
            seen = trial(concurrency)
            steps.append(Step(concurrency, seen, judge(seen, limits)))
            if not steps[-1].broke:
                return True
            if seen.left:  # not again: the replica is to recover
                break
        return False

    good, bad = 0, 1
    while holds(bad):
        good = bad
        if good == limits.most:
            return Measurement(good, False, tuple(steps))
        bad = min(good * 2, limits.most)
    while bad - good > max(1, good // _FINENESS) and not steps[-1].seen.left:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return Measurement(good, True, tuple(steps))


def report(measurement: Measurement, limits: Limits) -> Sequence[str]:
    """The measurement as lines for people."""
    return [
        f"Measured: {measurement.text}",
        f"within p95 {limits.p95_seconds:g} s and {limits.error_percent:g} % errors",
        *[f"  {step.text}" for step in measurement.steps],
        f"To reckon with it again: -e capacity_safe_concurrency={measurement.safe}",
    ]
