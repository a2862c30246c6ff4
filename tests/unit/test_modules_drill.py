# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module drill."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill as domain
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_faults import FAULTS
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.modules import drill
from tests.unit.fakes.drill import QUIET, DrillTraffic, Inline, World
from tests.unit.fakes.modules import Face

TOLD = {"report", "fault", "victim", "mended", "out_seconds", "whole_seconds", "fault_at"}
FIRST = f"{1:064x}"


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A stack with a keeper that mends it."""
    world = World(tmp_path)
    monkeypatch.setattr(domain, "Traffic", DrillTraffic)
    monkeypatch.setattr(domain, "time", world.clock)
    monkeypatch.setattr(domain, "ThreadPoolExecutor", Inline)
    monkeypatch.setattr(domain, "keeper_status", lambda _port: world.status())
    monkeypatch.setattr(DockerHost, "connect", lambda _paths: world.host)
    return world


@pytest.fixture(name="face")
def face_fixture(world: World, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module, whose stacks lie there."""
    return Face(drill, cast(Any, world), monkeypatch)


def test_a_drill(face: Face, world: World) -> None:
    result = face.run(fault="crash", confirm=True, who="ana", where="laptop")
    assert result.keys() >= TOLD
    assert result["changed"]
    assert result["mended"]
    assert result["msg"] == (
        "crash: shop-app-1 out of rotation after 4.1 s, whole again after 17.3 s; "
        "0 of 1,204 requests failed, longest pause 0.4 s"
    )
    assert result["report"][-1] == "answers took 3 ms (p50), 9 ms (p95), 1,204 ms at most"
    assert result["requests"] == {**QUIET.as_dict(), "failed": 0}
    audit = Path(world.paths.state, "audit.log").read_text("utf-8")
    assert "ana@laptop drill: crash of shop-app-1\n" in audit


def test_what_is_told_is_documented(face: Face) -> None:
    documented = yaml.safe_load(drill.RETURN)
    result = face.run(fault="crash", confirm=True)
    assert documented.keys() == result.keys() - {"changed", "invocation"}
    assert documented["requests"]["contains"].keys() == result["requests"].keys()


def test_the_choices_are_the_faults() -> None:
    options = yaml.safe_load(drill.DOCUMENTATION)["options"]
    assert options["fault"]["choices"] == list(FAULTS)


def test_a_drill_that_nobody_mends_fails(face: Face, world: World) -> None:
    world.restart_after = world.whole_after = float("inf")
    result = face.run(fault="crash", mode="development")
    assert result["failed"]
    assert result["changed"]
    assert result["msg"].startswith(
        "crash: shop-app-1 out of rotation after 4.1 s, not whole again within 90 s"
    )
    assert result["whole_seconds"] is None
    assert world.host.calls[-1] == ("start", FIRST)


def test_production_must_be_confirmed(face: Face, world: World) -> None:
    result = face.run(fault="crash")
    assert result["failed"]
    assert not result["changed"]
    assert result["msg"].endswith("Set the variable drill_confirm to true.")
    assert world.host.calls == []


def test_a_fault_that_cannot_be_injected(face: Face, world: World) -> None:
    world.host.failing["signal"] = LoadBalancingError("Docker's engine refused: no.")
    result = face.run(fault="crash", confirm=True)
    assert result["failed"]
    assert result["changed"]
    assert result["msg"] == "Docker's engine refused: no."


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rate": 500}, "drill_rate: 500 is not allowed"),
        ({"path": "health"}, "drill_path: 'health' is not allowed"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_values_that_are_not_allowed(
    face: Face, options: dict[str, Any], text: str, check: bool
) -> None:
    assert face.fail(check, fault="crash", confirm=True, **options).startswith(text)


def test_check_mode(face: Face, world: World) -> None:
    result = face.run(check=True, fault="hang", rate=7, path="/api")
    assert result["changed"]
    assert result["msg"] == (
        "hang: shop-app-1 hangs (SIGSTOP), under 7 requests/s to /api; needs drill_confirm=true"
    )
    assert world.host.calls == []


def test_check_mode_on_a_host_that_has_nothing_yet(face: Face, world: World) -> None:
    os.unlink(world.paths.release)
    result = face.run(check=True, fault="hang")
    assert not result["changed"]
    assert result["msg"] == "hang: there is no stack shop yet that could be broken"


def test_check_mode_says_why_it_could_not_begin(face: Face, world: World) -> None:
    world.silent = True
    assert face.fail(check=True, fault="hang").startswith("The keeper of the stack shop does not")
