# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations in logarithmic buckets: percentiles near the exact ones, nothing left of what is taken
away.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.load_histogram import (
    GROWTH,
    LONGEST,
    SMALLEST,
    Histogram,
)

DURATIONS = st.floats(0, 2 * LONGEST).map(lambda value: round(value, 3))


def of(*seconds: float) -> Histogram:
    one = Histogram()
    for value in seconds:
        one.add(value)
    return one


def test_nothing_is_known_of_nothing() -> None:
    empty = Histogram()
    assert (empty.count, empty.mean(), empty.percentile(95)) == (0, None, None)


def test_the_mean_is_exact() -> None:
    assert of(0.1, 0.2, 0.6).mean() == pytest.approx(0.3)


def test_what_is_too_short_and_what_is_too_long() -> None:
    assert of(0.0, 0.0, 0.0009).percentile(95) == 0.0
    assert of(LONGEST, 86_400.0).percentile(50) == LONGEST
    assert of(0.0, 0.0, 700.0).percentile(99) == LONGEST


@given(st.lists(DURATIONS, min_size=1), st.sampled_from([1, 50, 90, 95, 99, 100]))
def test_a_percentile_is_wrong_by_five_per_cent_at_most(values: list[float], percent: int) -> None:
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    told = of(*values).percentile(percent)
    assert told is not None
    if exact < SMALLEST:
        assert told == 0.0
    elif exact >= LONGEST:
        assert told == LONGEST
    else:
        assert exact / math.sqrt(GROWTH) * 0.9999 <= told <= exact * math.sqrt(GROWTH) * 1.0001


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_what_is_added_and_taken_away_leaves_nothing(one: list[float], other: list[float]) -> None:
    both = of(*one)
    both.merge(of(*other))
    assert (both.count, both.total) == (of(*one, *other).count, of(*one, *other).total)
    assert both.percentile(95) == of(*one, *other).percentile(95)
    both.merge(of(*other), -1)
    assert (both.count, both.total, both.percentile(50)) == (
        len(one),
        of(*one).total,
        of(*one).percentile(50),
    )
