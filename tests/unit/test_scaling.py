# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many replicas a stack on this host should have, and what is remembered of that."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import scaling
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    DEPLOYED,
    PENDING,
    Release,
    Releases,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    Change,
    History,
    Thresholds,
)
from tests.unit.fakes.host import STACK, STATIC
from tests.unit.test_scaling_data import LOAD, STATUS

LIMITS = Thresholds()
BUSY: dict[str, Any] = {**STATUS, "healthy": 3, "age": 0.4, "load": {**LOAD, "cpu_percent": 82.0}}
CHANGE = Change(STATUS["time"] - 60, 2, 3, ("cpu",), 440.0, ("CPU 82 % > 70 %",))  # type: ignore[operator]


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> StackPaths:
    """A stack of three replicas that was deployed."""
    paths = StackPaths("shop", str(tmp_path))
    paths.create()
    take_into_force(paths, 3)
    return paths


def take_into_force(paths: StackPaths, count: int, status: str = DEPLOYED, **changes: Any) -> None:
    releases = Releases(paths)
    stack = replace(STACK, count=count, **changes)
    number = releases.add(Release({"services": {}}, STATIC, stack, {}), "ana")
    releases.take_into_force(number)
    releases.mark(number, status)


def decide(paths: StackPaths, wanted: object = "auto", **status: Any) -> scaling.Decision:
    return scaling.decide(paths, wanted, LIMITS, lambda _port: {**BUSY, **status})


def test_the_keeper_is_asked(paths: StackPaths) -> None:
    asked = []

    def read(port: int) -> dict[str, Any]:
        asked.append(port)
        return dict(BUSY)

    decision = scaling.decide(paths, "auto", LIMITS, read)
    assert asked == [STACK.keeper_port]
    assert decision.text == "up to 4: CPU 82 % > 70 %"
    assert decision.needed
    assert decision.as_dict() == {
        "before": 3,
        "replicas": 4,
        "direction": "up",
        "reasons": ["CPU 82 % > 70 %"],
        "causes": ["cpu"],
        "needed": True,
        "observation": decision.observation.as_dict(),  # type: ignore[union-attr]
    }
    assert (decision.diff()["before"], decision.diff()["after"]) == ("3\n", "4\n")


def test_staying_needs_nothing(paths: StackPaths) -> None:
    decision = decide(paths, load={**LOAD, "cpu_percent": 50})
    assert (decision.advice.direction, decision.needed) == ("stay", False)


def test_the_number_of_the_release_counts(paths: StackPaths) -> None:
    """The keeper may not have seen a release that has just come into force."""
    take_into_force(paths, 5)
    assert decide(paths).text == "stays at 5: 3 of 5 replicas are healthy"


def test_what_is_remembered_counts(paths: StackPaths) -> None:
    scaling.record(paths, CHANGE, "ana", "laptop", dry=False)
    assert "scale_cooldown_up is 300 s" in decide(paths).text


def test_what_was_left_undone_is_done(paths: StackPaths) -> None:
    take_into_force(paths, 4, PENDING)
    decision = decide(paths)
    text = "stays at 4: release 2 was not carried out to its end, this run does it"
    assert (decision.text, decision.needed) == (text, True)
    decision = decide(paths, deploy="scale by ana")
    text = "stays at 4: the stack is being changed: scale by ana"
    assert (decision.text, decision.needed) == (text, False)


@pytest.mark.parametrize(
    ("wanted", "text", "causes"),
    [
        (7, "up to 7: as asked for", ("operator",)),
        ("2", "down to 2: as asked for", ("operator",)),
        (3, "stays at 3: as asked for", ()),
    ],
)
def test_a_number_is_taken_as_it_is(
    paths: StackPaths, wanted: object, text: str, causes: tuple[str, ...]
) -> None:
    def never(_port: int) -> dict[str, Any]:
        raise AssertionError

    decision = scaling.decide(paths, wanted, LIMITS, never)
    assert (decision.text, decision.needed) == (text, True)
    assert decision.advice.causes == causes
    assert decision.as_dict()["observation"] == {}


def refused(paths: StackPaths, status: dict[str, Any], wanted: object = "auto") -> str:
    with pytest.raises(LoadBalancingError) as error:
        scaling.decide(paths, wanted, LIMITS, lambda _port: status)
    return str(error.value)


SILENT = (
    "replicas: auto needs the keeper of the stack shop, which tells the load, and it does not "
    f"answer on 127.0.0.1:{STACK.keeper_port}. See the service digiz-keeper-shop, or set the "
    "variable keeper_enabled to true and run the playbook deploy."
)


def test_without_a_keeper(paths: StackPaths) -> None:
    assert refused(paths, {}) == SILENT
    take_into_force(paths, 3, keeper_enabled=False)
    assert refused(paths, BUSY) == SILENT


def test_a_keeper_that_does_not_answer(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def silent(*arguments: object) -> dict[str, Any]:
        asked.append(arguments)
        return {}

    monkeypatch.setattr(scaling, "get_json", silent)
    with pytest.raises(LoadBalancingError) as error:
        scaling.decide(paths, "auto", LIMITS)
    assert str(error.value) == SILENT
    assert asked == [(STACK.keeper_port, "/status.json", 2.0)]


def test_a_keeper_that_stands_still(paths: StackPaths) -> None:
    assert refused(paths, {**BUSY, "age": 61.2}) == (
        "The keeper of the stack shop last looked 61 s ago, so it does not know the load. "
        "See the service digiz-keeper-shop."
    )


def test_a_keeper_without_the_load(paths: StackPaths) -> None:
    status = {key: value for key, value in BUSY.items() if key != "load"}
    assert refused(paths, status).startswith("The keeper's status says nothing of the load")


def test_without_a_stack(tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path))
    assert refused(paths, BUSY).startswith(f"There is no stack shop in {paths.root}.")
    assert refused(paths, BUSY, 7).startswith(f"There is no stack shop in {paths.root}.")


@pytest.mark.parametrize("wanted", [0, 101, "many", None, [3], "Auto"])
def test_numbers_that_are_not_allowed(paths: StackPaths, wanted: object) -> None:
    assert refused(paths, BUSY, wanted) == (
        f"replicas: {wanted!r} is not allowed: a whole number from 1 to 100, or auto. "
        "Set the variable replicas."
    )


def test_a_deploy_keeps_the_number(paths: StackPaths) -> None:
    decision = scaling.keep(paths, Thresholds(max_replicas=2))
    assert decision.text == "stays at 3: a deploy with replicas=auto keeps the number"
    older = os.path.join(paths.release, "stack.json")
    Path(older).write_text('{"count": 6}', encoding="utf-8")
    assert scaling.keep(paths, LIMITS).advice.replicas == 6


@pytest.mark.parametrize("content", ["", "{", '{"count": "3"}', '{"count": 0}'])
def test_a_deploy_where_there_is_no_number(paths: StackPaths, content: str) -> None:
    Path(paths.release, "stack.json").write_text(content, encoding="utf-8")
    decision = scaling.keep(paths, Thresholds(min_replicas=4))
    assert decision.text == "up to 4: there is no number to keep, scale_min_replicas is 4"


def test_the_first_deploy_takes_the_least_number(tmp_path: Path) -> None:
    decision = scaling.keep(StackPaths("shop", str(tmp_path)), LIMITS)
    assert (decision.before, decision.advice.replicas, decision.needed) == (0, 2, True)


def test_a_change_is_remembered(paths: StackPaths) -> None:
    diff = scaling.record(paths, CHANGE, "ana", "laptop", dry=False)
    assert scaling.read_history(paths) == History((CHANGE,))
    assert json.loads(diff["before"]) == {"changes": []}
    assert json.loads(diff["after"])["changes"][0]["after"] == 3
    path = scaling.history_file(paths)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert Path(path).read_text(encoding="utf-8") == diff["after"]
    audit = Path(paths.state, "audit.log").read_text(encoding="utf-8")
    assert audit.endswith("ana@laptop scaling: 2 to 3 replicas: CPU 82 % > 70 %\n")


def test_a_dry_run_remembers_nothing(paths: StackPaths) -> None:
    assert scaling.record(paths, CHANGE, "ana", "laptop", dry=True)["after"]
    assert os.listdir(paths.state) == ["members.json"]


def test_a_damaged_history_is_none(paths: StackPaths) -> None:
    Path(scaling.history_file(paths)).write_text("{", encoding="utf-8")
    assert scaling.read_history(paths) == History()
    assert decide(paths).advice.direction == "up"
