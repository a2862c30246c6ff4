# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prometheus and Alertmanager of one stack as services of the host: started, reloaded, asked."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Callable, Union

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_state,
    monitor_units,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_init import (
    ScriptService,
    SystemdService,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.loopback import HOST
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_units import Program

START_TIMEOUT = 60.0
"""Seconds to be ready after a start: Prometheus reads its write-ahead log first."""

RELOAD_TIMEOUT = 15.0
_ANSWER_TIMEOUT = 2.0
_PAUSE = 0.1


class MonitorUnit(SystemdService):
    """A unit of systemd."""

    def __init__(self, paths: StackPaths, program: Program) -> None:
        super().__init__(paths)
        self.program = program
        self.name = monitor_units.service_name(program.name, paths.name)

    def text(self) -> str:
        return monitor_units.unit(self.paths, self.program)


class MonitorScript(ScriptService):
    """An init script. Nothing starts the program again when it ends by itself."""

    def __init__(self, paths: StackPaths, program: Program) -> None:
        super().__init__(paths)
        self.program = program
        self.name = monitor_units.service_name(program.name, paths.name)

    def text(self) -> str:
        return monitor_units.script(self.paths, self.program, self.pid_file)

    def log(self) -> str:
        path = monitor_units.log_file(self.paths, self.program.name)
        return programs.tail(read_text(path) or "")


Service = Union[MonitorUnit, MonitorScript]


def service_of(paths: StackPaths, program: Program) -> Service:
    """What starts a program on this host."""
    if engine_state.init_system() == "systemd":
        return MonitorUnit(paths, program)
    return MonitorScript(paths, program)


def services_there(paths: StackPaths) -> list[Service]:
    """Those that this host has, whatever started it when they were made."""
    found: list[Service] = []
    for name in monitor_units.BINARIES:
        program = Program(name)
        found += [MonitorUnit(paths, program), MonitorScript(paths, program)]
    return [service for service in found if service.there()]


def stop(paths: StackPaths) -> None:
    """Stop the monitor and remove its services. None there is fine."""
    for service in services_there(paths):
        service.remove()


def outside(paths: StackPaths) -> list[str]:
    """Files of the monitor that lie outside of the stack's folder."""
    return [service.path for service in services_there(paths)]


def command_of(pid: int) -> tuple[str, ...]:
    """The words that a process was started with, none if there is no such process."""
    try:
        words = Path(f"/proc/{pid or 'none'}/cmdline").read_text(encoding="utf-8").split("\0")
    except (OSError, ValueError):
        return ()
    return tuple(words[:-1])


def answer(port: int, path: str) -> str | None:
    """What a program answers with status 200, None if it does not."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_TIMEOUT)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        return text if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def loaded_at(program: Program) -> float:
    """When a program last took a configuration over (epoch seconds); 0 if it says nothing, or if it
    has refused one since.
    """
    text = answer(program.port, "/metrics") or ""
    prefix = f"{program.name}_config_last_reload_success"
    if _sample(text, f"{prefix}ful") != 1.0:
        return 0.0
    return _sample(text, f"{prefix}_timestamp_seconds")


def _sample(text: str, name: str) -> float:
    match = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    try:
        return float(match[1]) if match else 0.0
    except ValueError:
        return 0.0


def runs(service: Service) -> bool:
    """Whether a program runs as it is to run, and is ready."""
    program = service.program
    return (
        command_of(service.pid()) == program.command
        and answer(program.port, "/-/ready") is not None
    )


def start(service: Service) -> None:
    """Start it anew and wait until it is ready.

    :raises LoadBalancingError: if it is not in time, or if its port is another's.
    """
    old, program = service.pid(), service.program
    mine = any(word.endswith(f":{program.port}") for word in command_of(old))
    if not mine and _taken(program.port):
        raise LoadBalancingError(
            f"monitor_{program.name}_port: {program.port} is not possible here: something else "
            f"listens there. Set the variable monitor_{program.name}_port."
        )
    service.restart()
    if not wait(lambda: service.pid() not in (0, old) and runs(service), START_TIMEOUT):
        raise LoadBalancingError(
            f"{program.name.capitalize()} of the stack {service.paths.name} was not ready on "
            f"{HOST}:{program.port} within {START_TIMEOUT:g} s. Its last words:{service.log()}"
        )


def reload(service: Service, newest: float) -> None:
    """Have it read its configuration again, and wait until it has.

    :param newest: when the newest of its files was written, epoch seconds.
    :raises LoadBalancingError: if it refuses it; it runs on with the one before.
    """
    program, pid = service.program, service.pid()
    with contextlib.suppress(ProcessLookupError):  # it has just ended: it is late then
        if pid:
            os.kill(pid, signal.SIGHUP)
    if not wait(lambda: loaded_at(program) >= newest, RELOAD_TIMEOUT):
        raise LoadBalancingError(
            f"{program.name.capitalize()} of the stack {service.paths.name} did not take its new "
            f"configuration over within {RELOAD_TIMEOUT:g} s. Its last words:{service.log()}"
        )


def wait(condition: Callable[[], bool], timeout: float) -> bool:
    """Whether it holds within ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_ANSWER_TIMEOUT)
        return probe.connect_ex((HOST, port)) == 0
