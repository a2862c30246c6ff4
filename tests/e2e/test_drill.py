# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/drill.yml as an operator runs it: it reports, asks before it breaks, and mends."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.e2e import faults
from tests.e2e.stack import Play, Stack, docker

REQUESTS = re.compile(r"([\d,]+) of ([\d,]+) requests failed")
WHOLE = re.compile(r"whole again after ([\d.]+) s")

pytestmark = pytest.mark.faults


def failed(done: Play) -> tuple[int, int]:
    """How many of how many requests failed, by the drill's own report."""
    assert WHOLE.search(done.output), done.output[-4000:]
    counts = REQUESTS.search(done.output)
    assert counts, done.output[-4000:]
    return int(counts[1].replace(",", "")), int(counts[2].replace(",", ""))


@pytest.mark.parametrize("fault", ["crash", "sick", "keeper"])
def test_a_drill_breaks_mends_and_reports(faulty: Stack, fault: str) -> None:
    faults.wait_for(lambda: faulty.status().get("state") == "ok", 90)
    lost, sent = failed(faulty.must("drill", fault=fault, drill_confirm=True))
    assert lost == 0
    assert sent >= 100
    assert faulty.status()["state"] == "ok"


def test_production_is_not_broken_without_a_word(faulty: Stack) -> None:
    faults.wait_for(lambda: faulty.status().get("state") == "ok", 90)
    before = faulty.state()
    done = faulty.play("drill", fault="crash")
    assert done.status != 0
    assert "Set the variable drill_confirm to true." in " ".join(done.output.split())
    assert faulty.state() == before


def frozen(stack: Stack) -> bool:
    """Whether a process of a replica is stopped."""
    tables = [docker("top", one["id"], "-eo", "pid,stat") for one in stack.containers()]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return any(state.startswith("T") for _pid, state in rows)


def test_a_drill_that_is_ended_in_the_middle_mends_what_it_broke(faulty: Stack) -> None:
    """As when a job is cancelled: SIGTERM to all of the run, while a replica is frozen."""
    faults.wait_for(lambda: faulty.status().get("state") == "ok", 90)
    drill = faulty.begin("drill", fault="hang", drill_confirm=True)
    faults.wait_for(lambda: frozen(faulty), 60)
    os.killpg(drill.pid, signal.SIGTERM)
    assert drill.wait(60) != 0
    faults.wait_for(lambda: not frozen(faulty), 30)
    faults.wait_for(lambda: faulty.status().get("state") == "ok", 90)
