# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as people and Ansible see it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.plan import describe, plan_stack
from tests.unit.fakes.engine import Behaviour
from tests.unit.fakes.host import STACK, SimulatedHost


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    return SimulatedHost(tmp_path, monkeypatch)


def test_the_replicas_before_and_after(there: SimulatedHost) -> None:
    old = there.replica(revision="old")
    there.replica(Behaviour(hung=True), "old")
    there.start_balancer([old])
    plan = plan_stack(dataclasses.replace(STACK, count=2), there.paths)
    assert describe(plan.before) == (
        "shop-app-1: version 2, revision old, healthy, member\n"
        "shop-app-2: version 2, revision old, ill\n"
    )
    assert describe(plan.after) == (
        "shop-app-2: version 2, revision new, healthy, member\n"
        "shop-app-3: version 2, revision new, healthy, member\n"
    )
    assert [step.action for step in plan.steps][:2] == ["drain", "stop"]
    assert plan.rows()[0] == {
        "id": old.id,
        "name": "shop-app-1",
        "version": "2",
        "revision": "old",
        "state": "healthy",
        "address": old.address,
        "member": True,
    }


def test_nothing_to_do_looks_the_same_before_and_after(there: SimulatedHost) -> None:
    there.start_balancer([there.replica() for _unused in range(3)])
    plan = plan_stack(STACK, there.paths)
    assert plan.steps == ()
    assert describe(plan.before) == describe(plan.after)


def test_an_image_that_is_still_to_be_made_is_planned_for(there: SimulatedHost) -> None:
    there.start_balancer([there.replica() for _unused in range(3)])
    plan = plan_stack(dataclasses.replace(STACK, image="shop:3", surge=3), there.paths)
    assert [step.action for step in plan.steps] == ["start", "join", "drain", "stop"]


def test_a_virgin_host_in_check_mode(there: SimulatedHost) -> None:
    there.engine.failing["ping"] = docker.errors.DockerException("no such file")
    plan = plan_stack(STACK, there.paths, engine_may_be_missing=True)
    assert [step.text for step in plan.steps] == [
        "start until 3 of the wanted version are healthy",
        "join the healthy ones",
    ]
    assert describe(plan.before) == ""
    assert describe(plan.after).splitlines()[0] == (
        "shop-app-1: version 2, revision new, healthy, member"
    )


def test_without_an_engine_nothing_is_planned_for_real(there: SimulatedHost) -> None:
    there.engine.failing["ping"] = docker.errors.DockerException("no such file")
    with pytest.raises(LoadBalancingError, match="Docker's engine does not answer: no such file"):
        plan_stack(STACK, there.paths)
