# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report on a million requests beside GoAccess, a log analyser in C: time and memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Show
from tests.benchmarks.rounds import in_turns, ratio, table
from tests.unit.fakes.traffic import Traffic

COUNT, ROUNDS = 1_000_000, 3
POLL = 0.02  # seconds
SLOWER, MEMORY = 3.0, 200.0  # times as long as GoAccess, MiB
ROOT = Path(__file__).resolve().parents[2]
REPORT = """
import json, sys
from ansible_collections.digiz.load_balancing.plugins.module_utils import files, traffic_report
print(json.dumps(traffic_report.traffic_report(files.StackPaths("shop", sys.argv[1]), "", "", 10)))
"""
FORMAT = {
    "ts": "%dT%t+%^",
    "msec": "%^",
    "client": "%h",
    "method": "%m",
    "host": "%v",
    "uri": "%U",
    "status": "%s",
    "bytes": "%b",
    "protocol": "%H",
    "user_agent": "%u",
    "request_time": "%T",
}

pytestmark = pytest.mark.benchmark


class Measured:
    """A program that is run again and again: seconds of each run, and its peak of memory."""

    def __init__(self, command: list[str], output: Path) -> None:
        self._command, self._output = command, output
        self.memory = 0.0  # MiB

    def run(self) -> float:
        """Seconds from its start to its end."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
        started = time.monotonic()
        with (
            self._output.open("wb") as output,
            subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, env=environment
            ) as process,
        ):
            while process.poll() is None:
                self.memory = max(self.memory, peak(process.pid))
                time.sleep(POLL)
        assert process.returncode == 0, self._command
        return time.monotonic() - started


def peak(pid: int) -> float:
    """Resident memory of a process at most so far, in MiB; 0 if it has just ended. What wait4()
    tells begins with the memory of the process that started it.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


@pytest.fixture(name="goaccess")
def goaccess_fixture() -> str:
    found = shutil.which("goaccess")
    if not found:
        pytest.skip("there is no goaccess: install the package of that name (Debian, Ubuntu)")
    return found


def test_a_million_requests_beside_goaccess(tmp_path: Path, show: Show, goaccess: str) -> None:
    """At most three times as long as GoAccess, in less than 200 MB; and the counts are right."""
    log = tmp_path / "shop" / "logs" / "access.log"
    log.parent.mkdir(parents=True)
    traffic = Traffic()
    with log.open("wb") as handle:
        handle.writelines(one + b"\n" for one in traffic.lines(COUNT))
    report = Measured([sys.executable, "-c", REPORT, str(tmp_path)], tmp_path / "report.json")
    other = Measured(
        [
            *(goaccess, str(log), "--no-global-config", "--no-progress"),
            *("--log-format", json.dumps(FORMAT, separators=(",", ":"))),
            *("--date-format", "%Y-%m-%d", "--time-format", "%H:%M:%S"),
            *("--output", str(tmp_path / "goaccess.json")),
        ],
        tmp_path / "goaccess.txt",
    )
    figures = in_turns({"report": report.run, "goaccess": other.run}, ROUNDS)
    found = ratio(figures, "report", "goaccess")
    rows = [
        [name, *(f"{seconds:.1f}" for seconds in figures[name]), f"{one.memory:.0f}"]
        for name, one in (("report", report), ("goaccess", other))
    ]
    head = [f"{COUNT:,} lines", *(f"round {number + 1}, s" for number in range(ROUNDS)), "MiB"]
    show(f"{table(head, rows)}\nratio {found:.2f}")
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    seen = json.loads((tmp_path / "goaccess.json").read_text(encoding="utf-8"))
    assert (told["requests"], told["retried"]) == (COUNT, traffic.book.retried)
    assert {one["path"]: one["requests"] for one in told["paths"]} == dict(traffic.book.paths)
    assert seen["general"]["total_requests"] == COUNT
    assert found <= SLOWER
    assert report.memory < MEMORY
