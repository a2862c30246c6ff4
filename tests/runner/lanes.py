# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that run two at a time, since hardly one of them keeps two processors busy by itself, or
aside, on the processor time that all others leave.

Each is a runner of its own for this one part, so that the processes that a part leaves behind are
known as its own. What it prints is shown in one piece when it has ended, or line by line with its
name where that takes long; its JUnit file is the result.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

from tests.runner import processes
from tests.runner.cases import OUTPUT, PYTHON, ROOT, Case, read_junit
from tests.runner.summary import Result

LANES = 2
ENDING = 180.0  # seconds that an interrupted part has to end in good order, as to remove six hosts
LOOK = 0.5  # seconds from one look at what a part has printed to the next
OPTION = "--only-output"  # of the runner in a lane: no summary
LEAST = 19  # the niceness of what runs aside


def run(
    names: Sequence[str], output: Path = OUTPUT, by_line: bool = False
) -> Generator[Result, None, None]:
    """The results of parts, in the order in which they end; interrupted ones end, too.

    :param by_line: whether each line is shown as it comes, else a part's in one piece.
    """
    print(f"\n{LANES} at a time: {', '.join(names)}", flush=True)
    lanes = _Lanes(output, by_line)
    with ThreadPoolExecutor(LANES) as pool:
        jobs = [pool.submit(lanes.run, name) for name in names]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            for job in jobs:
                job.cancel()
            lanes.end()


class Aside:
    """Parts that run aside, one by one."""

    def __init__(self, jobs: Sequence[Future[Result]], lanes: _Lanes) -> None:
        self._jobs = jobs
        self._lanes = lanes

    def runs(self) -> set[str]:
        """Their runners so far, by their identities as processes."""
        return set(self._lanes.started)

    def results(self) -> Iterator[Result]:
        """Their results in order; those that have not ended are waited for."""
        for job in self._jobs:
            yield job.result()


@contextmanager
def aside(names: Sequence[str], output: Path = OUTPUT) -> Iterator[Aside]:
    """Run parts on the processor time that everything else leaves; with the block they end, too."""
    if names:
        print(f"\nmeanwhile: {', '.join(names)}", flush=True)
    lanes = _Lanes(output, by_line=False, niceness=LEAST)
    with ThreadPoolExecutor(1) as pool:
        jobs = [pool.submit(lanes.run, name) for name in names]
        try:
            yield Aside(jobs, lanes)
        finally:
            for job in jobs:
                job.cancel()
            lanes.end()


class _Lanes:
    """The runners that run now, and all that have been started."""

    def __init__(self, output: Path, by_line: bool, niceness: int = 0) -> None:
        self.started: list[str] = []
        self._output = output
        self._by_line = by_line
        self._niceness = niceness
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False
        self._lock = threading.Lock()

    def run(self, name: str) -> Result:
        """The result of a part; what it prints is shown."""
        junit = self._output / f"{name}.xml"
        junit.unlink(missing_ok=True)
        start = time.monotonic()
        with tempfile.TemporaryFile() as printed:
            shown = _Shown(printed, f"{name} | " if self._by_line else "")
            status = self._status([PYTHON, "-m", "tests.runner", OPTION, name], printed, shown)
            shown.rest()
        cases = [_renamed(name, case) for case in read_junit(junit)] if junit.exists() else []
        if status and not any(case.problem for case in cases):
            cases.append(Case(name, 0, f"the part ended with status {status}"))
        return Result(name, tuple(cases), time.monotonic() - start)

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

    def _status(self, command: Sequence[str], printed: IO[bytes], shown: _Shown) -> int:
        with self._lock:
            if self._ended:
                return 1
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=self._niceness > 0,
            )
            self.started.append(processes.identity(process.pid))
            self._running.add(process)
        if self._niceness:
            _make_nice(process.pid, self._niceness)
        try:
            while self._by_line and process.poll() is None:
                shown.lines()
                time.sleep(LOOK)
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)


class _Shown:
    """What a part prints into a file, as far as it has been shown. What it leaves running may hold
    that file for long, as it would hold a pipe: that is not waited for.
    """

    _one_at_a_time = threading.Lock()

    def __init__(self, printed: IO[bytes], prefix: str) -> None:
        self._file = printed.fileno()
        self._prefix = prefix
        self._upto = 0

    def lines(self) -> None:
        """Show the whole lines that have come since."""
        fresh = self._fresh()
        self._show(fresh[: fresh.rfind(b"\n") + 1])

    def rest(self) -> None:
        """Show all that has come since, whether or not its last line is whole."""
        self._show(self._fresh())

    def _fresh(self) -> bytes:
        # Reading at a place of its own: the file's place is where the part goes on writing.
        return os.pread(self._file, os.fstat(self._file).st_size - self._upto, self._upto)

    def _show(self, fresh: bytes) -> None:
        self._upto += len(fresh)
        lines = fresh.decode(errors="replace").removesuffix("\n").split("\n") if fresh else []
        text = "".join(f"{self._prefix}{line}".rstrip() + "\n" for line in lines)
        with self._one_at_a_time:
            print(text, end="", flush=True)


def _make_nice(session: int, niceness: int) -> None:
    """Let a new session have processor time last: by the niceness of its leader, which those that
    it starts inherit, and by that of the session, among which Linux shares it before (sched(7)).
    """
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, session, niceness)
    with suppress(OSError):  # there may be no such sharing
        Path(f"/proc/{session}/autogroup").write_text(str(niceness), encoding="ascii")


def _renamed(part: str, case: Case) -> Case:
    """A case by the name that it has when its part runs alone."""
    return replace(case, name=case.name.removeprefix(f"{part}::"))
