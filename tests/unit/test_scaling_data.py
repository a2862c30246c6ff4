# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits, observations and histories of scaling where they enter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import LoadWindow
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    KEPT,
    THRESHOLD_FIELDS,
    WINDOW,
    Change,
    History,
    Observation,
    Thresholds,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import resolve

SPECS = yaml.safe_load(
    (
        Path(__file__).resolve().parents[2] / "roles" / "settings" / "meta" / "argument_specs.yml"
    ).read_text(encoding="utf-8")
)["argument_specs"]
LOAD: dict[str, Any] = {
    "window_seconds": 300.0,
    "covered_seconds": 120.5,
    "requests": 900,
    "limited": 0,
    "requests_per_minute": 448.1,
    "response_p50": 0.2,
    "response_p95": 0.8,
    "error_percent": 0.4,
    "cpu_percent": 55.5,
    "memory_percent": None,
    "replicas": {},
}
STATUS = {
    "time": 1_800_000_000.5,
    "wanted": 3,
    "healthy": 2,
    "deploy": "",
    "maintenance": False,
    "load": LOAD,
}
CHANGE = Change(5.5, 3, 4, ("cpu",), 440.0, ("CPU 82 % > 70 %",))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


def fault(**given_values: Any) -> str:
    with pytest.raises(LoadBalancingError) as error:
        Thresholds.from_mapping(given_values)
    return str(error.value)


def test_the_defaults_are_those_of_the_contract() -> None:
    assert Thresholds.from_mapping({}) == Thresholds()
    for playbook in ("deploy", "scale"):
        options = SPECS[playbook]["options"]
        defaults = {name: options[f"scale_{name}"]["default"] for name in THRESHOLD_FIELDS}
        assert defaults == vars(Thresholds())
        assert resolve(playbook, options, {})["scaling"] == defaults


def test_names_with_and_without_the_prefix() -> None:
    found = Thresholds.from_mapping({"scale_max_replicas": "5", "up_cpu_percent": "62.5"})
    assert found == Thresholds(max_replicas=5, up_cpu_percent=62.5)


@pytest.mark.parametrize(
    ("given_values", "text"),
    [
        (
            {"min_replicas": 0},
            "scale_min_replicas: 0 is not allowed: a whole number from 1 to 100. "
            "Set the variable scale_min_replicas.",
        ),
        (
            {"max_replicas": "many"},
            "scale_max_replicas: 'many' is not allowed: a whole number from 1 to 100. "
            "Set the variable scale_max_replicas.",
        ),
        (
            {"scale_up_cpu_percent": 100},
            "scale_up_cpu_percent: 100 is not allowed: a number from 5 to 95. "
            "Set the variable scale_up_cpu_percent.",
        ),
        (
            {"cooldown_up": 299},
            "scale_cooldown_up: 299 is not allowed: a whole number of seconds from 300 to 86400. "
            "Set the variable scale_cooldown_up.",
        ),
        (
            {"min_replicas": 5, "max_replicas": 4},
            "scale_min_replicas: 5 is not allowed: at most scale_max_replicas, which is 4. "
            "Set the variable scale_min_replicas or scale_max_replicas.",
        ),
        (
            {"down_cpu_percent": 70, "down_requests_per_minute": 166.7},
            "scale_down_cpu_percent: 70 is not allowed: less than scale_up_cpu_percent, which is "
            "70. Set the variable scale_down_cpu_percent or scale_up_cpu_percent.\n"
            "scale_down_requests_per_minute: 166.7 is not allowed: less than "
            "scale_up_requests_per_minute, which is 166.7. Set the variable "
            "scale_down_requests_per_minute or scale_up_requests_per_minute.",
        ),
        (
            {"up_cpu": 1},
            "scale_up_cpu: unknown. There is scale_min_replicas, scale_max_replicas, "
            "scale_up_response_seconds, scale_up_cpu_percent, scale_up_memory_percent, "
            "scale_up_requests_per_minute, scale_up_error_percent, scale_down_cpu_percent, "
            "scale_down_requests_per_minute, scale_cooldown_up, scale_cooldown_down.",
        ),
    ],
)
def test_limits_that_are_not_allowed(given_values: dict[str, Any], text: str) -> None:
    assert fault(**given_values) == text


def test_all_faults_at_once() -> None:
    lines = fault(min_replicas=0, up_memory_percent="x").splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "scale_min_replicas",
        "scale_up_memory_percent",
    ]


@pytest.mark.parametrize("playbook", ["deploy", "scale"])
def test_the_gate_finds_limits_that_do_not_fit(playbook: str) -> None:
    options = SPECS[playbook]["options"]
    with pytest.raises(
        LoadBalancingError, match=r"^scale_min_replicas: 11 is not allowed: at most"
    ):
        resolve(playbook, options, {"scale_min_replicas": 11})
    with pytest.raises(LoadBalancingError, match=r"^scale_cooldown_up: 1 is not allowed: a whole"):
        resolve(playbook, options, {"scale_cooldown_up": 1, "scale_min_replicas": 11})


def test_what_the_keeper_saw() -> None:
    assert Observation.from_status(STATUS) == Observation(
        time=1_800_000_000.5,
        replicas=3,
        healthy=2,
        requests=900,
        requests_per_minute=448.1,
        error_percent=0.4,
        response_p95=0.8,
        cpu_percent=55.5,
        memory_percent=None,
        window_seconds=300.0,
        covered_seconds=120.5,
    )


def test_what_a_limit_refused_is_no_load_of_replicas() -> None:
    seen = Observation.from_status({**STATUS, "load": {**LOAD, "limited": 675}})
    assert seen.requests == 225
    assert seen.requests_per_minute == pytest.approx(448.1 / 4)
    seen = Observation.from_status({**STATUS, "load": {**LOAD, "requests": 0}})
    assert (seen.requests, seen.requests_per_minute) == (0, 448.1)


def test_the_load_is_what_the_keeper_tells() -> None:
    told = LoadWindow().as_dict([])
    seen = Observation.from_status({**STATUS, "load": told})
    assert (seen.requests, seen.window_seconds, seen.cpu_percent) == (0, 300, None)
    assert told["window_seconds"] == WINDOW


def test_an_older_keeper() -> None:
    with pytest.raises(LoadBalancingError) as error:
        Observation.from_status({**STATUS, "load": None})
    assert str(error.value) == (
        "The keeper's status says nothing of the load: it is of an older version, or does not read "
        "the access log yet. Run the playbook deploy."
    )


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        ({"requests": None}, "TypeError"),
        ({"error_percent": "much"}, "ValueError"),
        ({"cpu_percent": float("nan")}, "ValueError: nan is no amount"),
        ({"requests_per_minute": -1}, "ValueError: -1.0 is no amount"),
    ],
)
def test_a_load_that_cannot_be_read(load: dict[str, Any], reason: str) -> None:
    with pytest.raises(LoadBalancingError) as error:
        Observation.from_status({**STATUS, "load": {**LOAD, **load}})
    assert str(error.value).startswith(f"The keeper's status cannot be read ({reason}")
    assert str(error.value).endswith("it is of another version. Run the playbook deploy.")


@given(st.dictionaries(st.sampled_from([*STATUS, *LOAD]), json_values), json_values)
def test_any_status_is_read_or_refused(changes: dict[str, Any], load: Any) -> None:
    with_load = {**STATUS, **changes}
    for status in (with_load, {**with_load, "load": {**LOAD, **changes}}, {**STATUS, "load": load}):
        try:
            seen = Observation.from_status(status)
        except LoadBalancingError:
            continue
        assert seen.replicas >= 1
        assert seen.requests_per_minute >= 0


def test_an_observation_is_json() -> None:
    seen = Observation.from_status(STATUS)
    assert Observation(**json.loads(json.dumps(seen.as_dict()))) == seen


def test_a_history_is_json() -> None:
    history = History((CHANGE,))
    assert History.from_mapping(json.loads(json.dumps(history.as_dict()))) == history


def test_a_history_is_bounded() -> None:
    history = History()
    for number in range(KEPT + 7):
        history = history.with_change(Change(float(number), 1, 2))
    assert [change.time for change in history.changes] == list(range(7, KEPT + 7))


@given(json_values, json_values)
def test_what_is_damaged_is_left_out(damaged: Any, row: Any) -> None:
    rows = [damaged, CHANGE.as_dict(), {**CHANGE.as_dict(), "before": row}]
    assert CHANGE in History.from_mapping({"changes": rows}).changes
    assert isinstance(History.from_mapping({"changes": damaged}), History)


def test_the_last_change_is_the_newest_of_the_past() -> None:
    history = History((Change(9, 4, 5), Change(5, 3, 4), Change(100, 5, 6)))
    assert history.last(50) == Change(9, 4, 5)
    assert history.last(1) is None
    assert History().last(1) is None


def test_a_change_out_of_advice() -> None:
    advice = {
        "before": 3,
        "replicas": 4,
        "causes": ["cpu"],
        "reasons": ["CPU 82 % > 70 %"],
        "observation": {"requests_per_minute": 440.0},
    }
    assert Change.of_advice(advice, 5.5) == CHANGE
    assert CHANGE.text == "3 to 4 replicas: CPU 82 % > 70 %"
    assert Change.of_advice({**advice, "observation": {}}, 5.5).requests_per_minute == 0


@pytest.mark.parametrize("advice", [{}, {"before": 3, "causes": None}, {"observation": "none"}])
def test_something_else_than_advice(advice: dict[str, Any]) -> None:
    with pytest.raises(LoadBalancingError) as error:
        Change.of_advice(advice, 5.5)
    text = "advice: this value is not allowed: what the module scale_advice returned."
    assert str(error.value) == text


TIMER = {"scale_auto": True, "scale_auto_interval": 90, "scale_max_replicas": 5}


def test_a_timer_gets_what_the_playbook_needs() -> None:
    """It has no inventory: all options of the playbook scale but those that only read names."""
    options = SPECS["deploy"]["options"]
    timer = resolve("deploy", options, TIMER)["scaling_timer"]
    assert (timer["wanted"], timer["interval"]) == (True, 90)
    wanted = SPECS["scale"]["options"].keys() - {"settings_other_variables"}
    assert timer["variables"].keys() == wanted
    assert timer["variables"]["scale_max_replicas"] == 5
    scale = resolve("scale", SPECS["scale"]["options"], timer["variables"])
    assert (scale["replicas"], scale["scaling"]["max_replicas"]) == ("auto", 5)


@pytest.mark.parametrize("changes", [{"scale_auto": False}, {"mode": "development"}])
def test_no_timer(changes: dict[str, Any]) -> None:
    timer = resolve("deploy", SPECS["deploy"]["options"], {**TIMER, **changes})["scaling_timer"]
    assert not timer["wanted"]


def test_a_timer_needs_a_keeper() -> None:
    with pytest.raises(LoadBalancingError) as error:
        resolve("deploy", SPECS["deploy"]["options"], {**TIMER, "keeper_enabled": "no"})
    assert str(error.value) == (
        "scale_auto: true is not allowed with keeper_enabled=false: the keeper tells the load. "
        "Set the variable scale_auto or keeper_enabled."
    )
