# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faces of the capacity calculation: two filters and two modules."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any, cast

import pytest

pytest.importorskip("ansible.cli", reason="the controller's side needs ansible-core")

from ansible.errors import AnsibleFilterError
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.filter import replica_count, server_size
from ansible_collections.digiz.load_balancing.plugins.module_utils import capacity_load
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import Capacity, advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_fields import Demand
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_report import report
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import Sent
from ansible_collections.digiz.load_balancing.plugins.modules import (
    capacity_info,
    capacity_measure,
)
from tests.unit.fakes.drill import World
from tests.unit.fakes.modules import Face

FILTERS = {
    **replica_count.FilterModule().filters(),
    **server_size.FilterModule().filters(),
}
# One request rate within each line of the starting points, and what the line says.
STARTING_POINTS = [
    (50, 2, 3, (2, 4), (4, 4), (25, 50)),
    (300, 3, 5, (4, 6), (8, 8), (50, 100)),
    (700, 5, 8, (6, 8), (12, 16), (100, 250)),
    (1500, 8, None, (12, None), (24, None), (250, None)),
]


def run(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        capacity_info.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("line", STARTING_POINTS, ids=lambda line: str(line[0]))
def test_the_filters_give_the_starting_points(line: Any) -> None:
    requests, low, high, *ranges = line
    demand = {"requests_per_minute": requests}
    assert FILTERS["replica_count"](demand) == low
    size = FILTERS["server_size"](demand)
    assert (size.pop("replicas_min"), size.pop("replicas_max")) == (low, high)
    assert list(size) == ["vcpus", "memory_gb", "monthly_cost"]
    assert [(one["min"], one["max"]) for one in size.values()] == ranges


def test_the_filter_as_the_design_has_it() -> None:
    assert FILTERS["replica_count"]({"requests_per_minute": 300, "mean_seconds": 2}) == 3
    assert FILTERS["replica_count"]({}) == 2


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_says_what_it_refuses(name: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        FILTERS[name]({"mean_seconds": -1})
    assert str(refused.value) == (
        f"{name}: mean_seconds: -1 is not allowed: a number from 0.001 to 3600. "
        "Set the variable capacity_mean_seconds."
    )


def test_the_module_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    demand = {"requests_per_minute": 300, "mean_seconds": 2, "waiting_seconds": 0.5}
    own = [
        {"name": "Ours", "plans": [{"name": "S", "vcpus": 4, "memory_gb": 8, "monthly_cost": 9}]}
    ]
    result = run(capsys, **demand, providers=own)
    capacity = advise(demand, own)
    assert not result["changed"]
    assert result["replicas"] == 3
    assert result["report"] == report(capacity)
    assert {key: result[key] for key in capacity.as_dict()} == capacity.as_dict()
    assert result["offers"][0]["plan"]["monthly_cost"] == 9


def test_the_modules_defaults_are_those_of_the_calculation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def advise_and_tell(given: object, providers: object) -> Capacity:
        asked.append(given)
        return advise(given, providers)

    monkeypatch.setattr(capacity_info, "advise", advise_and_tell)
    run(capsys)
    assert Demand.from_mapping(asked[0]) == Demand()


def test_the_module_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({}), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(capacity_info.__file__), run_name="__main__")
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["replicas"] == 2


def test_the_module_says_what_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, safe_concurrency=0)
    assert result["failed"]
    assert result["msg"] == (
        "safe_concurrency: 0 is not allowed: a whole number from 1 to 100000. "
        "Set the variable capacity_safe_concurrency."
    )


def test_the_module_that_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a replica that takes 3 requests at once."""
    world, loads = World(tmp_path), []

    def fake(*arguments: Any) -> list[Sent]:
        loads.append(arguments)
        return [Sent(0.0, 0.1 if arguments[3] <= 3 else 4.0, "")] * 10

    monkeypatch.setattr(capacity_load, "load", fake)
    face = Face(capacity_measure, cast(Any, world), monkeypatch)
    assert face.run(check=True)["msg"].endswith("; needs measure_confirm=true")
    assert face.fail().startswith("measure_confirm: false is not allowed")
    assert face.fail(most=0).startswith("measure_most: 0 is not allowed")
    assert loads == []
    result = face.run(confirm=True, most=8, path="/", step_seconds=2)
    assert not result["changed"]
    assert (result["safe_concurrency"], result["limit_found"]) == (3, True)
    assert result["replica"] == "shop-app-3"
    assert result["msg"] == "one replica takes 3 requests at once"
    assert result["report"][0] == f"Measured: {result['msg']}"
    assert result["steps"][0]["concurrency"] == 1
