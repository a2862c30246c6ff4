# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that need no engine run two at a time: hardly one keeps two processors busy by itself.

Each is a runner of its own for this one part, so that what a part leaves behind is known as its
own. What it prints is shown in one piece when it has ended; its JUnit file is the result.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from tests.runner.cases import OUTPUT, PYTHON, ROOT, Case, read_junit
from tests.runner.summary import Result

LANES = 2
ENDING = 60.0  # seconds that a part has to end in good order when it is interrupted
OPTION = "--only-output"  # of the runner in a lane: no summary


def run(names: Sequence[str], output: Path = OUTPUT) -> Generator[Result, None, None]:
    """The results of parts, in the order in which they end; interrupted ones end, too."""
    print(f"\n{LANES} at a time: {', '.join(names)}", flush=True)
    lanes = _Lanes(output)
    with ThreadPoolExecutor(LANES) as pool:
        jobs = [pool.submit(lanes.run, name) for name in names]
        try:
            for job in as_completed(jobs):
                text, result = job.result()
                print(text, end="", flush=True)
                yield result
        finally:
            for job in jobs:
                job.cancel()
            lanes.end()


class _Lanes:
    """The runners that run now."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False
        self._lock = threading.Lock()

    def run(self, name: str) -> tuple[str, Result]:
        """What a part has printed, and its result."""
        junit = self._output / f"{name}.xml"
        junit.unlink(missing_ok=True)
        start = time.monotonic()
        with tempfile.TemporaryFile() as printed:
            status = self._status([PYTHON, "-m", "tests.runner", OPTION, name], printed)
            printed.seek(0)
            text = printed.read().decode(errors="replace")
        cases = [_renamed(name, case) for case in read_junit(junit)] if junit.exists() else []
        if status and not any(case.problem for case in cases):
            cases.append(Case(name, 0, f"the part ended with status {status}"))
        return text, Result(name, tuple(cases), time.monotonic() - start)

    def end(self) -> None:
        """End those that run, which take the signal for an interrupt; no other one begins."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING)
            process.kill()

    def _status(self, command: Sequence[str], printed: IO[bytes]) -> int:
        with self._lock:
            if self._ended:
                return 1
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
            self._running.add(process)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)


def _renamed(part: str, case: Case) -> Case:
    """A case by the name that it has when its part runs alone."""
    return replace(case, name=case.name.removeprefix(f"{part}::"))
