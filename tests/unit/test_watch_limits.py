# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits, and which of them are broken."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import (
    Limits,
    breaches,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import read_picture
from tests.unit.fakes.watched import load_of, loaded, replica, status


def texts(data: dict[str, Any], **limits: float) -> list[str]:
    return [one.text for one in breaches(read_picture(data), Limits(**limits))]


def test_a_stack_that_is_well_breaks_nothing() -> None:
    assert texts(status()) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            loaded(response_p95=2.3456),
            ["the response time p95 is 2.346 s, the limit is 2 s (alert_p95_seconds)"],
        ),
        (
            loaded(error_percent=1.5),
            ["the errors are 1.5 %, the limit is 1 % (alert_error_percent)"],
        ),
        (
            loaded(cpu_percent=80.01),
            ["the use of CPU is 80.01 %, the limit is 80 % (alert_cpu_percent)"],
        ),
        (
            loaded(memory_percent=91, replicas={"shop-app-2": load_of(memory_percent=91)}),
            ["the use of memory is 91 % (shop-app-2), the limit is 80 % (alert_memory_percent)"],
        ),
        (
            loaded(memory_percent=91, replicas={}),
            ["the use of memory is 91 %, the limit is 80 % (alert_memory_percent)"],
        ),
        (
            status(state="degraded", text="…", replicas=[replica(1), replica(2, state="ill")]),
            [
                "the state is degraded, not ok: …",
                "1 replicas are healthy, 2 are wanted (replicas)",
            ],
        ),
        (status(state="blind", text="no engine"), ["the state is blind, not ok: no engine"]),
        (
            status(age=75.2),
            [
                "the keeper has not looked at the replicas for 75 s, the limit is 60 s "
                "(keeper_enabled)"
            ],
        ),
    ],
)
def test_what_is_broken(data: dict[str, Any], expected: list[str]) -> None:
    assert texts(data) == expected


def test_a_limit_may_be_reached() -> None:
    at_most = {"response_p95": 2, "cpu_percent": 80, "memory_percent": 80, "error_percent": 1}
    assert texts(loaded(**at_most)) == []


def test_what_nobody_knows_breaks_nothing() -> None:
    assert texts(loaded(response_p95=None, cpu_percent=None, memory_percent=None)) == []


def test_during_a_deploy_replicas_may_be_missing() -> None:
    missing = status(state="degraded", deploy="deploy by root", replicas=[replica(1)])
    assert texts(missing) == []
    assert len(texts({**missing, "balancer_running": False})) == 2
    assert len(texts({**missing, "state": "down"})) == 2


def test_in_maintenance_errors_do_not_count() -> None:
    data = loaded(error_percent=100.0)
    assert texts({**data, "maintenance": True}) == []


NAMES = tuple(asdict(Limits()))
SETS = st.fixed_dictionaries(dict.fromkeys(NAMES, st.floats(0, 300)))


@given(SETS, SETS)
def test_a_figure_breaks_its_own_limit_alone(
    limits: dict[str, float], now: dict[str, float]
) -> None:
    data = loaded(**{**now, "response_p95": now["p95_seconds"]})
    found = {one.what: one for one in breaches(read_picture(data), Limits(**limits))}
    assert set(found) == {name for name in NAMES if now[name] > limits[name]}
    for name, one in found.items():
        assert (one.value, one.limit, one.variable) == (now[name], limits[name], f"alert_{name}")


def test_limits_that_are_given() -> None:
    assert Limits.from_mapping({}) == Limits()
    given_limits = Limits.from_mapping({"cpu_percent": 70, "p95_seconds": None})
    assert given_limits == Limits(cpu_percent=70.0)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("cpu_percent", 0, "a number from 1 to 1000"),
        ("memory_percent", 101, "a number from 1 to 100"),
        ("error_percent", -1, "a number from 0 to 100"),
        ("p95_seconds", "soon", "a number from 0.01 to 60"),
    ],
)
def test_limits_that_are_refused(name: str, value: object, text: str) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        Limits.from_mapping({name: value})
    assert str(refused.value) == (
        f"alert_{name}: {value!r} is not allowed: {text}. Set the variable alert_{name}."
    )
