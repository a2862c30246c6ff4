# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advice where the operator has set limits of their own."""

from __future__ import annotations

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.advice import (
    DOWN,
    STAY,
    advise,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    History,
    Observation,
    Thresholds,
)
from tests.unit.advice_rows import BETWEEN, seen


@pytest.mark.parametrize(
    ("limits", "observation", "text"),
    [
        (
            Thresholds(down_cpu_percent=60),
            seen(3, idle=True, cpu_percent=45),
            "but with 2 CPU would be 68 %, near the limit 70",
        ),
        (
            Thresholds(down_requests_per_minute=160),
            seen(3, idle=True, requests_per_minute=300),
            "but with 2 each would have 150.0 requests/min, near the limit 166.7",
        ),
        (
            Thresholds(up_cpu_percent=95, down_cpu_percent=80),
            seen(2, idle=True, cpu_percent=76),
            "but scale_min_replicas is 2",
        ),
        (
            Thresholds(min_replicas=1, up_cpu_percent=95, down_cpu_percent=80),
            seen(2, idle=True, cpu_percent=76),
            "but with 1 CPU would be 152 %, near the limit 95",
        ),
    ],
)
def test_near_limits_of_ones_own(limits: Thresholds, observation: Observation, text: str) -> None:
    advice = advise(observation, limits, History())
    assert advice.direction == STAY
    assert advice.reasons[-1] == text


@pytest.mark.parametrize(
    ("limits", "observation", "replicas", "text"),
    [
        (Thresholds(up_requests_per_minute=100), seen(), 4, BETWEEN),
        (Thresholds(max_replicas=40), seen(20, cpu_percent=71), 26, "CPU 71 % > 70 %"),
        (Thresholds(max_replicas=40), seen(20, cpu_percent=72.9), 27, "CPU 73 % > 70 %"),
        (Thresholds(max_replicas=40), seen(20, cpu_percent=72.800001), 26, "CPU 73 % > 70 %"),
        (
            Thresholds(max_replicas=40, up_requests_per_minute=100),
            seen(20, requests_per_minute=2020),
            26,
            "101.0 requests/min for each replica > 100",
        ),
    ],
    ids=["at the limit", "cpu", "more cpu", "a hair of cpu", "requests"],
)
def test_as_many_as_the_load_needs(
    limits: Thresholds, observation: Observation, replicas: int, text: str
) -> None:
    """A load over its limit comes down to 80 % of it, with not one replica more."""
    advice = advise(observation, limits, History())
    assert (advice.replicas, advice.reasons) == (replicas, (text,))


@pytest.mark.parametrize(
    ("limits", "observation"),
    [
        (Thresholds(up_cpu_percent=1, down_cpu_percent=0.5), seen(idle=True, cpu_percent=0.0)),
        (Thresholds(up_memory_percent=1), seen(idle=True, memory_percent=None)),
        (Thresholds(up_response_seconds=1), seen(idle=True, response_p95=None)),
    ],
    ids=["cpu", "memory", "response time"],
)
def test_what_is_unknown_or_nothing_keeps_no_replica(
    limits: Thresholds, observation: Observation
) -> None:
    assert advise(observation, limits, History()).direction == DOWN
