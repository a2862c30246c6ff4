# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deploy that is killed at any moment: the service serves on, and the next run ends right."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import SURGE, Stack, assert_nothing_failed, deployed, kill

KILLS = 10
SEED = 20_251
REPLICAS = 3
# Short streams: here it is the number of rolls that counts, and each one waits for its streams.
TRAFFIC: dict[str, Any] = {
    "closed": 20,
    "think_time": 0.05,
    "idle": 0,
    "sse": 2,
    "stream_tokens": 15,
    "websockets": 2,
    "ws_life": 3,
}

pytestmark = pytest.mark.failures


def test_killed_deploys_lose_nothing_and_are_finished_by_the_next(tmp_path: Path) -> None:
    """Ten times SIGKILL at a random moment of a rolling update, with and without its children."""
    options: dict[str, Any] = {"replicas": REPLICAS, "rollout_surge": SURGE}
    with deployed("lbtest-killed", 18113, tmp_path, **options) as stack:
        kill_and_finish(stack)


def kill_and_finish(stack: Stack) -> None:
    """Kill an update and let the next run finish it, ten times, under traffic that counts."""
    chance = random.Random(SEED)
    length = timed_roll(stack)
    with stack.traffic(**TRAFFIC) as traffic:
        for number in range(KILLS):
            version = str(1 + number % 2)
            moment = chance.uniform(1, length)
            process = stack.begin("deploy", app_version=version)
            time.sleep(moment)
            with_children = chance.random() < 0.5
            kill(process, with_children)
            running = stack.versions()
            done = stack.must("deploy", app_version=version)
            assert stack.versions() == [version] * REPLICAS, done.output[-4000:]
            assert len(stack.containers()) == REPLICAS
            whole = "with" if with_children else "without"
            print(
                f"\nkilled after {moment:.1f} s {whole} its children, running {running}: "
                f"the next run took {done.seconds:.0f} s"
            )
        result = traffic.stop()
    print(result.table())
    assert_nothing_failed(result)
    assert stack.bookkeeping(result).exact, stack.bookkeeping(result)


def timed_roll(stack: Stack) -> float:
    """Seconds that an undisturbed update takes: the moments are drawn from it."""
    return stack.must("deploy", app_version=2).seconds
