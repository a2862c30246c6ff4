# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper costs: processor time and memory, with three replicas and with fifty."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import Show
from tests.benchmarks.rounds import table
from tests.e2e import faults
from tests.e2e.stack import Stack, deployed, docker
from tests.e2e.test_another_application import DOCKERFILE, IMAGE, SERVER

SECONDS = 30.0
SETTLE = 10.0  # seconds after a deploy until the keeper has only its daily work
FEW, MANY = 3, 50
#: Of one core, in per cent, and in MiB.
FEW_CPU, MANY_CPU, MEMORY = 2.0, 10.0, 60.0

pytestmark = pytest.mark.benchmark


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all of its threads (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Resident memory of a process at most so far, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def cost(stack: Stack) -> tuple[float, float]:
    """Per cent of one core over some time, and MiB."""
    time.sleep(SETTLE)
    pid = faults.keeper_process(stack)
    before, started = cpu_seconds(pid), time.monotonic()
    time.sleep(SECONDS)
    share = 100 * (cpu_seconds(pid) - before) / (time.monotonic() - started)
    return share, memory(pid)


def shown(name: str, share: float, used: float) -> list[object]:
    """A row of the table."""
    return [name, f"{share:.2f}", f"{used:.1f}"]


HEAD = ["the keeper", "% of one core", "MiB"]


def test_with_three_replicas(tmp_path: Path, show: Show) -> None:
    """Under 2 % of one core and under 60 MB, whether there is traffic or not."""
    light: dict[str, Any] = {"closed": 10, "think_time": 0.05, "sse": 2, "websockets": 2}
    with deployed("lbtest-cost", 18331, tmp_path, replicas=FEW) as stack:
        quiet = cost(stack)
        with stack.traffic(**light) as traffic:
            busy = cost(stack)
            assert traffic.stop().failed == 0
    rows = [shown(f"{FEW} replicas, no traffic", *quiet), shown(f"{FEW} replicas, traffic", *busy)]
    show(table(HEAD, rows))
    assert max(quiet[0], busy[0]) < FEW_CPU
    assert max(quiet[1], busy[1]) < MEMORY


def test_with_fifty_replicas(tmp_path: Path, show: Show) -> None:
    """Under 10 % of one core. The replicas are a file server that takes next to nothing."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (tmp_path / "server.py").write_text(SERVER, encoding="utf-8")
    docker("build", "--build-arg", "VERSION=1", "--tag", f"{IMAGE}:1", str(tmp_path))
    tiny = {
        "app_cpus": 0.1,
        "app_cpu_reservation": 0.01,
        "app_memory": "64m",
        "app_memory_reservation": "16m",
        "app_start_timeout": 300,
        "app_stop_grace": 1,
    }
    plain = {"app_image": IMAGE, "app_port": 9000, "app_health_path": "/index.html"}
    with deployed("lbtest-many", 18332, tmp_path, replicas=MANY, **tiny, **plain) as stack:
        share, used = cost(stack)
        assert stack.status()["healthy"] == MANY
    show(table(HEAD, [shown(f"{MANY} replicas, no traffic", share, used)]))
    assert share < MANY_CPU
    assert used < MEMORY
