# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts the engine, whatever the host's process 1 is, and makes it read its settings again."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_api, programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.engine_state import (
    PID_FILE,
    engine_pid,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

LOG_FILE = "/var/log/docker.log"
_DIRECT_PID_FILE = "/run/load-balancing-dockerd.pid"
_CONTAINERD_PID_FILE = "/var/run/docker/containerd/containerd.pid"
_COMMAND_TIMEOUT = 90
#: An init script that works answers within this time, seconds; where it does not, it has failed
#: silently.
_SCRIPT_PATIENCE = 15


def answers() -> bool:
    """Whether the engine answers on its socket."""
    return engine_api.get("/_ping", timeout=5).ok


def wait_until_answers(timeout: float) -> bool:
    """Wait for the engine, at most ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not answers():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def remove_stale_pid_file(path: str, program: str) -> bool:
    """Remove a pid file of an earlier run, whose process is gone or is another program now."""
    try:
        pid = int(Path(path).read_text(encoding="ascii"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        pid = 0
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        name = ""
    if name == program:
        return False
    Path(path).unlink()
    return True


def start_directly() -> None:
    """Start the engine without a service manager; its output goes to :data:`LOG_FILE`."""
    daemon = shutil.which("dockerd") or "/usr/sbin/dockerd"
    command = ["start-stop-daemon", "--start", "--background", "--make-pidfile"]
    command += ["--pidfile", _DIRECT_PID_FILE, "--output", LOG_FILE, "--exec", daemon]
    programs.run(command, "starting dockerd", _COMMAND_TIMEOUT)


def start(init: str, timeout: float) -> str:
    """Start the engine and wait for its answer; gives the way that worked: systemd, sysv or direct.

    :param init: the host's init system, as in ``engine_state.init_system``.
    :raises LoadBalancingError: with the engine's last log lines.
    """
    if not engine_pid():
        remove_stale_pid_file(PID_FILE, "dockerd")
        remove_stale_pid_file(_CONTAINERD_PID_FILE, "containerd")
        remove_stale_pid_file(_DIRECT_PID_FILE, "dockerd")
    if init == "systemd":
        start_with_systemd()
        if wait_until_answers(timeout):
            return init
        raise not_started(timeout, journal())
    if init == "sysv" and _script_starts():
        return init
    start_directly()
    if wait_until_answers(timeout):
        return "direct"
    raise not_started(timeout, programs.tail(_read(LOG_FILE)))


def start_with_systemd() -> None:
    """Start the unit; one that gave up after too many tries is allowed to try again."""
    programs.run(["systemctl", "reset-failed", "docker.service"], "systemctl", _COMMAND_TIMEOUT)
    try:
        command = ["systemctl", "start", "docker.service"]
        programs.run(command, "systemctl start docker", _COMMAND_TIMEOUT)
    except LoadBalancingError as error:
        raise LoadBalancingError(f"{error}{journal()}") from error


def _script_starts() -> bool:
    """Whether the init script brings the engine up; where limits may not be raised it does not."""
    try:
        programs.run(["/etc/init.d/docker", "start"], "the init script of docker", _COMMAND_TIMEOUT)
    except LoadBalancingError:
        return False
    return wait_until_answers(_SCRIPT_PATIENCE)


def journal() -> str:
    """The last lines of the engine's journal."""
    command = ["journalctl", "--unit=docker.service", "--lines=25", "--no-pager", "--output=cat"]
    try:
        return programs.tail(programs.run(command, "journalctl", 20))
    except LoadBalancingError:
        return ""


def not_started(timeout: float, log: str) -> LoadBalancingError:
    """The error for an engine that does not come up."""
    return LoadBalancingError(
        f"the Docker engine did not answer within {timeout:.0f} s. Its last words:{log}"
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def enable(init: str) -> None:
    """Have the engine start with the host, where something starts services at all."""
    if init == "systemd":
        command = ["systemctl", "enable", "docker.service"]
    elif init == "sysv":
        command = ["update-rc.d", "docker", "defaults"]
    else:
        return
    programs.run(command, "enabling docker", _COMMAND_TIMEOUT)


def reload() -> None:
    """Make a running engine read daemon.json again (SIGHUP); containers are not touched."""
    pid = engine_pid()
    if pid:
        os.kill(pid, signal.SIGHUP)
