# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real processes for tests: programs that wait, and what the kernel says of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 30.0
"""Seconds after which a test gives up; what is waited for comes in a fraction of that."""

Run = Callable[..., int]


@contextmanager
def programs() -> Iterator[Run]:
    """Gives a function that starts a program, which prints a line when it is ready, and gives its
    process id. In the end all of them are killed, with their children.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> int:
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    try:
        yield start
    finally:
        for process in started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def state_of(pid: int) -> str:
    """The kernel's letter for what a process does; Z for one that has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return "Z"
    return text.rpartition(")")[2].split()[0]


def until(pid: int, states: str) -> None:
    """Wait until a process is in one of these states."""
    deadline = time.monotonic() + PATIENCE
    while state_of(pid) not in states:
        assert time.monotonic() < deadline, f"{pid} is in state {state_of(pid)}"
        time.sleep(0.01)
