# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/capacity.yml -e measure=true on a stack that serves: it finds what one replica takes,
and clients of the balancer lose nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.container_usage import (
    find_cgroup,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from tests.e2e import faults
from tests.e2e.stack import Play, Stack, assert_nothing_failed, deployed

LIGHT = {"closed": 4, "think_time": 0.2, "open_rate": 10, "idle": 0, "sse": 0, "websockets": 0}
MOST = 256
MEASURE = {
    "measure": True,
    "measure_confirm": True,
    "measure_path": "/api/messages/count",
    "measure_p95_seconds": 0.2,
    "measure_step_seconds": 1,
    "measure_most": MOST,
}
TRAFFIC = {"capacity_requests_per_minute": 400, "capacity_mean_seconds": 30}
AT_ONCE = 200  # by Little's law
STEP = re.compile(r"(\d+) at once: p95 ([\d.]+) s, (\d+) of (\d+) failed, [\d.]+/s")
AGENT = "digiz-load-balancing-measure"

pytestmark = [pytest.mark.rollout, pytest.mark.alone]


@pytest.fixture(name="stack", scope="module")
def stack_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two replicas with so little of a processor that their limit is found with few clients."""
    variables: dict[str, Any] = {
        "replicas": 2,
        "app_cpus": 0.2,
        "app_memory": "256m",
        "app_memory_reservation": "64m",
    }
    with deployed("lbtest-measure", 18109, tmp_path_factory.mktemp("measure"), **variables) as one:
        yield one


def said(done: Play) -> str:
    """What a run printed, on one line."""
    return " ".join(done.output.split())


def processor_time(stack: Stack) -> dict[str, float]:
    """Seconds that each replica has worked, by its name."""
    used = {}
    for one in stack.containers():
        group = find_cgroup(int(faults.inspect(one["id"])["State"]["Pid"]))
        used[one["name"]] = (group.read().cpu_seconds if group else None) or 0.0
    return used


def audit(stack: Stack) -> str:
    """The stack's audit log."""
    return (stack.root / "state" / "audit.log").read_text(encoding="utf-8")


def test_a_replica_is_measured_while_the_stack_serves(stack: Stack) -> None:
    before, worked = stack.state(), processor_time(stack)
    with stack.traffic(**LIGHT) as traffic:
        done = stack.must("capacity", **MEASURE, **TRAFFIC)
        result = traffic.stop()
    assert_nothing_failed(result)
    assert (stack.state(), done.changed) == (before, 0)
    text = said(done)
    found = re.search(r"Measured: one replica takes (\d+) requests at once within p95 0.2 s", text)
    assert found, done.output
    safe = int(found[1])
    steps = STEP.findall(text)
    print(f"\n{done.seconds:.0f} s, {len(steps)} steps\n{done.output}\n{result.table()}")
    check_steps(safe, [int(step[0]) for step in steps])
    check_where_the_load_went(stack, worked, sum(int(step[3]) for step in steps))
    check_that_it_feeds_the_formula(stack, safe, text)


def check_steps(safe: int, tried: list[int]) -> None:
    """From one at a time up to what does not hold any more, in few steps."""
    assert tried[:2] == [1, 2]
    assert 1 <= safe < max(tried) <= MOST
    assert safe in tried
    assert len(tried) <= 24


def check_where_the_load_went(stack: Stack, worked: dict[str, float], requests: int) -> None:
    """One replica has had all of it, none of it came through the balancer."""
    more = {name: used - worked[name] for name, used in processor_time(stack).items()}
    measured = f"{stack.name}-app-2"
    assert requests > 200
    assert more[measured] > 2 * more[f"{stack.name}-app-1"], more
    assert AGENT not in (stack.root / "logs" / "access.log").read_text(encoding="utf-8")
    assert audit(stack).count(" measure: ") == 2


def check_that_it_feeds_the_formula(stack: Stack, safe: int, text: str) -> None:
    """The advice goes by it, and the variable that is named gives the same advice again."""
    assert f"One replica {safe} at once, planned to 70 %" in text
    assert f"Replicas {math.ceil(AT_ONCE / (0.7 * safe)) + 1} (deploy with" in text
    assert f"To reckon with it again: -e capacity_safe_concurrency={safe}" in text
    again = said(stack.must("capacity", capacity_safe_concurrency=safe, **TRAFFIC))
    advice = re.compile(r"Replicas +\d+ \(deploy .*? one of them lost")
    assert advice.findall(again) == advice.findall(text) != []


def test_a_stack_that_is_being_changed_is_left_alone(stack: Stack) -> None:
    known, lock = audit(stack).count(" measure: "), DeployLock(StackPaths(stack.name))
    token, _taken_over = lock.acquire("ana", "desk", "deploy")
    try:
        done = stack.play("capacity", **MEASURE)
    finally:
        lock.release(token)
    assert done.status != 0
    assert "The stack lbtest-measure is being changed: deploy by ana from desk" in said(done)
    assert audit(stack).count(" measure: ") == known


def test_the_only_replica_is_left_alone(stack: Stack) -> None:
    """Last in this file, since it takes the other one away."""
    stack.must("scale", replicas=1)
    before = stack.state()
    done = stack.play("capacity", **MEASURE)
    assert done.status != 0
    assert "The stack lbtest-measure has one replica with traffic" in said(done)
    assert stack.state() == before
