# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What advice on the number of replicas keeps to, whatever it is given, and how a day goes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.advice import (
    DOWN,
    STAY,
    UP,
    advise,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    KEPT,
    Change,
    History,
    Observation,
    Thresholds,
)
from tests.unit.fakes import day

NOW = 1_800_000_000.0


def amounts(highest: float) -> st.SearchStrategy[float]:
    return st.floats(0, highest, allow_nan=False)


def maybe(strategy: st.SearchStrategy[float]) -> st.SearchStrategy[float | None]:
    return st.none() | strategy


@st.composite
def limits(draw: st.DrawFn) -> Thresholds:
    """Any that are allowed."""
    least = draw(st.integers(1, 20))
    cpu = draw(st.floats(5, 95))
    requests = draw(st.floats(1, 10_000))
    return Thresholds.from_mapping(
        {
            "min_replicas": least,
            "max_replicas": draw(st.integers(least, 40)),
            "up_response_seconds": draw(st.floats(0.1, 60)),
            "up_cpu_percent": cpu,
            "up_memory_percent": draw(st.floats(5, 95)),
            "up_requests_per_minute": requests,
            "up_error_percent": draw(amounts(100)),
            "down_cpu_percent": draw(st.floats(0, 0.9)) * cpu,
            "down_requests_per_minute": draw(st.floats(0, 0.9)) * requests,
            "cooldown_up": draw(st.integers(300, 4000)),
            "cooldown_down": draw(st.integers(300, 4000)),
        }
    )


observations = st.builds(
    Observation,
    time=st.just(NOW),
    replicas=st.integers(1, 50),
    healthy=st.just(50),
    requests=st.integers(0, 100_000),
    requests_per_minute=amounts(200_000),
    error_percent=amounts(100),
    response_p95=maybe(amounts(100)),
    cpu_percent=maybe(amounts(120)),
    memory_percent=maybe(amounts(100)),
    covered_seconds=amounts(300),
    deploy=st.sampled_from(["", "", "", "deploy by ana"]),
)
changes = st.builds(
    Change,
    time=st.floats(NOW - 10_000, NOW + 100),
    before=st.integers(1, 40),
    after=st.integers(1, 40),
    causes=st.lists(st.sampled_from(["cpu", "requests", "memory", "errors"])).map(tuple),
    requests_per_minute=amounts(200_000),
)
histories = st.lists(changes, max_size=5).map(lambda found: History(tuple(found)))


@given(observations, limits(), histories)
def test_never_beyond_the_bounds_and_always_with_a_reason(
    seen: Observation, given_limits: Thresholds, history: History
) -> None:
    advice = advise(seen, given_limits, history)
    assert advice.reasons
    assert all(advice.reasons)
    if advice.direction == STAY:
        assert advice.replicas == seen.replicas
    else:
        assert given_limits.min_replicas <= advice.replicas <= given_limits.max_replicas
        assert (advice.replicas > seen.replicas) == (advice.direction == UP)
        assert advice.causes


@given(observations, limits(), histories)
def test_steps_are_bounded(seen: Observation, found: Thresholds, history: History) -> None:
    assume(found.min_replicas <= seen.replicas <= found.max_replicas)
    advice = advise(seen, found, history)
    largest = max(1, math.floor(seen.replicas / 2))
    assert seen.replicas - 1 <= advice.replicas <= seen.replicas + largest


@given(observations, limits(), histories, st.data())
def test_more_load_never_gives_fewer_replicas(
    seen: Observation, found: Thresholds, history: History, data: st.DataObject
) -> None:
    rest: dict[str, Any] = {
        name: getattr(seen, name) + data.draw(amounts(50))
        for name in ("response_p95", "cpu_percent", "memory_percent")
        if getattr(seen, name) is not None
    }
    more = replace(
        seen,
        requests=seen.requests + data.draw(st.integers(0, 1000)),
        requests_per_minute=seen.requests_per_minute + data.draw(amounts(1000)),
        error_percent=seen.error_percent + data.draw(amounts(50)),
        **rest,
    )
    less = advise(seen, found, history).replicas
    assert advise(more, found, history).replicas >= less


@given(observations, limits(), histories)
def test_nothing_is_done_to_an_impaired_stack(
    seen: Observation, found: Thresholds, history: History
) -> None:
    ill = replace(seen, healthy=seen.replicas - 1)
    assert advise(ill, found, history).direction == STAY
    assert advise(replace(seen, deploy="scale by ana"), found, history).direction == STAY


loads = st.tuples(amounts(20_000), st.floats(0.01, 1), amounts(300), st.floats(0.01, 5))
"""Requests a minute, seconds of CPU for each, memory of all in percent, seconds of an answer."""


def steady(count: int, load: tuple[float, float, float, float], at: float) -> Observation:
    """So many replicas under a load that stays as it is."""
    rate, cpu_seconds, memory, service = load
    cpu = min(100.0, rate / count / 60 * cpu_seconds * 100)
    return Observation(
        time=at,
        replicas=count,
        healthy=count,
        requests=int(rate * 5),
        requests_per_minute=rate,
        error_percent=0.0,
        response_p95=min(60.0, service / max(1e-6, 1 - cpu / 100)),
        cpu_percent=cpu,
        memory_percent=min(100.0, memory / count),
    )


@given(loads, limits(), st.integers(1, 40))
def test_a_steady_load_comes_to_a_steady_number(
    load: tuple[float, float, float, float], found: Thresholds, count: int
) -> None:
    """Never up and down again, nor the other way round; at the end nothing more is advised."""
    count = min(max(count, found.min_replicas), found.max_replicas)
    at, history, ways = NOW, History(), set()
    for _step in range(60):
        at += 4000
        advice = advise(steady(count, load, at), found, history)
        if advice.direction == STAY:
            break
        ways.add(advice.direction)
        history = history.with_change(Change(at, count, advice.replicas, advice.causes, load[0]))
        count = advice.replicas
    assert advice.direction == STAY
    assert len(ways) <= 1
    assert advise(steady(count, load, at + 9999), found, history).direction == STAY


@given(st.lists(observations, min_size=1, max_size=30), limits(), st.integers(1, 600))
def test_changes_keep_to_their_cool_downs(
    seen: list[Observation], found: Thresholds, interval: int
) -> None:
    """Also when the load is another one each time."""
    at, history, count = NOW, History(), found.min_replicas
    for one in seen:
        at += interval
        now = replace(one, time=at, replicas=count, healthy=count)
        advice = advise(now, found, history)
        if advice.direction == STAY:
            continue
        last = history.last(at)
        if last:
            needed = found.cooldown_down if advice.direction == DOWN else found.cooldown_up
            assert at - last.time >= needed
        history = history.with_change(Change(at, count, advice.replicas, advice.causes))
        count = advice.replicas
    assert len(history.changes) <= KEPT


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("peak", "noise"), [(0.6, 0.2), (1.0, 0.1), (1.0, 0.2), (1.25, 0.2)])
def test_a_day(seed: int, peak: float, noise: float) -> None:
    """At most two changes an hour, and never more than 5 minutes over the CPU that is aimed at."""
    found = Thresholds(max_replicas=12)
    course = day.run(seed, found, peak, noise)
    assert course.most_in(3600) <= 2
    assert course.longest_above(found.up_cpu_percent) <= 300
    assert max(course.counts) > 3
    assert course.counts[-1] < max(course.counts)


def test_a_quiet_day_changes_nothing() -> None:
    course = day.run(1, Thresholds(), peak=0.1)
    assert course.changes == []
    assert set(course.counts) == {2}


def test_too_much_for_all_that_is_allowed_stays_at_the_most() -> None:
    course = day.run(1, Thresholds(max_replicas=4), peak=3)
    assert max(course.counts) == 4
    assert course.most_in(3600) <= 2
