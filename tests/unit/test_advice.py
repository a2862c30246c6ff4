# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advice on the number of replicas: one row for each rule, those for staying included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.advice import (
    DOWN,
    STAY,
    UP,
    Advice,
    advise,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    Change,
    History,
    Observation,
    Thresholds,
)

NOW = 1_800_000_000.0
LIMITS = Thresholds()
BETWEEN = "CPU 50 % and 100.0 requests/min for each replica: neither too much nor little"
IDLE = ("CPU 10 % < 30 %", "10.0 requests/min for each replica < 70")
SPENT = "but one more replica did not change that, and the traffic has not grown since"


def seen(replicas: int = 4, idle: bool = False, **changes: Any) -> Observation:
    """A stack between the limits, or an idle one."""
    share = 10 if idle else 100
    usual = Observation(
        time=NOW,
        replicas=replicas,
        healthy=replicas,
        requests=1000,
        requests_per_minute=share * replicas,
        error_percent=0.5,
        response_p95=0.4,
        cpu_percent=10 if idle else 50,
        memory_percent=30,
    )
    return replace(usual, **changes)


def changed(ago: float, before: int, after: int, *causes: str, rpm: float = 400) -> History:
    """A history of one change, so many seconds ago."""
    return History((Change(NOW - ago, before, after, causes or ("cpu",), rpm),))


ROWS: dict[str, tuple[Observation, History, int, str, tuple[str, ...]]] = {
    "between the limits": (seen(), History(), 4, STAY, (BETWEEN,)),
    # Up
    "cpu": (seen(cpu_percent=71), History(), 6, UP, ("CPU 71 % > 70 %",)),
    "cpu at the limit": (
        seen(cpu_percent=70),
        History(),
        4,
        STAY,
        ("CPU 70 % and 100.0 requests/min for each replica: neither too much nor little",),
    ),
    "cpu, one of a few": (seen(2, cpu_percent=71), History(), 3, UP, ("CPU 71 % > 70 %",)),
    "cpu, half of many": (seen(6, cpu_percent=100), History(), 9, UP, ("CPU 100 % > 70 %",)),
    "cpu, one of a few however much": (
        seen(2, cpu_percent=100),
        History(),
        3,
        UP,
        ("CPU 100 % > 70 %",),
    ),
    "cpu, the most allowed": (seen(8, cpu_percent=99), History(), 10, UP, ("CPU 99 % > 70 %",)),
    "500 requests/min for three are not too many": (
        seen(3, requests_per_minute=500.0),
        History(),
        3,
        STAY,
        ("CPU 50 % and 166.7 requests/min for each replica: neither too much nor little",),
    ),
    "501 requests/min for three are": (
        seen(3, requests_per_minute=501.0),
        History(),
        4,
        UP,
        ("167.0 requests/min for each replica > 166.7",),
    ),
    "slow answers": (
        seen(response_p95=2.1),
        History(),
        5,
        UP,
        ("response time 2.10 s (p95) > 2 s",),
    ),
    "slow answers, but too few": (
        seen(response_p95=9, requests=29),
        History(),
        4,
        STAY,
        (BETWEEN,),
    ),
    "answers at the limit": (seen(response_p95=2), History(), 4, STAY, (BETWEEN,)),
    "memory": (seen(memory_percent=81), History(), 5, UP, ("memory 81 % > 80 %",)),
    "memory at the limit": (seen(memory_percent=80), History(), 4, STAY, (BETWEEN,)),
    "errors": (seen(error_percent=5.1), History(), 5, UP, ("errors 5.1 % > 5 %",)),
    "errors at the limit": (seen(error_percent=5), History(), 4, STAY, (BETWEEN,)),
    "errors of just enough": (
        seen(error_percent=100, requests=30),
        History(),
        5,
        UP,
        ("errors 100.0 % > 5 %",),
    ),
    "errors, but of too few": (
        seen(error_percent=100, requests=29),
        History(),
        4,
        STAY,
        (BETWEEN,),
    ),
    "several": (
        seen(cpu_percent=90, error_percent=6),
        History(),
        6,
        UP,
        ("CPU 90 % > 70 %", "errors 6.0 % > 5 %"),
    ),
    "cpu unknown, yet slow": (
        seen(cpu_percent=None, response_p95=3),
        History(),
        5,
        UP,
        ("response time 3.00 s (p95) > 2 s",),
    ),
    # Not up
    "the most already": (
        seen(10, cpu_percent=99),
        History(),
        10,
        STAY,
        ("CPU 99 % > 70 %", "but scale_max_replicas is 10"),
    ),
    "up too soon": (
        seen(cpu_percent=99),
        changed(299, 3, 4),
        4,
        STAY,
        (
            "CPU 99 % > 70 %",
            "but the last change (3 → 4) was 299 s ago, scale_cooldown_up is 300 s",
        ),
    ),
    "up again": (seen(cpu_percent=99), changed(300, 3, 4), 6, UP, ("CPU 99 % > 70 %",)),
    "up after down": (seen(cpu_percent=71), changed(300, 5, 4), 6, UP, ("CPU 71 % > 70 %",)),
    "errors that one more did not end": (
        seen(error_percent=60),
        changed(9999, 3, 4, "errors"),
        4,
        STAY,
        (f"errors 60.0 % > 5 %, {SPENT}",),
    ),
    "memory that one more did not free": (
        seen(memory_percent=99, error_percent=60, requests_per_minute=500),
        changed(9999, 3, 4, "memory", "errors"),
        4,
        STAY,
        (f"memory 99 % > 80 %, {SPENT}", f"errors 60.0 % > 5 %, {SPENT}"),
    ),
    "errors after the traffic has grown": (
        seen(error_percent=60, requests_per_minute=501),
        changed(9999, 3, 4, "errors"),
        5,
        UP,
        ("errors 60.0 % > 5 %",),
    ),
    "errors after a step for cpu": (
        seen(error_percent=60),
        changed(9999, 3, 4, "errors", "cpu"),
        5,
        UP,
        ("errors 60.0 % > 5 %",),
    ),
    "errors after a change that was no step": (
        seen(error_percent=60),
        changed(9999, 4, 4, "errors"),
        5,
        UP,
        ("errors 60.0 % > 5 %",),
    ),
    "errors that are spent, but cpu": (
        seen(error_percent=60, cpu_percent=71),
        changed(9999, 3, 4, "errors"),
        6,
        UP,
        ("CPU 71 % > 70 %",),
    ),
    # Down
    "idle": (seen(idle=True), History(), 3, DOWN, IDLE),
    "idle, memory unknown": (seen(idle=True, memory_percent=None), History(), 3, DOWN, IDLE),
    "idle, no requests": (
        seen(idle=True, requests=0, requests_per_minute=0.0, response_p95=None),
        History(),
        3,
        DOWN,
        (IDLE[0], "0.0 requests/min for each replica < 70"),
    ),
    "idle, watched for just long enough": (
        seen(idle=True, covered_seconds=285),
        History(),
        3,
        DOWN,
        IDLE,
    ),
    "idle, memory would just fit": (
        seen(5, idle=True, memory_percent=51.2),
        History(),
        4,
        DOWN,
        IDLE,
    ),
    # Not down
    "the least already": (
        seen(2, idle=True),
        History(),
        2,
        STAY,
        (*IDLE, "but scale_min_replicas is 2"),
    ),
    "cpu idle, but traffic": (
        seen(cpu_percent=10),
        History(),
        4,
        STAY,
        ("CPU 10 % and 100.0 requests/min for each replica: neither too much nor little",),
    ),
    "no traffic, but cpu": (
        seen(idle=True, cpu_percent=30),
        History(),
        4,
        STAY,
        ("CPU 30 % and 10.0 requests/min for each replica: neither too much nor little",),
    ),
    "cpu idle, traffic at the limit": (
        seen(cpu_percent=10, requests_per_minute=280),
        History(),
        4,
        STAY,
        ("CPU 10 % and 70.0 requests/min for each replica: neither too much nor little",),
    ),
    "idle, cpu unknown": (
        seen(idle=True, cpu_percent=None),
        History(),
        4,
        STAY,
        ("nothing is over its limit, and the use of CPU is not known",),
    ),
    "down too soon": (
        seen(idle=True),
        changed(1799, 3, 4),
        4,
        STAY,
        (*IDLE, "but the last change (3 → 4) was 1799 s ago, scale_cooldown_down is 1800 s"),
    ),
    "down again": (seen(idle=True), changed(1800, 5, 4), 3, DOWN, IDLE),
    "idle, but memory would be tight": (
        seen(3, idle=True, memory_percent=43),
        History(),
        3,
        STAY,
        (*IDLE, "but with 2 memory might be 64 %, near the limit 80"),
    ),
    "idle, but slow": (
        seen(idle=True, response_p95=1.6),
        History(),
        4,
        STAY,
        (*IDLE, "but with 3 the response time might be 1.66 s, near the limit 2"),
    ),
    "idle, but slow and some cpu": (
        seen(idle=True, response_p95=1.6, cpu_percent=25),
        History(),
        4,
        STAY,
        (
            "CPU 25 % < 30 %",
            IDLE[1],
            "but with 3 the response time might be 1.80 s, near the limit 2",
        ),
    ),
    "idle, but slow for a few only": (
        seen(idle=True, response_p95=1.6, requests=29),
        History(),
        3,
        DOWN,
        IDLE,
    ),
    "idle, but errors": (
        seen(idle=True, error_percent=9),
        History(),
        5,
        UP,
        ("errors 9.0 % > 5 %",),
    ),
    "idle, watched for too short": (
        seen(idle=True, covered_seconds=284),
        History(),
        4,
        STAY,
        (*IDLE, "but the keeper has watched for 284 s only, 300 s are needed"),
    ),
    # Not now
    "just begun": (
        seen(cpu_percent=99, covered_seconds=59),
        History(),
        4,
        STAY,
        ("the keeper has watched for 59 s, 60 s are needed",),
    ),
    "begun just long ago enough": (
        seen(cpu_percent=99, covered_seconds=60),
        History(),
        6,
        UP,
        ("CPU 99 % > 70 %",),
    ),
    "a deploy": (
        seen(12, cpu_percent=99, deploy="deploy by ana"),
        History(),
        12,
        STAY,
        ("the stack is being changed: deploy by ana",),
    ),
    "maintenance": (
        seen(idle=True, error_percent=99, maintenance=True),
        History(),
        4,
        STAY,
        ("the stack is in maintenance, clients get status 503",),
    ),
    "an ill replica": (
        seen(cpu_percent=99, healthy=3),
        History(),
        4,
        STAY,
        ("3 of 4 replicas are healthy",),
    ),
    # Bounds
    "fewer than the least": (
        seen(1, covered_seconds=0),
        changed(1, 2, 1),
        2,
        UP,
        ("1 is less than scale_min_replicas, 2",),
    ),
    "more than the most": (
        seen(12, cpu_percent=99),
        changed(1, 11, 12),
        10,
        DOWN,
        ("12 is more than scale_max_replicas, 10",),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_each_rule(row: tuple[Observation, History, int, str, tuple[str, ...]]) -> None:
    observation, history, replicas, direction, reasons = row
    advice = advise(observation, LIMITS, history)
    assert (advice.replicas, advice.direction, advice.reasons) == (replicas, direction, reasons)
    assert bool(advice.causes) == (direction != STAY)


def test_causes_are_for_the_history() -> None:
    observation = seen(3, cpu_percent=90, requests_per_minute=900, response_p95=3)
    worse = replace(observation, memory_percent=90, error_percent=9)
    causes = ("cpu", "requests", "response", "memory", "errors")
    assert advise(worse, LIMITS, History()).causes == causes
    assert advise(seen(idle=True), LIMITS, History()).causes == ("cpu", "requests")
    assert advise(seen(11), LIMITS, History()).causes == ("bounds",)


@pytest.mark.parametrize(
    ("advice", "text"),
    [
        (Advice(4, UP, ("a", "b")), "up to 4: a; b"),
        (Advice(3, DOWN, ("idle",)), "down to 3: idle"),
        (Advice(3, STAY, ("enough",)), "stays at 3: enough"),
    ],
)
def test_advice_in_a_line(advice: Advice, text: str) -> None:
    assert advice.text == text
