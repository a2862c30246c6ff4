# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From traffic to replicas and a server: the starting points, refusals, properties."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import capacity as domain
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import Capacity, advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_fields import (
    INPUTS,
    Demand,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

# What is promised, line by line; requests a minute at both ends of each line.
STARTING_POINTS = [
    ((1, 50, 99.9), (2, 3), (2, 4), (4, 4), (25, 50)),
    ((100, 300, 499.9), (3, 5), (4, 6), (8, 8), (50, 100)),
    ((500, 700, 1000), (5, 8), (6, 8), (12, 16), (100, 250)),
    ((1000.1, 1500, 2000), (8, None), (12, None), (24, None), (250, None)),
]


def size_of(demand: Any) -> dict[str, Any]:
    return advise(demand).size.as_dict()


@pytest.mark.parametrize("line", STARTING_POINTS, ids=lambda line: str(line[0]))
def test_the_starting_points_line_by_line(line: Any) -> None:
    traffic, replicas, *ranges = line
    for requests in traffic:
        for seconds in (0.05, 1, 2):
            demand = {"requests_per_minute": requests, "mean_seconds": seconds}
            assert advise(demand).replicas == replicas[0]
            assert size_of(demand) == {
                "replicas_min": replicas[0],
                "replicas_max": replicas[1],
                **{
                    key: {"min": low, "max": high}
                    for key, (low, high) in zip(("vcpus", "memory_gb", "monthly_cost"), ranges)
                },
            }


def test_the_example_of_the_design() -> None:
    assert advise({"requests_per_minute": 300, "mean_seconds": 2}).replicas == 3


def test_a_slow_service_with_few_requests_needs_more_than_its_line() -> None:
    advice = advise({"requests_per_minute": 90, "mean_seconds": 300})
    assert advice.demand.load == 450
    assert (advice.for_load, advice.for_waiting, advice.needed, advice.replicas) == (7, 0, 7, 8)
    assert (advice.utilisation, advice.utilisation_without_one) == (450 / 800, 450 / 700)
    assert advice.size.as_dict() == {
        "replicas_min": 8,
        "replicas_max": 8,
        "vcpus": {"min": 8, "max": 8},
        "memory_gb": {"min": 12, "max": 16},
        "monthly_cost": {"min": 134, "max": 250},
    }


def test_the_load_of_each_input() -> None:
    assert Demand.from_mapping({}).load == 1
    assert Demand.from_mapping({"requests_per_second": "5", "mean_seconds": "0.5"}).load == 2.5
    assert Demand.from_mapping({"concurrent_streams": 200}).load == 201
    assert Demand.from_mapping({"replica_memory": "1536m"}).replica_memory == 1.5
    # As surveys give it: an empty answer is none.
    assert Demand.from_mapping({"requests_per_minute": " ", "p95_seconds": None}) == Demand()


def test_a_measured_replica_takes_the_place_of_100() -> None:
    demand = {"concurrent_streams": 140, "requests_per_minute": 0}
    assert advise(demand).replicas == 3  # 140 / 70, 1 to spare
    assert advise({**demand, "safe_concurrency": 40}).replicas == 6  # 140 / 28, 1 to spare
    assert advise({**demand, "target_utilisation": 0.5}).replicas == 4


def test_a_target_for_waiting() -> None:
    """A model that works on one request at a time: 2 places are busy on average."""
    demand = {"requests_per_minute": 60, "mean_seconds": 2, "safe_concurrency": 1}
    assert advise(demand).replicas == 4
    advice = advise({**demand, "waiting_seconds": 0.1})
    assert (advice.for_load, advice.for_waiting, advice.replicas) == (3, 5, 6)
    assert advise({**demand, "waiting_seconds": 0.1, "p95_seconds": 2}).for_waiting == 4
    assert advise({**demand, "waiting_seconds": 0.01, "p95_seconds": 7}).for_waiting == 7


def test_the_advice_as_ansible_gets_it() -> None:
    demand = {
        "requests_per_minute": 61.2345,
        "mean_seconds": 2,
        "safe_concurrency": 1,
        "waiting_seconds": 0.1,
    }
    advice = advise(demand)
    assert advice.as_dict() == {
        "replicas": 6,
        "size": advice.size.as_dict(),
        "traffic_class": "under 100",
        "offered_concurrency": 2.041,
        "replicas_needed": 5,
        "utilisation": 0.3402,
        "utilisation_without_one": 0.4082,
        "waiting_seconds": 0.009971,
        "offers": [offer.as_dict() for offer in advice.offers],
    }
    assert advice.offers


def test_a_target_that_is_just_kept_needs_no_more() -> None:
    """One place that is taken half of the time: who comes waits a second on average."""
    demand = {"requests_per_minute": 30, "mean_seconds": 1, "safe_concurrency": 1}
    assert advise({**demand, "waiting_seconds": 1.0}).for_waiting == 1


def test_long_streams_make_requests_wait_longer() -> None:
    demand = {"safe_concurrency": 2, "concurrent_streams": 6, "waiting_seconds": 0.05}
    short = advise({**demand, "stream_seconds": 5}).for_waiting
    assert short < advise({**demand, "stream_seconds": 600}).for_waiting


def test_development_has_one_replica() -> None:
    advice = advise({"mode": "development", "requests_per_minute": 5000})
    assert advice.replicas == 1
    assert (advice.utilisation_without_one, advice.as_dict()["replicas"]) == (None, 1)
    assert size_of({"mode": "development"})["replicas_min"] == 1
    assert size_of({"mode": "development"})["replicas_max"] == 1
    large = {"mode": "development", "replica_memory": "8g", "rollout_surge": 3}
    assert size_of(large)["memory_gb"]["min"] == 10, "nothing is replaced under traffic"


def test_a_line_is_raised_where_replicas_need_more() -> None:
    memory = size_of({"replica_memory": "4g"})
    assert memory["memory_gb"] == {"min": 14, "max": 14}  # 3 of 4 GB, 2 GB besides
    assert memory["monthly_cost"] == {"min": 88, "max": 175}
    surge = size_of({"replica_memory": "4g", "rollout_surge": 2})
    assert surge["memory_gb"]["min"] == 18
    cpus = size_of({"replica_cpus": 4})
    assert cpus["vcpus"] == {"min": 8, "max": 8}
    assert cpus["monthly_cost"] == {"min": 100, "max": 100}


def test_a_wait_without_end_has_no_figure() -> None:
    advice = advise({"mode": "development", "concurrent_streams": 500})
    assert advice.as_dict()["waiting_seconds"] is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"mean_seconds": 0},
            "mean_seconds: 0 is not allowed: a number from 0.001 to 3600. "
            "Set the variable capacity_mean_seconds.",
        ),
        (
            {"rollout_surge": "none", "mode": "test"},
            "rollout_surge: 'none' is not allowed: a whole number from 1 to 100. "
            "Set the variable rollout_surge.\n"
            "mode: 'test' is not allowed: production or development. Set the variable mode.",
        ),
        (
            {"replica_memory": 1},
            "replica_memory: 1 is not allowed: a size such as 512m or 1g, from 6m to 16t. "
            "Set the variable app_memory_reservation.",
        ),
        ({"mean_second": 2}, "unknown input 'mean_second': did you mean mean_seconds?"),
        ({7: 2}, f"unknown input 7: it may be {', '.join(INPUTS)}."),
        ("fast", f"'fast' is not allowed: a mapping with any of {', '.join(INPUTS)}."),
        (
            {"requests_per_minute": 60, "requests_per_second": 1},
            "requests_per_second: a value is not allowed together with requests_per_minute, which "
            "is 60. Set the variable capacity_requests_per_second or "
            "capacity_requests_per_minute.",
        ),
        (
            {"mean_seconds": 2, "p95_seconds": 1},
            "p95_seconds: 1 is not allowed: not less than mean_seconds, which is 2. "
            "Set the variable capacity_p95_seconds or capacity_mean_seconds.",
        ),
        (
            {"requests_per_minute": 600000, "mean_seconds": 3600},
            "36000000 requests and streams at once are not allowed: at most 1000000. Set the "
            "variables capacity_requests_per_minute, capacity_mean_seconds or "
            "capacity_concurrent_streams.",
        ),
    ],
)
def test_what_is_refused(given: Any, text: str) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        advise(given)
    assert str(refused.value) == text


DEMANDS = st.fixed_dictionaries(
    {},
    optional={
        "requests_per_minute": st.floats(0, 20_000),
        "mean_seconds": st.floats(0.01, 30),
        "concurrent_streams": st.integers(0, 3000),
        "stream_seconds": st.floats(0.1, 600),
        "safe_concurrency": st.integers(1, 500),
        "target_utilisation": st.floats(0.1, 0.95),
        "waiting_seconds": st.floats(0.001, 10),
        "replica_memory": st.sampled_from(["64m", "512m", "3g"]),
        "replica_cpus": st.floats(0.1, 8),
        "rollout_surge": st.integers(1, 3),
    },
)
GROWTH = st.floats(1, 4)


def figures(advice: Capacity) -> list[float]:
    """All that may not become less when the load grows."""
    size = advice.size
    ends = [end for one in (size.vcpus, size.memory, size.cost) for end in (one.min, one.max)]
    return [advice.replicas, *(math.inf if end is None else end for end in ends)]


@given(DEMANDS, st.sampled_from(["requests_per_minute", "mean_seconds"]), GROWTH)
def test_more_load_is_never_less_of_anything(demand: dict[str, Any], name: str, by: float) -> None:
    before = advise(demand)
    grown = {**demand, name: getattr(before.demand, name) * by}
    assume(grown["mean_seconds"] <= 3600 if name == "mean_seconds" else True)
    after = advise(grown)
    assert all(new >= old for new, old in zip(figures(after), figures(before)))


@given(DEMANDS, st.integers(0, 3000), st.integers(0, 3000))
def test_more_streams_are_never_less_of_anything(
    demand: dict[str, Any], one: int, other: int
) -> None:
    low, high = sorted([one, other])
    before = advise({**demand, "concurrent_streams": low})
    after = advise({**demand, "concurrent_streams": high})
    assert all(new >= old for new, old in zip(figures(after), figures(before)))


@given(DEMANDS)
def test_one_replica_less_still_carries_the_load(demand: dict[str, Any]) -> None:
    """At most 100 % of what the others safely take, and at most the targets."""
    advice = advise(demand)
    rest = advice.utilisation_without_one
    assert rest is not None
    assert rest <= advice.demand.target_utilisation * (1 + 1e-6) < 1
    assert advice.replicas >= 2
    if advice.demand.waiting_seconds is not None:
        left = advice.replicas - 1
        assert domain._waiting(advice.demand, left) <= advice.demand.waiting_seconds


@given(DEMANDS)
def test_no_slack_is_negative(demand: dict[str, Any]) -> None:
    advice = advise(demand)
    size, typed = advice.size, advice.demand
    room = (advice.replicas + typed.rollout_surge) * typed.replica_memory
    assert size.memory.min >= room
    assert size.vcpus.min >= round(advice.replicas * typed.replica_cpus, 6)
    assert 0 <= advice.utilisation <= 1
    for one in (size.replicas, size.vcpus, size.memory, size.cost):
        assert one.max is None or one.min <= one.max
    assert advice.replicas == max(advice.needed + 1, advice.row.replicas.min)
