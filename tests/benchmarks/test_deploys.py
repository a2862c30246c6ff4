# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a deploy takes: one that rolls everything at once, and one that changes nothing."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import Show
from tests.benchmarks.plain_compose import PlainCompose, plain_compose
from tests.benchmarks.rounds import table
from tests.e2e.stack import Stack, assert_nothing_failed, deployed
from tests.load.process import TrafficProcess
from tests.load.profile import Profile
from tests.load.result import Result

REPLICAS = 3
NOTHING_BAR = 20.0  # seconds
#: Light: the figures are about the update, not about a full machine.
LIGHT: dict[str, Any] = {"closed": 6, "open_rate": 20.0, "idle": 4, "sse": 2, "websockets": 0}

pytestmark = pytest.mark.benchmark


@pytest.fixture(name="stack", scope="module")
def stack_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three replicas of the demo that are all replaced in one step."""
    folder = tmp_path_factory.mktemp("deploys")
    wanted = {"replicas": REPLICAS, "rollout_surge": REPLICAS, "app_version": "1"}
    with deployed("lbtest-deploys", 18320, folder, **wanted) as stack:
        yield stack


def cpu_seconds() -> float:
    """Processor time of all programs that this process has run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_run_that_changes_nothing_is_over_soon(stack: Stack, show: Show) -> None:
    """At most 20 s; the fastest run counts, since others only tell what else the machine did."""
    rows = []
    for number in (1, 2, 3):
        before = cpu_seconds()
        run = stack.must("deploy")
        assert run.changed == 0, run.output
        rows.append([number, f"{run.seconds:.1f}", f"{cpu_seconds() - before:.1f}", run.tasks])
    show(table(["run", "seconds", "CPU seconds", "tasks"], rows))
    assert min(float(row[1]) for row in rows) <= NOTHING_BAR


def roll(stack: Stack, version: str) -> tuple[float, Result]:
    """A rolling update under traffic: seconds, and what the clients met."""
    with stack.traffic(**LIGHT) as traffic:
        done = stack.must("deploy", app_version=version)
        return done.seconds, traffic.stop()


def recreate(project: PlainCompose, version: str) -> tuple[float, Result]:
    """The same by `docker compose up -d`."""
    with TrafficProcess(Profile(url=project.url, **LIGHT)) as traffic:
        seconds = project.up(version)
        return seconds, traffic.stop()


def test_a_roll_of_three_beside_compose(stack: Stack, tmp_path: Path, show: Show) -> None:
    """Seconds and failed requests, side by side. No bar for the seconds."""
    rows = []
    with plain_compose(stack, tmp_path, 18321, "1") as project:
        for version in ("2", "1"):
            ways = [
                (f"roll to {version}, surge {REPLICAS}", roll(stack, version)),
                (f"docker compose up -d to {version}", recreate(project, version)),
            ]
            for name, (seconds, result) in ways:
                failed = f"{result.failed} of {result.sent}"
                rows.append([name, f"{seconds:.1f}", failed, result.streams_cut,
                             f"{result.longest_pause:.1f}"])  # fmt: skip
            assert_nothing_failed(ways[0][1][1])
            assert stack.versions() == [version] * REPLICAS
    head = [
        f"{REPLICAS} replicas",
        "seconds",
        "requests failed",
        "streams cut",
        "longest pause (s)",
    ]
    show(table(head, rows))
