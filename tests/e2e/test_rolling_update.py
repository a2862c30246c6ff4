# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rolling updates and scaling under traffic: nothing fails, nothing is cut, nothing is lost or
doubled.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack, assert_nothing_failed, deployed
from tests.load.observation import Observation
from tests.load.result import Result

REQUESTS = 50_000
REPLICAS, SURGE = 3, 1

pytestmark = pytest.mark.rollout


@pytest.fixture(name="stack", scope="module")
def stack_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three replicas of the demo."""
    folder = tmp_path_factory.mktemp("rolling")
    with deployed("lbtest-roll", 18101, folder, replicas=REPLICAS, rollout_surge=SURGE) as stack:
        yield stack


def test_rolling_update_loses_nothing(stack: Stack) -> None:
    """40 POST clients, 50/s on new connections, 20 idle ones, 6 streams, 4 WebSockets."""
    before = {one["id"] for one in stack.containers()}
    with stack.observer() as observer, stack.traffic() as traffic:
        done = stack.must("deploy", app_version=2)
        traffic.wait_until(sent=REQUESTS, timeout=120)
        observation = observer.stop()
        result = traffic.stop()
    report("rolling update", result, observation, done.seconds)
    assert_nothing_failed(result)
    assert result.requests >= REQUESTS
    assert stack.bookkeeping(result).exact, stack.bookkeeping(result)
    assert observation.min_healthy_members >= REPLICAS, observation.worst(REPLICAS)
    assert observation.max_running <= REPLICAS + SURGE
    assert stack.versions() == ["2"] * REPLICAS
    assert not before & {one["id"] for one in stack.containers()}
    assert set(result.versions) == {"1", "2"}


def test_scaling_loses_nothing(stack: Stack) -> None:
    """3 → 5 → 2 under the same traffic."""
    with stack.observer() as observer, stack.traffic() as traffic:
        up = stack.must("scale", replicas=5)
        assert len(stack.versions()) == 5
        down = stack.must("scale", replicas="2")
        assert len(stack.versions()) == 2
        observation = observer.stop()
        result = traffic.stop()
    report("3 → 5 → 2", result, observation, up.seconds + down.seconds)
    assert_nothing_failed(result)
    assert stack.bookkeeping(result).exact, stack.bookkeeping(result)
    assert observation.min_healthy_members >= 2, observation.worst(2)
    assert observation.max_running <= 5 + SURGE


def test_rollback_brings_the_release_before_back(stack: Stack) -> None:
    """The same way as a rolling update, in today's number of replicas."""
    replicas = len(stack.containers())
    with stack.traffic(closed=10, think_time=0.05, sse=0, websockets=0) as traffic:
        stack.must("rollback")
        result = traffic.stop()
    assert_nothing_failed(result)
    assert stack.versions() == ["1"] * replicas


def test_rotating_the_access_log_is_noticed_by_nobody(stack: Stack, tmp_path: Path) -> None:
    """logrotate as its timer runs it; afterwards nginx writes on, and configurations are tested."""
    log = Path("/opt") / stack.name / "logs" / "access.log"
    rules = f"/etc/logrotate.d/digiz-{stack.name}"
    with stack.traffic(closed=10, think_time=0.05, sse=0, websockets=0) as traffic:
        traffic.wait_until(sent=200, timeout=30)
        command = ["logrotate", "--force", "--state", str(tmp_path / "state"), rules]
        subprocess.run(command, check=True, capture_output=True)
        traffic.wait_until(sent=int(traffic.progress()["sent"]) + 200, timeout=30)
        result = traffic.stop()
    assert_nothing_failed(result)
    assert log.with_name("access.log.1").stat().st_size > 0
    time.sleep(1.5)  # nginx keeps lines for a second at most
    assert log.stat().st_size > 0
    stack.must("deploy", balancer_read_timeout=301)


def test_a_run_that_changes_nothing_says_so(stack: Stack) -> None:
    """Also within the time that an operator is willing to wait."""
    first = stack.must("deploy", replicas=2)
    second = stack.must("deploy", replicas=2)
    assert second.changed == 0, second.output
    print(f"\nnothing to do: {second.seconds:.1f} s, {second.tasks} tasks (before: {first.tasks})")


def report(what: str, result: Result, observation: Observation, seconds: float) -> None:
    """Put the figures on the screen: they are what the test is about."""
    print(f"\n{what} ({seconds:.0f} s)\n{result.table()}\n{observation.table()}")
