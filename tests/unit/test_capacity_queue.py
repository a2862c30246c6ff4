# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formulas for waiting: known values, properties, and a simulation that knows none of them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_queue import (
    P95_OF_NORMAL,
    Places,
    Work,
    erlang_c,
    mean_wait,
    offered_load,
    response_quantile,
    variation_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.capacity_simulation import Queue, cases, exponential, lognormal
from tests.unit.examples import examples

CASES = list(cases(seed=1, count=50))
ERROR = 0.05
MEASURED_TO = 0.012


@pytest.mark.parametrize(
    ("places", "load", "waiting"),
    [
        (1, 0.5, 0.5),  # M/M/1: as many wait as find the one place taken
        (2, 1.0, 1 / 3),
        (3, 2.0, 4 / 9),
        (10, 5.0, 0.036105),
        (4, 0.0, 0.0),
        (4, 4.0, 1.0),
        (4, 9.0, 1.0),
    ],
)
def test_known_values_of_erlang_c(places: int, load: float, waiting: float) -> None:
    assert erlang_c(places, load) == pytest.approx(waiting, abs=1e-6)


def test_the_sum_of_the_textbook_is_the_same() -> None:
    """C(c, a) as the sums of a^n / n! give it."""
    for places in range(1, 40):
        for share in (0.1, 0.5, 0.9, 0.99):
            load = share * places
            last = load**places / math.factorial(places) / (1 - share)
            others = sum(load**n / math.factorial(n) for n in range(places))
            assert erlang_c(places, load) == pytest.approx(last / (last + others))


def test_a_load_below_0_or_without_end_is_refused() -> None:
    with pytest.raises(LoadBalancingError) as refused:
        Places(-1.0)
    assert str(refused.value) == "offered load: -1.0 is not allowed: a number from 0 up."
    with pytest.raises(LoadBalancingError, match="offered load: inf is not allowed"):
        Places(math.inf)


def test_the_mean_wait_of_one_place_is_that_of_pollaczek_and_khinchine() -> None:
    for variation in (0.0, 0.5, 1.0, 4.0):
        work = Work(rate=0.8, seconds=1.0, variation=variation)
        assert mean_wait(1, [work]) == pytest.approx(0.8 / 0.2 * (1 + variation) / 2)


def test_no_places_are_enough_for_nothing_and_too_few_wait_for_ever() -> None:
    assert mean_wait(1, []) == 0.0
    assert mean_wait(2, [Work(1.0, 2.0)]) == math.inf
    assert offered_load([Work(1.0, 2.0), Work(0.5, 30.0)]) == 17.0


def test_the_variation_of_lognormal_times() -> None:
    assert variation_of(2.0, None) == 1.0
    assert variation_of(2.0, 2.0) == 0.0
    for spread in (0.1, 0.5, 1.0, 1.6):  # the deviation of the logarithm; the mean is exp(s^2 / 2)
        p95 = math.exp(P95_OF_NORMAL * spread - spread**2 / 2)
        assert variation_of(1.0, p95) == pytest.approx(math.expm1(spread**2))
    assert variation_of(1.0, 1000.0) == pytest.approx(math.expm1(P95_OF_NORMAL**2))


@given(st.floats(0.001, 3600), st.floats(1, 100), st.floats(1, 100))
def test_more_spread_is_more_variation(mean: float, one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert 0 <= variation_of(mean, mean * low) <= variation_of(mean, mean * high) + 1e-9


WORKS = st.builds(Work, st.floats(0, 50), st.floats(0.01, 60), st.floats(0, 14))


@given(st.integers(1, 60), st.lists(WORKS, max_size=3), st.integers(0, 30))
def test_more_places_are_less_waiting(places: int, works: list[Work], more: int) -> None:
    queue = Places(offered_load(works))
    queue.add(places)
    chance, wait = queue.waiting, queue.mean_wait(works)
    queue.add(more)
    assert 0 <= queue.waiting <= chance <= 1
    assert 0 <= queue.mean_wait(works) <= wait
    assert queue.waiting == erlang_c(places + more, queue.load)


@given(st.integers(1, 60), st.lists(WORKS, min_size=1, max_size=3), st.floats(1, 3))
def test_more_of_any_work_is_more_waiting(places: int, works: list[Work], more: float) -> None:
    """Also more of the shortest kind, of which most wait for longer ones."""
    first, *rest = works
    grown = [Work(first.rate * more, first.seconds, first.variation), *rest]
    assert mean_wait(places, grown) >= mean_wait(places, works) * (1 - 1e-9)


@pytest.mark.parametrize("number", range(examples(len(CASES))))
def test_erlang_agrees_with_a_simulation(number: int) -> None:
    """The probability to wait, and the mean wait, within 5 %."""
    places, rate, seconds = CASES[number]
    chance = random.Random(1001 + number)
    seen = Queue(chance, places, rate, seconds, exponential(chance, seconds)).measure(MEASURED_TO)
    assert seen.share == pytest.approx(erlang_c(places, rate * seconds), rel=ERROR)
    assert seen.mean == pytest.approx(mean_wait(places, [Work(rate, seconds)]), rel=ERROR)


@pytest.mark.parametrize(("places", "variation"), [(1, 0.3), (4, 0.3), (4, 2.0)])
def test_other_times_than_exponential_ones_are_near(places: int, variation: float) -> None:
    """Lognormal times: an approximation for more than one place, within 10 %."""
    chance = random.Random(places)
    rate = 0.7 * places
    holding = lognormal(chance, 1.0, variation)
    seen = Queue(chance, places, rate, 1.0, holding).measure(2 * MEASURED_TO)
    wait = mean_wait(places, [Work(rate, 1.0, variation)])
    assert seen.mean == pytest.approx(wait, rel=2 * ERROR)


def test_with_many_places_times_that_vary_much_wait_no_longer_than_reckoned() -> None:
    """There the approximation is on the safe side."""
    chance = random.Random(10)
    seen = Queue(chance, 10, 7.0, 1.0, lognormal(chance, 1.0, 2.0)).measure(2 * MEASURED_TO)
    assert seen.mean <= mean_wait(10, [Work(7.0, 1.0, 2.0)])


def test_response_times_of_one_place_are_exponential() -> None:
    """M/M/1: they exceed t with probability exp(-(mu - lambda) t)."""
    for load in (0.1, 0.5, 0.9):
        expected = -math.log(0.05) / (1 - load)
        assert response_quantile(1, Work(load, 1.0)) == pytest.approx(expected)


def test_response_times_without_waiting_are_the_times_at_work() -> None:
    assert response_quantile(500, Work(1.0, 2.0), 0.5) == pytest.approx(2 * math.log(2))
    # Where a wait is as long as the time at work: the formula has another form there.
    assert response_quantile(2, Work(1.0, 1.0)) == pytest.approx(
        response_quantile(2, Work(1.0 + 1e-6, 1.0)), rel=1e-4
    )


def test_no_response_quantile_without_enough_places_or_for_all_requests() -> None:
    assert response_quantile(2, Work(1.0, 2.0)) == math.inf
    with pytest.raises(LoadBalancingError) as refused:
        response_quantile(2, Work(1.0, 1.0), 1.0)
    assert str(refused.value) == "part: 1.0 is not allowed: a number between 0 and 1."
    with pytest.raises(LoadBalancingError):
        response_quantile(2, Work(1.0, 1.0), 0.0)


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.floats(0.01, 60), st.floats(0.05, 0.99))
def test_a_response_quantile_grows_with_load_and_part(
    places: int, share: float, seconds: float, part: float
) -> None:
    def quantile(share: float, part: float) -> float:
        return response_quantile(places, Work(share * places / seconds, seconds), part)

    assert quantile(share, part) >= -seconds * math.log(1 - part) * (1 - 1e-6)
    assert quantile(share, part) <= quantile(min(0.995, share * 1.01), part) * (1 + 1e-6)
    assert quantile(share, part) <= quantile(share, part + (1 - part) / 2)
