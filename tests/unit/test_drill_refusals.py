# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a drill may not begin, and what it says that it would do."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill import (
    Drill,
    Order,
    plan,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from tests.unit.fakes.drill import CRASH, QUIET, DrillTraffic, World


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A stack that is whole, with a keeper that mends it."""
    world = World(tmp_path)
    world.stand_in(monkeypatch)
    return world


def refusal(world: World, order: Order = CRASH) -> str:
    """Why it is not carried out; nothing may have been done then."""
    with pytest.raises(LoadBalancingError) as raised:
        Drill(world.paths, order).run()
    assert world.host.calls == []
    return str(raised.value)


# when it may not begin


def test_production_must_be_confirmed(world: World) -> None:
    assert refusal(world, replace(CRASH, confirmed=False)) == (
        "drill_confirm: false is not allowed with mode=production: the stack shop serves users, "
        "and a part of it is broken on purpose. Set the variable drill_confirm to true."
    )


def test_development_needs_no_confirmation(world: World) -> None:
    assert Drill(world.paths, replace(CRASH, mode="development", confirmed=False)).run().mended


def test_there_is_no_stack(world: World) -> None:
    os.unlink(world.paths.release)
    assert refusal(world) == (
        f"There is no stack shop in {world.paths.root}. "
        "Run the playbook deploy first, or correct stack_name."
    )


def test_no_keeper_answers(world: World) -> None:
    world.silent = True
    assert refusal(world) == (
        "The keeper of the stack shop does not answer on 127.0.0.1:28080, so nobody would mend "
        "what a drill breaks. Set the variable keeper_enabled to true and run the playbook deploy."
    )


def test_the_stack_is_not_whole(world: World) -> None:
    world.state.update(state="degraded", text="2 of 3 replicas are healthy")
    assert refusal(world) == (
        "The stack shop is degraded: 2 of 3 replicas are healthy. "
        "A drill begins with a stack that is whole. Run the playbook verify."
    )


def test_a_deploy_is_at_work(world: World) -> None:
    lock = DeployLock(world.paths, clock=world.clock.time)
    lock.acquire("ben", "office", "deploy")
    owner = lock.owner()
    assert owner is not None
    assert refusal(world) == (
        f"The stack shop is being changed: {owner.describe(world.clock.time())}. "
        "Wait for it to end, then run this again; run the playbook deploy if it is dead."
    )


def test_another_drill_is_at_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "_LOCK_TIMEOUT", 0.0)
    path = os.path.join(world.paths.state, "drill.lock")
    with open(path, "w", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert refusal(world).startswith(f"Another process holds {path} for more than 0 s.")


def test_something_has_begun_since_it_was_prepared(world: World) -> None:
    one = Drill(world.paths, CRASH)
    world.state["state"] = "degraded"
    with pytest.raises(LoadBalancingError, match="begins with a stack that is whole"):
        one.run()
    assert not one.injected


def test_requests_fail_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = DrillTraffic("", "", 0, ())
    made.before = replace(QUIET, sent=100, kinds={"429": 3, "502": 1})
    monkeypatch.setattr(drill, "Traffic", lambda *_unused: made)
    assert refusal(world, replace(CRASH, path="/api")) == (
        "4 of 100 requests to /api failed before the fault (429 3, 502 1). Nothing was broken. "
        "Correct drill_path, lower drill_rate, or run the playbook verify."
    )
    assert made.done == ["start", "stop"]


@pytest.mark.parametrize(
    ("changes", "text"), [({"rate": 0}, "drill_rate: 0 is not"), ({"path": "x"}, "drill_path: 'x'")]
)
def test_values_that_are_not_allowed(world: World, changes: dict[str, Any], text: str) -> None:
    assert refusal(world, replace(CRASH, **changes)).startswith(text)
    with pytest.raises(LoadBalancingError, match=text):
        plan(world.paths, replace(CRASH, **changes))


# what it would do


@pytest.mark.parametrize(
    ("fault", "does"),
    [
        ("crash", "shop-app-1 is killed (SIGKILL)"),
        ("stop", "shop-app-1 is stopped, as by docker stop"),
        ("hang", "shop-app-1 hangs (SIGSTOP)"),
        ("sick", "shop-app-1 is sick: the keeper counts its probes as failed"),
        ("network", "shop-app-1 is cut off its network"),
        ("balancer", "shop-balancer-1 is killed (SIGKILL)"),
        ("engine", "Docker's engine is restarted"),
    ],
)
def test_what_it_would_do(world: World, fault: str, does: str) -> None:
    text = f"{fault}: {does}, under 50 requests/s to /health"
    assert plan(world.paths, Order(fault, confirmed=True)) == (text, True)
    assert plan(world.paths, Order(fault)) == (f"{text}; needs drill_confirm=true", True)
    assert world.host.calls == []
    assert not Path(world.paths.state, "audit.log").exists()


def test_what_it_would_do_without_a_stack(world: World) -> None:
    os.unlink(world.paths.release)
    text = "crash: there is no stack shop yet that could be broken"
    assert plan(world.paths, CRASH) == (text, False)
