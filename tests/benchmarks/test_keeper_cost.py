# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper costs: processor time and memory, with three replicas and with fifty, and for
each line of the access log that it reads.
"""

from __future__ import annotations

import io
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import Traffic
from tests.benchmarks.conftest import Show
from tests.benchmarks.rounds import table
from tests.e2e import faults
from tests.e2e.stack import Stack, deployed, docker
from tests.e2e.test_another_application import DOCKERFILE, IMAGE, SERVER
from tests.unit.keeper_page import REPLICA, SNAPSHOT

SECONDS = 30.0
SETTLE = 10.0  # seconds after a deploy until the keeper has only its daily work
LAG = 3.0  # seconds at most until the keeper has read what nginx has answered
FEW, MANY = 3, 50
#: Of one core, in per cent, and in MiB.
FEW_CPU, MANY_CPU, MEMORY = 2.0, 10.0, 60.0
LINE_MICROSECONDS, LINE_ROUNDS, LINES_A_ROUND = 20.0, 100, 1000
LINE = (
    '{"ts":"2026-11-29T15:54:58+00:00","msec":1795967698.341,'
    '"request_id":"5c0bffdfac30f5903822b9e16c75d8ec","client":"203.0.113.7","method":"POST",'
    '"host":"chat.example.com","uri":"/api/chat","status":200,"bytes":362,"protocol":"HTTP/1.1",'
    '"upstream_addr":"%s:8000","upstream_status":"200","upstream_connect_time":"0.001",'
    '"upstream_header_time":"0.005","upstream_response_time":"0.005","version":"2",'
    '"user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",'
    '"limit_req":"PASSED","limit_conn":"PASSED","request_time":0.%03d,"generation":2}\n'
)

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
    """Under 2 % of one core and under 60 MB, whether there is traffic or not: up to 1,000 requests
    a second, if this machine serves as many.
    """
    light: dict[str, Any] = {"closed": 10, "think_time": 0.05, "sse": 2, "websockets": 2}
    heavy: dict[str, Any] = {**light, "closed": 55}
    with deployed("lbtest-cost", 18331, tmp_path, replicas=FEW) as stack:
        costs = {"no traffic": cost(stack)}
        for profile in (light, heavy):
            with stack.traffic(**profile) as traffic:
                started = time.monotonic()
                busy = cost(stack)
                seconds = time.monotonic() - started
                result = traffic.stop()
            assert result.failed == 0
            time.sleep(LAG)
            assert stack.status()["load"]["requests"] >= result.requests, "the keeper saw them"
            costs[f"{result.requests / seconds:.0f} requests/s"] = busy
    show(table(HEAD, [shown(f"{FEW} replicas, {name}", *one) for name, one in costs.items()]))
    assert max(share for share, _used in costs.values()) < FEW_CPU
    assert max(used for _share, used in costs.values()) < MEMORY


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


def test_a_line_of_the_access_log(tmp_path: Path, show: Show) -> None:
    """Under 20 microseconds: read, parsed, counted as a whole and for its replica, and in the
    window. With fifty replicas, and as many lines a round as a busy second has.
    """
    paths = StackPaths("chatbot", str(tmp_path))
    paths.create()
    log = Path(paths.logs) / "access.log"
    log.touch()
    replicas = tuple(
        replace(REPLICA, id=f"id{one}", name=f"chatbot-app-{one}", address=f"172.18.0.{one}")
        for one in range(2, MANY + 2)
    )
    snapshot = replace(SNAPSHOT, replicas=replicas)
    now = 0.0
    traffic = Traffic(
        paths,
        Journal("chatbot", io.StringIO()),
        lambda: snapshot,
        lambda _container: {},
        clock=lambda: now,
    )
    traffic.round()
    lines = "".join(
        LINE % (replicas[one % MANY].address, one % 1000) for one in range(LINES_A_ROUND)
    )
    spent = 0.0
    for _unused in range(LINE_ROUNDS):
        with log.open("a", encoding="ascii") as handle:
            handle.write(lines)
        now += 1
        before = time.process_time()
        traffic.round()
        spent += time.process_time() - before
    each = spent / (LINE_ROUNDS * LINES_A_ROUND) * 1e6
    show(table(["the keeper", "microseconds"], [["a line of the access log", f"{each:.1f}"]]))
    assert sum(traffic.sight().totals.classes) == LINE_ROUNDS * LINES_A_ROUND
    assert each < LINE_MICROSECONDS
