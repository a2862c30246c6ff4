# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many replicas the load of the last minutes needs. Pure; times are seconds of the epoch.

More load never gives fewer replicas. Up and down lie apart: one goes only where the load on one
replica fewer stays below ``MARGIN`` of every limit for going up, so that it would not come back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    LEAST_REQUESTS,
    Change,
    History,
    Observation,
    Thresholds,
)

UP, DOWN, STAY = "up", "down", "stay"

CPU, REQUESTS, RESPONSE = "cpu", "requests", "response"
MEMORY, ERRORS = "memory", "errors"
OPERATOR, BOUNDS = "operator", "bounds"
"""Causes of changes; the last two are none of the load's."""

LEAST_COVERED = 60.0
"""Seconds that the keeper must have watched before anything is concluded."""

COVERED_FOR_DOWN = 0.95
"""The part of its window that the keeper must have watched before one replica fewer."""

MARGIN = 0.8
"""A step up aims at this part of the limits, a step down may reach at most this part of them."""

LARGEST_STEP = 0.5
"""A step up adds at most this part of what is there, but always one."""

GROWN = 1.25
"""Memory and errors may have other causes than load. After a step up for them alone there is
another one for them alone only when the traffic has grown to this multiple.
"""

_ALONE = frozenset({MEMORY, ERRORS})


@dataclass(frozen=True)
class Advice:
    """How many replicas there should be and why; there are ``reasons`` for staying, too. ``causes``
    are the same in single words, for the history.
    """

    replicas: int
    direction: str
    reasons: tuple[str, ...]
    causes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """For people, in one line."""
        what = "stays at" if self.direction == STAY else f"{self.direction} to"
        return f"{what} {self.replicas}: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class _Need:
    """What one rule wants: so many replicas, and the reason."""

    cause: str
    replicas: int
    text: str


def advise(seen: Observation, limits: Thresholds, history: History) -> Advice:
    """Decide. An impaired stack and too little knowledge always mean: stay."""
    count = seen.replicas
    impaired = _impaired(seen)
    if impaired:
        return Advice(count, STAY, (impaired,))
    if not limits.min_replicas <= count <= limits.max_replicas:
        return _within_bounds(count, limits)
    if seen.covered_seconds < LEAST_COVERED:
        text = f"the keeper has watched for {seen.covered_seconds:.0f} s, {LEAST_COVERED:.0f} s"
        return Advice(count, STAY, (f"{text} are needed",))
    needs = _needs(seen, limits)
    if not needs:
        return _down(seen, limits, history)
    last = history.last(seen.time)
    counting = [need for need in needs if not _is_spent(need, seen, last)]
    if not counting:
        return Advice(count, STAY, tuple(f"{need.text}, {_SPENT}" for need in needs))
    return _up(seen, limits, last, counting)


_SPENT = "but one more replica did not change that, and the traffic has not grown since"


def _impaired(seen: Observation) -> str:
    """Why the figures say nothing about the load, empty if they do."""
    if seen.deploy:
        return f"the stack is being changed: {seen.deploy}"
    if seen.maintenance:
        return "the stack is in maintenance, clients get status 503"
    if seen.healthy < seen.replicas:
        return f"{seen.healthy} of {seen.replicas} replicas are healthy"
    return ""


def _within_bounds(count: int, limits: Thresholds) -> Advice:
    """At once and without a cool-down: the operator has drawn these bounds."""
    if count < limits.min_replicas:
        text = f"{count} is less than scale_min_replicas, {limits.min_replicas}"
        return Advice(limits.min_replicas, UP, (text,), (BOUNDS,))
    text = f"{count} is more than scale_max_replicas, {limits.max_replicas}"
    return Advice(limits.max_replicas, DOWN, (text,), (BOUNDS,))


def _needs(seen: Observation, limits: Thresholds) -> list[_Need]:
    """What is over its limit. CPU and requests are shared out among replicas, so they tell how many
    are needed; of the rest it is only known that one more may help.
    """
    count, found = seen.replicas, []
    share = seen.requests_per_minute / count
    if seen.cpu_percent is not None and seen.cpu_percent > limits.up_cpu_percent:
        wanted = _proportional(count, seen.cpu_percent / limits.up_cpu_percent)
        text = f"CPU {seen.cpu_percent:.0f} % > {limits.up_cpu_percent:g} %"
        found.append(_Need(CPU, wanted, text))
    if share > limits.up_requests_per_minute:
        wanted = _proportional(count, share / limits.up_requests_per_minute)
        text = f"{share:.1f} requests/min for each replica > {limits.up_requests_per_minute:g}"
        found.append(_Need(REQUESTS, wanted, text))
    response = seen.reliable_response
    if response is not None and response > limits.up_response_seconds:
        text = f"response time {response:.2f} s (p95) > {limits.up_response_seconds:g} s"
        found.append(_Need(RESPONSE, count + 1, text))
    if seen.memory_percent is not None and seen.memory_percent > limits.up_memory_percent:
        text = f"memory {seen.memory_percent:.0f} % > {limits.up_memory_percent:g} %"
        found.append(_Need(MEMORY, count + 1, text))
    if seen.requests >= LEAST_REQUESTS and seen.error_percent > limits.up_error_percent:
        text = f"errors {seen.error_percent:.1f} % > {limits.up_error_percent:g} %"
        found.append(_Need(ERRORS, count + 1, text))
    return found


def _proportional(count: int, part: float) -> int:
    """So many that a load of ``part`` of its limit becomes ``MARGIN`` of it."""
    return max(count + 1, math.ceil(round(count * part / MARGIN, 6)))


def _is_spent(need: _Need, seen: Observation, last: Change | None) -> bool:
    """Whether the last change was a step up for this kind of reason alone, and nothing came of
    it.
    """
    return (
        need.cause in _ALONE
        and last is not None
        and last.after > last.before
        and _ALONE.issuperset(last.causes)
        and seen.requests_per_minute <= GROWN * last.requests_per_minute
    )


def _up(seen: Observation, limits: Thresholds, last: Change | None, needs: list[_Need]) -> Advice:
    count = seen.replicas
    reasons = tuple(need.text for need in needs)
    if count == limits.max_replicas:
        return Advice(count, STAY, (*reasons, f"but scale_max_replicas is {count}"))
    waits = _cool_down("scale_cooldown_up", limits.cooldown_up, seen, last)
    if waits:
        return Advice(count, STAY, (*reasons, waits))
    largest = count + max(1, math.floor(count * LARGEST_STEP))
    wanted = min(max(need.replicas for need in needs), largest, limits.max_replicas)
    return Advice(wanted, UP, reasons, tuple(need.cause for need in needs))


def _down(seen: Observation, limits: Thresholds, history: History) -> Advice:
    """One replica fewer, if that is safe; nothing is over a limit here."""
    count = seen.replicas
    busy = _busy(seen, limits)
    if busy:
        return Advice(count, STAY, (busy,))
    share = seen.requests_per_minute / count
    idle = (
        f"CPU {seen.cpu_percent:.0f} % < {limits.down_cpu_percent:g} %",
        f"{share:.1f} requests/min for each replica < {limits.down_requests_per_minute:g}",
    )
    if count == limits.min_replicas:
        return Advice(count, STAY, (*idle, f"but scale_min_replicas is {count}"))
    obstacle = _too_few(seen, limits)
    if obstacle:
        return Advice(count, STAY, (*idle, obstacle))
    if seen.covered_seconds < COVERED_FOR_DOWN * seen.window_seconds:
        text = f"but the keeper has watched for {seen.covered_seconds:.0f} s only"
        return Advice(count, STAY, (*idle, f"{text}, {seen.window_seconds:.0f} s are needed"))
    last = history.last(seen.time)
    waits = _cool_down("scale_cooldown_down", limits.cooldown_down, seen, last)
    if waits:
        return Advice(count, STAY, (*idle, waits))
    return Advice(count - 1, DOWN, idle, (CPU, REQUESTS))


def _busy(seen: Observation, limits: Thresholds) -> str:
    """What is between the limits for going down and those for going up, empty if all is idle."""
    if seen.cpu_percent is None:
        return "nothing is over its limit, and the use of CPU is not known"
    share = seen.requests_per_minute / seen.replicas
    if seen.cpu_percent < limits.down_cpu_percent and share < limits.down_requests_per_minute:
        return ""
    return (
        f"CPU {seen.cpu_percent:.0f} % and {share:.1f} requests/min for each replica: "
        "neither too much nor little"
    )


def _too_few(seen: Observation, limits: Thresholds) -> str:
    """What one replica fewer would bring too near to its limit, empty if nothing.

    CPU, requests and memory are shared out among those that stay. The response time grows as in
    a queue with random arrivals (M/M/1), where it is proportional to 1 / (1 - utilisation).
    """
    rest = seen.replicas - 1
    factor = seen.replicas / rest
    cpu = (seen.cpu_percent or 0.0) * factor
    share = seen.requests_per_minute / rest
    memory = (seen.memory_percent or 0.0) * factor
    free = max(0.0, 1 - cpu / 100)
    response = seen.reliable_response or 0.0
    slower = response * (1 - cpu / factor / 100) / free if free else math.inf
    checks = (
        (cpu, limits.up_cpu_percent, f"CPU would be {cpu:.0f} %"),
        (share, limits.up_requests_per_minute, f"each would have {share:.1f} requests/min"),
        (memory, limits.up_memory_percent, f"memory might be {memory:.0f} %"),
        (slower, limits.up_response_seconds, f"the response time might be {slower:.2f} s"),
    )
    for value, limit, text in checks:
        if value > MARGIN * limit:
            return f"but with {rest} {text}, near the limit {limit:g}"
    return ""


def _cool_down(name: str, seconds: int, seen: Observation, last: Change | None) -> str:
    """Why it is too early for another change, empty if it is not."""
    if last is None or seen.time - last.time >= seconds:
        return ""
    passed = seen.time - last.time
    change = f"{last.before} → {last.after}"
    return f"but the last change ({change}) was {passed:.0f} s ago, {name} is {seconds} s"
