# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker engine for the parts that need one; started and stopped here if there is none running.

A machine that is used again may have containers of an earlier, killed run: they come back with the
engine and hold its ports. They are told by the names of their stacks, which begin with ``lbtest``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.runner.cases import BIN, ROOT, Case, check, environment

PREFIX = "lbtest"
STACK_LABEL = "digiz.load_balancing.stack"
PROJECT_LABEL = "com.docker.compose.project"
PID_FILE = Path("/run/docker.pid")
STOP_TIMEOUT = 60  # seconds


def _docker(*arguments: str) -> list[str]:
    """The lines that a docker command printed; nothing when it failed or there is no docker."""
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split("\n") if done.returncode == 0 else []


def is_running() -> bool:
    """Whether an engine answers."""
    return any(_docker("version", "--format", "{{.Server.Version}}"))


@contextmanager
def engine() -> Iterator[Case]:
    """An engine with what the tests need on it. Yields the case of its preparation."""
    found_running = is_running()
    playbook = str(ROOT / "tools" / "start_engine.yml")
    command = [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", playbook]
    case = check("prepare", command, timeout=1800)
    try:
        if not found_running:
            remove_leftovers()
        yield case
    finally:
        if not found_running:
            stop()


def remove_leftovers() -> None:
    """Remove containers, networks and volumes of tests. Only for an engine that we started."""
    for kind, label in (
        ("container", STACK_LABEL),
        ("network", PROJECT_LABEL),
        ("volume", PROJECT_LABEL),
    ):
        every = ["--all"] if kind == "container" else []
        field = "{{.Name}}" if kind == "volume" else "{{.ID}}"
        form = field + ' {{.Label "' + label + '"}}'
        for line in _docker(kind, "ls", *every, "--filter", f"label={label}", "--format", form):
            name, _space, stack = line.partition(" ")
            if stack.startswith(PREFIX):
                _docker(kind, "rm", "--force", name)


def stop() -> None:
    """Stop the engine that we started: through systemd where that runs it, else by its pid."""
    if Path("/run/systemd/system").exists():
        units = ["docker.socket", "docker.service"]
        subprocess.run(["systemctl", "stop", *units], env=environment(), check=False)
        return
    try:
        pid = int(PID_FILE.read_text(encoding="ascii"))
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return  # it is gone already
    end = time.monotonic() + STOP_TIMEOUT
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.2)
