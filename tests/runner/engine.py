# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker engine for the parts that need one; started and stopped here if none is running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.runner import earlier
from tests.runner.cases import BIN, ROOT, Case, check, environment
from tests.runner.leftovers import docker

PID_FILE = Path("/run/docker.pid")
STOP_TIMEOUT = 60  # seconds


def is_running() -> bool:
    """Whether an engine answers."""
    return any(docker("version", "--format", "{{.Server.Version}}"))


@contextmanager
def engine() -> Iterator[Case]:
    """An engine with what the tests need on it. Yields the case of its preparation."""
    found_running = is_running()
    unfinished = earlier.unfinished()
    to_stop = not found_running or (unfinished is not None and unfinished.started_engine)
    playbook = str(ROOT / "tools" / "start_engine.yml")
    command = [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", playbook]
    case = check("prepare", command, timeout=1800)
    try:
        earlier.tell(earlier.clean(unfinished, alone=not found_running))
        with earlier.recorded(started_engine=to_stop):
            yield case
    finally:
        if to_stop:
            stop()


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
