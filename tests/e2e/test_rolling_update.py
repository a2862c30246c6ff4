# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rolling update under traffic: nothing fails, nothing is cut, nothing is lost or doubled."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.stack import SURGE, Stack, assert_nothing_failed
from tests.load.observation import Observation
from tests.load.result import Result

REQUESTS = 50_000
REPLICAS = 3

pytestmark = [pytest.mark.rollout, pytest.mark.alone]


def test_rolling_update_loses_nothing(three: Stack) -> None:
    """40 POST clients, 50/s on new connections, 20 idle ones, 6 streams, 4 WebSockets."""
    before = {one["id"] for one in three.containers()}
    version = three.other_version()
    with three.observer() as observer, three.traffic() as traffic:
        done = three.must("deploy", app_version=version)
        traffic.wait_until(sent=REQUESTS, timeout=120)
        observation = observer.stop()
        result = traffic.stop()
    report("rolling update", result, observation, done.seconds)
    assert_nothing_failed(result)
    assert result.requests >= REQUESTS
    assert three.bookkeeping(result).exact, three.bookkeeping(result)
    assert observation.min_healthy_members >= REPLICAS, observation.worst(REPLICAS)
    assert observation.max_running <= REPLICAS + SURGE
    assert three.versions() == [version] * REPLICAS
    assert not before & {one["id"] for one in three.containers()}
    assert set(result.versions) == {"1", "2"}


def test_rollback_brings_the_release_before_back(three: Stack) -> None:
    """The same way as a rolling update."""
    version = three.other_version()
    with three.traffic(closed=10, think_time=0.05, sse=0, websockets=0) as traffic:
        three.must("rollback")
        result = traffic.stop()
    assert_nothing_failed(result)
    assert three.versions() == [version] * REPLICAS


def test_rotating_the_access_log_is_noticed_by_nobody(three: Stack, tmp_path: Path) -> None:
    """logrotate as its timer runs it; afterwards nginx writes on, and configurations are tested."""
    log = Path("/opt") / three.name / "logs" / "access.log"
    rules = f"/etc/logrotate.d/digiz-{three.name}"
    with three.traffic(closed=10, think_time=0.05, sse=0, websockets=0) as traffic:
        traffic.wait_until(sent=200, timeout=30)
        command = ["logrotate", "--force", "--state", str(tmp_path / "state"), rules]
        subprocess.run(command, check=True, capture_output=True)
        traffic.wait_until(sent=int(traffic.progress()["requests"]) + 200, timeout=30)
        result = traffic.stop()
    assert_nothing_failed(result)
    assert log.with_name("access.log.1").stat().st_size > 0
    time.sleep(1.5)  # nginx keeps lines for a second at most
    assert log.stat().st_size > 0
    three.must("deploy", app_version=three.versions()[0], balancer_read_timeout=301)


def test_a_run_that_changes_nothing_says_so(three: Stack) -> None:
    """Also within the time that an operator is willing to wait."""
    version = three.versions()[0]
    first = three.must("deploy", app_version=version, replicas=2)
    second = three.must("deploy", app_version=version, replicas=2)
    assert second.changed == 0, second.output
    print(f"\nnothing to do: {second.seconds:.1f} s, {second.tasks} tasks (before: {first.tasks})")


def report(what: str, result: Result, observation: Observation, seconds: float) -> None:
    """Put the figures on the screen: they are what the test is about."""
    print(f"\n{what} ({seconds:.0f} s)\n{result.table()}\n{observation.table()}")
