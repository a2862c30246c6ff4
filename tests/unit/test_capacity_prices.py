# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The price list, operators' own providers, the cheapest server, and the report."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_prices import (
    PROVIDERS,
    providers_field,
    read_providers,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_report import report
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

SMALL = {"name": "S", "vcpus": 2, "memory_gb": 4, "monthly_cost": 9.5}
LARGE = {"name": "L", "vcpus": "16", "memory_gb": 32, "monthly_cost": 40}
OWN = {"name": "Our rack", "plans": [LARGE, SMALL], "currency": "EUR", "date": "2026-11"}
SET = "Set the variable capacity_providers."


def test_each_provider_of_the_list_names_a_source_and_a_date() -> None:
    for provider in PROVIDERS:
        assert provider.source.startswith("https://")
        assert re.fullmatch(r"20\d\d-[01]\d", provider.date)
        assert provider.plans
        assert read_providers([{**_plain(provider), "name": "copy"}])[0].plans == provider.plans


def _plain(provider: Any) -> dict[str, Any]:
    return {**vars(provider), "plans": [vars(plan) for plan in provider.plans]}


def test_own_providers_come_first_and_take_the_place_of_a_listed_one() -> None:
    own = read_providers([OWN, {"name": PROVIDERS[0].name, "plans": [SMALL]}])
    assert [one.name for one in own] == ["Our rack", PROVIDERS[0].name, PROVIDERS[1].name]
    assert own[0].currency == "EUR"
    assert own[1].plans[0].monthly_cost == 9.5


@pytest.mark.parametrize("nothing", [None, "", [], "[]"])
def test_without_own_providers_there_is_the_list(nothing: object) -> None:
    assert read_providers(nothing) == PROVIDERS


def test_the_field_takes_texts_and_gives_plain_data() -> None:
    given_text = '[{"name": "Ours", "plans": [{"name": "S", "vcpus": 2, "memory_gb": 4, '
    assert providers_field().read(given_text + '"monthly_cost": 9}]}]') == [
        {"name": "Ours", "plans": [{"name": "S", "vcpus": 2, "memory_gb": 4, "monthly_cost": 9}]}
    ]


def test_the_cheapest_server_that_is_large_enough() -> None:
    own = [{**OWN, "plans": [LARGE, SMALL, {**LARGE, "name": "XL", "monthly_cost": 41}]}]
    first, *others = advise({}, own).as_dict()["offers"]
    assert first == {
        "provider": "Our rack",
        "currency": "EUR",
        "source": "",
        "date": "2026-11",
        "plan": {"name": "S", "vcpus": 2.0, "memory_gb": 4.0, "monthly_cost": 9.5},
    }
    assert [one["plan"]["monthly_cost"] for one in others] == [24, 24]
    assert (
        advise({"requests_per_minute": 700}, own).offers[0].plan == read_providers(own)[0].plans[0]
    )
    busy = advise({"requests_per_minute": 5000, "replica_memory": "8g"}, own)
    assert busy.offers[0].as_dict()["plan"] is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            "cheap",
            "capacity_providers: 'cheap' is not allowed: a list such as "
            '[{"name": "Ours", "plans": [...]}]. ' + SET,
        ),
        (
            ["cheap"],
            "capacity_providers[0]: 'cheap' is not allowed: a mapping with name, currency, source, "
            "date, plans. " + SET,
        ),
        ([{"plans": [SMALL]}], "capacity_providers[0].name: a value is needed. " + SET),
        (
            [{"name": "A", "plans": []}],
            "capacity_providers[0].plans: [] is not allowed: a list such as "
            '[{"name": "S", "vcpus": 2, "memory_gb": 4, "monthly_cost": 20}], with one plan at '
            "least. " + SET,
        ),
        (
            [{"name": "A", "plans": [SMALL, {**SMALL, "monthly_cost": -1}]}],
            "capacity_providers[0].plans[1].monthly_cost: -1 is not allowed: a number from 0 to "
            "999999. " + SET,
        ),
        (
            [{"name": "A", "plans": [{**SMALL, "disk": 80}]}],
            "capacity_providers[0].plans[0].disk: 80 is not allowed: one of the keys name, vcpus, "
            "memory_gb, monthly_cost. " + SET,
        ),
        (
            [{**OWN, "currency": "euro"}],
            "capacity_providers[0].currency: 'euro' is not allowed: the three letters of a "
            "currency, such as USD. " + SET,
        ),
        (
            [OWN, OWN],
            "capacity_providers: ['Our rack', 'Our rack'] is not allowed: each name once. " + SET,
        ),
    ],
)
def test_what_is_refused(given: Any, text: str) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        read_providers(given)
    assert str(refused.value) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "plans", "vcpus", "date", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_anything_is_read_or_refused(value: object) -> None:
    try:
        found: object = read_providers(value)[-1]
    except LoadBalancingError as refused:
        found = str(refused).partition(":")[0]
    assert found == PROVIDERS[-1] or str(found).startswith("capacity_providers")


TABLE = """\
Starting points (> is this traffic)
  requests/min   replicas   vCPUs   memory     a month
  under 100      2-3        2-4     4 GB       $25-50
> 100-500        3-5        4-6     8 GB       $50-100
  500-1000       5-8        6-8     12-16 GB   $100-250
  above 1000     8+         12+     24 GB+     $250+"""


def test_a_report() -> None:
    own = [{"name": "Our rack", "plans": [SMALL]}]
    text = "\n".join(report(advise({"requests_per_minute": 300, "mean_seconds": 2}, own)))
    assert text == (
        """\
Replicas      3 (deploy with -e replicas=3)
Server        4-6 vCPUs, 8 GB, $50-100 a month
In use        3 % of what the replicas safely take, 5 % with one of them lost

How it was reckoned
Traffic       300 requests/min of 2 s
At once       10 on average (Little's law: 5/s x 2 s)
One replica   100 at once, planned to 70 %: 70
For the load  10 / 70, rounded up: 1
To spare      1, for when one is lost: 2 in all
At least      3, the starting point for 100-500 requests/min
A rollout     starts 1 more: the memory is for 4, each 0.5 GB

Servers that are large enough, by the price list
  Our rack: none in the list
  Amazon Lightsail, Linux (2026-11): 4 vCPU, 16 GB for 84 USD a month
  DigitalOcean, Basic Droplet (2022-07): 4 vCPU, 8 GB for 48 USD a month

"""
        + TABLE
    )


def test_a_report_of_everything() -> None:
    demand = {
        "requests_per_second": 2000,
        "mean_seconds": 2,
        "p95_seconds": 5,
        "concurrent_streams": 4000,
        "waiting_seconds": 0.5,
    }
    lines = report(advise(demand))
    assert lines[0] == "Replicas      116, more than the 100 that one stack may have"
    assert lines[1] == "Server        116+ vCPUs, 61 GB+, $2417+ a month"
    begin = lines.index("How it was reckoned")
    assert lines[begin + 1 : begin + 10] == [
        "Traffic       120,000 requests/min of 2 s (p95 5 s), 4000 streams of 30 s",
        "At once       8,000 on average (Little's law: 2,000/s x 2 s + 4000)",
        "One replica   100 at once, planned to 70 %: 70",
        "For the load  8,000 / 70, rounded up: 115",
        "For waiting   115, so that a request waits 0.5 s at most on average (Erlang C)",
        "To spare      1, for when one is lost: 116 in all",
        "At least      8, the starting point for above 1000 requests/min",
        "A rollout     starts 1 more: the memory is for 117, each 0.5 GB",
        "              and waits for the streams of the old ones, 30 s",
    ]


def test_a_report_for_development() -> None:
    lines = report(advise({"mode": "development"}))
    assert lines[0] == "Replicas      1, as always with mode=development"
    assert lines[2] == "In use        1 % of what the replicas safely take"
    assert not [line for line in lines if line.startswith("To spare")]
