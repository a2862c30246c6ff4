# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_counts import (
    RELATIVE_ERROR,
    Counts,
    Histogram,
    Table,
)


def nearest_rank(durations: list[float], percent: float) -> float:
    """The exact percentile."""
    return sorted(durations)[max(1, math.ceil(len(durations) * percent / 100)) - 1]


@given(
    st.lists(st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000), min_size=1),
    st.sampled_from([0.1, 25.0, 50.0, 95.0, 99.0, 100.0]),
)
def test_a_percentile_is_as_near_as_it_says(durations: list[float], percent: float) -> None:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    exact, found = nearest_rank(durations, percent), histogram.percentile(percent)
    assert found is not None
    assert abs(found - exact) <= exact * (RELATIVE_ERROR + 1e-9)
    assert histogram.count == len(durations)


def test_the_ends_of_a_histogram() -> None:
    histogram = Histogram()
    assert histogram.percentile(50) is None
    histogram.add(0.0)
    assert histogram.percentile(100) == 0.0
    histogram.add(1e9)
    assert histogram.percentile(100) == pytest.approx(1e6, rel=0.03)


def filled(names: list[str], most: int) -> Table[Counts]:
    table = Table(most, Counts)
    for name in names:
        table.row(name).requests += 1
    return table


NAMES = st.lists(st.sampled_from("abcdefghijklmnopqrst"), max_size=300)


@given(NAMES, st.integers(2, 12))
def test_nothing_is_lost_and_nobody_frequent(names: list[str], most: int) -> None:
    table, exact = filled(names, most), Counter(names)
    assert len(table.rows) <= most
    assert sum(row.requests for row in table.rows.values()) + table.other.requests == len(names)
    assert table.left([]).requests == len(names)
    for name, count in exact.items():
        found = table.rows[name].requests if name in table.rows else 0
        assert count - table.missing <= found <= count
    # An odd number is halved down, so what is always kept is a little less than most / 2.
    assert table.missing <= len(names) / (most // 2)


@given(NAMES, st.randoms())
def test_up_to_its_size_a_table_is_exact_in_any_order(names: list[str], chance: object) -> None:
    shuffled = names.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = filled(names, 20), filled(shuffled, 20)
    exact = Counter(names)
    assert {name: row.requests for name, row in one.rows.items()} == dict(exact)
    assert [name for name, _row in one.top(5)] == [name for name, _row in other.top(5)]
    assert (one.missing, one.others, one.other.requests) == (0, 0, 0)


def test_the_top_and_the_rest() -> None:
    table = filled([*"aaa", *"bb", *"dd", "c"], 10)
    assert [name for name, _row in table.top(3)] == ["a", "b", "d"]
    assert table.left(["a", "b"]).requests == 3


def test_rare_names_make_room() -> None:
    rare = [str(number) for number in range(1000)]
    table = filled([*["often"] * 300, *rare], 10)
    assert table.rows["often"].requests == 300
    assert table.other.requests + sum(row.requests for row in table.rows.values()) == 1300
    assert table.others >= 990
