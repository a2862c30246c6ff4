# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advice on the number of replicas: one row for each rule, those for staying included."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.advice import (
    DOWN,
    STAY,
    UP,
    Advice,
    advise,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    History,
    Observation,
)
from tests.unit.advice_rows import LIMITS, ROWS, seen


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
