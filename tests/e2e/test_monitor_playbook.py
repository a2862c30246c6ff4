# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/monitor.yml and monitor.sh on a real stack: they tell what clients did, and a broken
limit fails the playbook by name.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import faults
from tests.e2e.stack import ROOT, Play, Stack, deployed

pytestmark = pytest.mark.rollout
REQUESTS = 50
BROKEN = re.compile(
    r"the use of memory is [\d.]+ % \(lbtest-watch-app-\d\), "
    r"the limit is 1 % \(alert_memory_percent\)"
)


@pytest.fixture(name="stack", scope="module")
def stack_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two replicas with some requests behind them, of which the keeper knows."""
    with deployed("lbtest-watch", 18172, tmp_path_factory.mktemp("watch"), replicas=2) as stack:
        for _request in range(REQUESTS):
            stack.get("/api/messages/count")
        faults.wait_for(lambda: seen(stack), 60)
        yield stack


def seen(stack: Stack) -> bool:
    """Whether the keeper is content, knows of the requests, and has measured the replicas."""
    status = stack.status()
    load = status.get("load", {})
    measured = load.get("memory_percent") is not None
    return status.get("state") == "ok" and load.get("requests", 0) >= REQUESTS and measured


def words(done: Play) -> str:
    return " ".join(done.output.split())


def monitor(stack: Stack, *options: str) -> str:
    """What the program behind monitor.sh prints."""
    command = [sys.executable, "-P", "-m", "tools.monitor", "--stack", stack.name, *options]
    path = os.pathsep.join([str(ROOT), str(ROOT / "collections")])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "100"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_playbook_tells_keeps_and_fails(stack: Stack) -> None:
    kept = stack.root / "state" / "baseline.json"
    first = stack.must("monitor", baseline="save")
    assert "lbtest-watch is ok: 2 of 2 replicas are healthy" in words(first)
    assert "No limit is broken" in first.output
    assert json.loads(kept.read_text(encoding="utf-8"))["requests"] >= REQUESTS
    failed = stack.play("monitor", alert_memory_percent=1)
    assert failed.status != 0
    assert BROKEN.search(words(failed)), failed.output[-4000:]
    assert "Baseline of " in failed.output
    assert stack.must("monitor", "--check", baseline="drop").changed == 1
    assert kept.exists()
    stack.must("monitor", baseline="drop")
    assert not kept.exists()


def test_the_program_tells_the_same(stack: Stack, tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(monitor(stack, "--json"))
    assert told["ok"], told["broken"]
    assert sum(one["requests"] for one in told["replicas"]) >= REQUESTS
    shown = monitor(stack, "--once")
    for one in stack.containers():
        assert one["name"] in shown
    page = tmp_path / "report.html"
    monitor(stack, "--html", str(page))
    assert "<svg " in page.read_text(encoding="utf-8")
