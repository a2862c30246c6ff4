# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules rollout_plan and rollout_step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    replace_link,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.modules import rollout_plan, rollout_step
from tests.unit.fakes.engine import NEVER_HEALTHY, Service
from tests.unit.fakes.host import IMAGE, STACK, SimulatedHost
from tests.unit.fakes.modules import Face


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with a release in force that wants three replicas, and a balancer."""
    there = SimulatedHost(tmp_path, monkeypatch)
    folder = Path(there.paths.releases, "1")
    folder.mkdir()
    write_text(str(folder / "stack.json"), json.dumps(STACK.as_dict()))
    replace_link(there.paths.release, "1")
    return there


@pytest.fixture(name="plan")
def plan_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module rollout_plan."""
    return Face(rollout_plan, there, monkeypatch)


@pytest.fixture(name="step")
def step_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module rollout_step."""
    return Face(rollout_step, there, monkeypatch)


@pytest.fixture(name="token")
def token_fixture(there: SimulatedHost) -> str:
    """The token of the deploy lock."""
    return DeployLock(there.paths).acquire("ana", "laptop", "deploy")[0]


def texts(result: dict[str, Any]) -> list[str]:
    return [step["text"] for step in result["steps"]]


def test_a_play_from_the_first_deploy_to_nothing_left(
    there: SimulatedHost, plan: Face, step: Face, token: str
) -> None:
    there.start_balancer()
    planned = plan.run()
    assert not planned["changed"], "planning changes nothing"
    done = [step.run(lock=token, step=one) for one in planned["steps"]]
    assert [one["text"] for one in done] == [
        "shop-app-1 healthy after 1.2 s, shop-app-2 healthy after 1.2 s, "
        "shop-app-3 healthy after 1.2 s",
        "in: shop-app-1, shop-app-2, shop-app-3; 3 members, generation 2",
    ]
    assert [(one["changed"], one["stale"]) for one in done] == [(True, False)] * 2
    again = plan.run()
    assert (again["steps"], again["diff"]["before"]) == ([], again["diff"]["after"])
    assert [(one["name"], one["member"], one["state"]) for one in again["replicas"]] == [
        (f"shop-app-{number}", True, "healthy") for number in (1, 2, 3)
    ]


def test_check_mode_tells_steps_and_changes_nothing(
    there: SimulatedHost, plan: Face, step: Face
) -> None:
    there.start_balancer([there.replica(revision="old")])
    planned = plan.run(check=True, target={**STACK.as_dict(), "count": 1})
    assert planned["changed"]
    assert texts(planned) == [
        "start until 1 of the wanted version are healthy",
        "join the healthy ones, take out shop-app-1",
        "drain shop-app-1",
        "stop shop-app-1",
    ]
    assert planned["diff"] == {
        "before_header": "replicas of shop",
        "after_header": "replicas of shop",
        "before": "shop-app-1: version 2, revision old, healthy, member\n",
        "after": "shop-app-2: version 2, revision new, healthy, member\n",
    }
    before = len(there.engine.calls)
    told = [step.run(check=True, lock="", step=one) for one in planned["steps"]]
    assert [one["text"] for one in told] == [f"would {text}" for text in texts(planned)]
    assert all(one["changed"] for one in told)
    assert len(there.engine.calls) == before


def test_a_plan_on_a_virgin_host(there: SimulatedHost, plan: Face) -> None:
    there.engine.failing["ping"] = docker.errors.DockerException("no such file")
    target = STACK.as_dict()
    assert len(plan.run(check=True, target=target)["steps"]) == 2
    assert "Docker's engine does not answer" in plan.fail(target=target)


def test_a_plan_needs_a_stack(plan: Face) -> None:
    assert plan.fail(stack="other").startswith("There is no stack other in ")
    assert plan.fail(target={"name": "shop"}).startswith("The description of the stack lacks port")


def test_a_stale_step_says_so(there: SimulatedHost, step: Face, token: str) -> None:
    one = there.replica()
    there.start_balancer([one])
    drain = {"action": "drain", "replicas": [one.id], "names": [one.name]}
    done = step.run(lock=token, step=drain)
    assert (done["changed"], done["stale"]) == (False, True)
    assert done["text"] == "it is a member again: plan again"


def test_a_step_that_fails_shows_the_reason(there: SimulatedHost, step: Face, token: str) -> None:
    there.start_balancer()
    there.engine.services["app"] = Service(
        "replica", "new", IMAGE, "2", behaviours=(NEVER_HEALTHY,), network="edge"
    )
    message = step.fail(lock=token, step={"action": "start", "count": 1})
    assert message.startswith("shop-app-1 did not become healthy within 60 s")
    assert message.endswith("Its last lines:\nloading\nstill loading")


def test_a_step_needs_the_lock(there: SimulatedHost, step: Face, token: str) -> None:
    start = {"action": "start", "count": 1}
    lost = "This run lost the lock of the stack shop: it is held by deploy by ana from laptop"
    assert step.fail(lock="another", step=start).startswith(lost)
    assert there.engine.of("app") == []


def test_a_step_that_nobody_planned_is_refused(
    there: SimulatedHost, step: Face, token: str
) -> None:
    there.start_balancer()
    assert step.fail(lock=token, step={"action": "explode"}) == (
        "value of action must be one of: start, join, drain, stop, got: explode found in step"
    )
    assert "missing required arguments: action" in step.fail(lock=token, step={})
