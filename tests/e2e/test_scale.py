# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scaling under traffic, by a number and by the load: nothing fails, and each change says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import faults
from tests.e2e.stack import Play, Stack, assert_nothing_failed, deployed

REPLICAS, SURGE = 3, 1
LIGHT = {"closed": 10, "think_time": 0.05, "sse": 0, "websockets": 0}

pytestmark = pytest.mark.rollout


@pytest.fixture(name="stack", scope="module")
def stack_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three replicas of the demo, small ones: seven must fit on a small machine."""
    variables = {
        "replicas": REPLICAS,
        "rollout_surge": SURGE,
        "app_memory": "256m",
        "app_memory_reservation": "64m",
    }
    with deployed("lbtest-scale", 18107, tmp_path_factory.mktemp("scale"), **variables) as stack:
        yield stack


def said(done: Play) -> str:
    """What a run printed, on one line."""
    return " ".join(done.output.split())


def history(stack: Stack) -> list[dict[str, Any]]:
    """The changes that are remembered, oldest first."""
    path = stack.root / "state" / "scaling.json"
    if not path.exists():
        return []
    changes: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["changes"]
    return changes


def test_the_load_adds_a_replica(stack: Stack) -> None:
    """The keeper has watched for a minute; by limits that any traffic is above, one more is due."""
    with stack.traffic(**LIGHT) as traffic:
        faults.wait_for(lambda: stack.status().get("load", {}).get("covered_seconds", 0) > 62, 120)
        busy = {"scale_up_requests_per_minute": 10, "scale_down_requests_per_minute": 1}
        done = stack.must("scale", replicas="auto", **busy)
        result = traffic.stop()
    assert "up to 4: " in said(done)
    assert "requests/min for each replica > 10" in said(done)
    assert_nothing_failed(result)
    assert len(stack.versions()) == REPLICAS + 1
    (change,) = history(stack)
    assert (change["before"], change["after"]) == (REPLICAS, REPLICAS + 1)
    assert "requests" in change["causes"]


def test_a_run_that_stays_changes_nothing(stack: Stack) -> None:
    before, changes = stack.state(), history(stack)
    done = stack.must("scale", replicas="auto")
    assert "stays at 4: " in said(done)
    assert done.changed == 0, done.output
    assert (stack.state(), history(stack)) == (before, changes)


def test_a_deploy_keeps_the_number(stack: Stack) -> None:
    stack.must("deploy", replicas="auto", balancer_read_timeout=302)
    assert len(stack.versions()) == REPLICAS + 1


@pytest.mark.parametrize("check", [True, False])
def test_bounds_hold_at_once(stack: Stack, check: bool) -> None:
    """Without a cool-down, since an operator draws them; in check mode nothing happens."""
    faults.wait_for(lambda: stack.status().get("state") == "ok", 30)
    before, count = stack.state(), len(stack.versions())
    arguments = ["--check", "--diff"] if check else []
    done = stack.must("scale", *arguments, replicas="auto", scale_max_replicas=3)
    assert "down to 3: 4 is more than scale_max_replicas, 3" in said(done)
    assert len(stack.versions()) == (count if check else 3)
    assert (stack.state() == before) == check


def test_scaling_loses_nothing(stack: Stack) -> None:
    """3 → 7 → 2 under the full mix of traffic."""
    known = len(history(stack))
    with stack.observer() as observer, stack.traffic() as traffic:
        up = stack.must("scale", replicas=7)
        assert len(stack.versions()) == 7
        down = stack.must("scale", replicas=2)
        assert len(stack.versions()) == 2
        observation = observer.stop()
        result = traffic.stop()
    seconds = up.seconds + down.seconds
    print(f"\n3 → 7 → 2 ({seconds:.0f} s)\n{result.table()}\n{observation.table()}")
    assert_nothing_failed(result)
    assert stack.bookkeeping(result).exact, stack.bookkeeping(result)
    assert observation.min_healthy_members >= 2, observation.worst(2)
    assert observation.max_running <= 7 + SURGE
    assert [change["after"] for change in history(stack)[known:]] == [7, 2]


def test_without_a_keeper_there_is_no_advice(stack: Stack) -> None:
    """Last in this file: the keeper is stopped by taking it away."""
    stack.must("deploy", replicas=2, keeper_enabled=False)
    before = stack.state()
    done = stack.play("scale", replicas="auto")
    assert done.status != 0
    assert "replicas: auto needs the keeper of the stack lbtest-scale" in said(done)
    assert stack.state() == before
