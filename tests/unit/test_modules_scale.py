# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules scale_advice and scale_record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils import scaling
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    THRESHOLD_FIELDS,
)
from ansible_collections.digiz.load_balancing.plugins.modules import scale_advice, scale_record
from tests.unit.fakes.host import SimulatedHost
from tests.unit.fakes.modules import Face
from tests.unit.test_scaling import BUSY, take_into_force


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which a stack of three was deployed, whose keeper sees a high load."""
    monkeypatch.setattr(scale_advice, "keeper_status", lambda _port: BUSY)
    host = SimulatedHost(tmp_path, monkeypatch)
    host.paths.create()
    take_into_force(host.paths, 3)
    return host


@pytest.fixture(name="advice")
def advice_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module scale_advice."""
    return Face(scale_advice, there, monkeypatch)


@pytest.fixture(name="memory")
def memory_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module scale_record."""
    return Face(scale_record, there, monkeypatch)


@pytest.mark.parametrize("check", [True, False])
def test_advice(advice: Face, check: bool) -> None:
    result = advice.run(check)
    assert result["msg"] == "up to 4: CPU 82 % > 70 %"
    assert (result["before"], result["replicas"], result["direction"]) == (3, 4, "up")
    assert (result["changed"], result["needed"]) == (check, True)
    assert result["diff"]["before"] == "3\n"
    assert result["observation"]["cpu_percent"] == 82
    assert result["thresholds"].keys() == THRESHOLD_FIELDS.keys()


def test_what_is_told_is_documented(advice: Face) -> None:
    documented = yaml.safe_load(scale_advice.RETURN)
    result = advice.run()
    assert documented.keys() == result.keys() - {"changed", "diff", "invocation"}
    assert documented["observation"]["sample"].keys() == result["observation"].keys()
    text = scale_advice.DOCUMENTATION
    assert [name for name in THRESHOLD_FIELDS if f"C(scale_{name})" not in text] == []


def test_limits_of_ones_own(advice: Face) -> None:
    result = advice.run(check=True, thresholds={"max_replicas": 3, "scale_up_cpu_percent": 60})
    assert result["msg"] == "stays at 3: CPU 82 % > 60 %; but scale_max_replicas is 3"
    assert (result["changed"], result["needed"]) == (False, False)


def test_a_number(advice: Face) -> None:
    assert advice.run(replicas="7")["msg"] == "up to 7: as asked for"


def test_a_deploy(advice: Face, there: SimulatedHost) -> None:
    assert advice.run(deploy=True)["replicas"] == 3
    os.unlink(there.paths.release)
    result = advice.run(check=True, deploy=True, thresholds={"min_replicas": 4})
    assert (result["replicas"], result["before"], result["observation"]) == (4, 0, {})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"replicas": "some"}, "replicas: 'some' is not allowed"),
        ({"thresholds": {"min_replicas": 0}}, "scale_min_replicas: 0 is not allowed"),
    ],
)
def test_values_that_are_not_allowed(advice: Face, options: dict[str, Any], text: str) -> None:
    assert advice.fail(**options).startswith(text)


def test_a_keeper_that_does_not_answer(advice: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_advice, "keeper_status", lambda _port: {})
    assert advice.fail().startswith("replicas: auto needs the keeper of the stack shop")


def test_a_change_is_remembered(advice: Face, memory: Face, there: SimulatedHost) -> None:
    result = memory.run(advice=advice.run(), who="ana", where="laptop")
    assert result["changed"]
    assert result["msg"] == "3 to 4 replicas: CPU 82 % > 70 %"
    kept = json.loads(Path(scaling.history_file(there.paths)).read_text(encoding="utf-8"))
    assert json.loads(result["diff"]["after"]) == kept
    (change,) = kept["changes"]
    assert (change["before"], change["after"], change["causes"]) == (3, 4, ["cpu"])
    assert change["requests_per_minute"] == BUSY["load"]["requests_per_minute"]


def test_check_mode_remembers_nothing(advice: Face, memory: Face, there: SimulatedHost) -> None:
    assert memory.run(check=True, advice=advice.run())["changed"]
    assert not os.path.exists(scaling.history_file(there.paths))


def test_something_else_is_not_remembered(memory: Face) -> None:
    assert memory.fail(advice={"replicas": 4}).startswith("advice: this value is not allowed")
