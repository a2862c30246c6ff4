# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper as a service of the host: a unit where systemd is process 1, else an init script."""

from __future__ import annotations

import contextlib
import os
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_state,
    keeper_units,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_guard import (
    RUN_DIRECTORY,
)

UNITS = "/etc/systemd/system"
SCRIPTS = "/etc/init.d"
LINKS = "/etc"
"""Where the folders ``rc2.d`` and so on lie."""

HAS_SYSTEMD = "/run/systemd/system"
"""It is there where systemd is process 1 (sd_booted(3))."""

_TIMEOUT = 60


class Service(ABC):
    """What starts the keeper of one stack. All raise LoadBalancingError when the host refuses."""

    def __init__(self, paths: StackPaths) -> None:
        self.paths = paths
        self.name = keeper_units.service_name(paths.name)

    @property
    @abstractmethod
    def path(self) -> str:
        """The file that makes it a service."""

    @abstractmethod
    def text(self) -> str:
        """What that file is to hold."""

    @abstractmethod
    def write(self, text: str) -> None:
        """Write it, and have the host know it."""

    @abstractmethod
    def enabled(self) -> bool:
        """Whether it starts with the host."""

    @abstractmethod
    def enable(self) -> None:
        """Have it start with the host, where something starts services at all."""

    @abstractmethod
    def pid(self) -> int:
        """Its main process, 0 if none runs."""

    @abstractmethod
    def restart(self) -> None:
        """Stop what runs and start it; whether it comes up is not waited for."""

    @abstractmethod
    def remove(self) -> None:
        """Stop it and remove the file."""

    @abstractmethod
    def log(self) -> str:
        """The last lines that it printed."""

    def there(self) -> str:
        """What the file holds, "" if there is none."""
        with contextlib.suppress(ValueError):
            return read_text(self.path) or ""
        return "(no text)\n"

    def runs(self) -> str:
        """Name of the folder whose code the main process was started with, "" if none runs."""
        try:
            return os.path.basename(os.readlink(f"/proc/{self.pid() or 'none'}/cwd"))
        except OSError:
            return ""


class SystemdService(Service):
    """A unit of systemd."""

    @property
    def path(self) -> str:
        return os.path.join(UNITS, f"{self.name}.service")

    def text(self) -> str:
        return keeper_units.unit(self.paths)

    def write(self, text: str) -> None:
        write_text(self.path, text)
        self._systemctl("daemon-reload")

    def enabled(self) -> bool:
        command = ["systemctl", "is-enabled", f"{self.name}.service"]
        return engine_state.command_output(command) == "enabled"

    def enable(self) -> None:
        self._systemctl("enable", f"{self.name}.service")

    def pid(self) -> int:
        command = ["systemctl", "show", "--property=MainPID", f"{self.name}.service"]
        value = engine_state.command_output(command).rpartition("=")[2]
        return int(value) if value.isdigit() else 0

    def restart(self) -> None:
        self._systemctl("stop", f"{self.name}.service")
        self._systemctl("start", "--no-block", f"{self.name}.service")

    def remove(self) -> None:
        if os.path.isdir(HAS_SYSTEMD):
            self._systemctl("disable", "--now", f"{self.name}.service")
        _unlink(self.path)
        _unlink(os.path.join(UNITS, "multi-user.target.wants", f"{self.name}.service"))
        if os.path.isdir(HAS_SYSTEMD):
            self._systemctl("daemon-reload")

    def log(self) -> str:
        command = ["journalctl", f"--unit={self.name}.service", "--lines=25", "--no-pager"]
        return programs.tail(engine_state.command_output([*command, "--output=cat"]))

    @staticmethod
    def _systemctl(*arguments: str) -> None:
        programs.run(["systemctl", *arguments], f"systemctl {' '.join(arguments)}", _TIMEOUT)


class ScriptService(Service):
    """An init script, which also serves where no init system runs it."""

    @property
    def path(self) -> str:
        return os.path.join(SCRIPTS, self.name)

    @property
    def pid_file(self) -> str:
        """Where the script keeps the guard's process id."""
        return os.path.join(RUN_DIRECTORY, f"{self.name}.pid")

    def text(self) -> str:
        return keeper_units.script(self.paths, self.pid_file)

    def write(self, text: str) -> None:
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
        except OSError as error:
            raise LoadBalancingError(f"{self.path} cannot be written: {error.strerror}.") from error
        write_text(self.path, text, 0o755)

    def enabled(self) -> bool:
        links = Path(LINKS).glob(f"rc[2-5].d/S[0-9][0-9]{self.name}")
        return any(links) or not shutil.which("update-rc.d")

    def enable(self) -> None:
        self._update_links("defaults")

    def pid(self) -> int:
        if not self.there() or not self._says("status"):
            return 0
        try:
            return int(Path(self.pid_file).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def restart(self) -> None:
        self._run("restart")

    def remove(self) -> None:
        self._run("stop")
        _unlink(self.path)
        _unlink(os.path.join(RUN_DIRECTORY, f"{self.name}.lock"))
        self._update_links("remove")

    def log(self) -> str:
        return programs.tail(read_text(os.path.join(self.paths.logs, "keeper.log")) or "")

    def _run(self, action: str) -> None:
        programs.run([self.path, action], f"{self.path} {action}", _TIMEOUT)

    def _says(self, question: str) -> bool:
        ended = programs.capture([self.path, question], f"{self.path} {question}", _TIMEOUT)
        return ended.status == 0

    def _update_links(self, action: str) -> None:
        if shutil.which("update-rc.d"):
            command = ["update-rc.d", self.name, action]
            programs.run(command, " ".join(command), _TIMEOUT)


def service_of(paths: StackPaths) -> Service:
    """What starts the keeper of a stack on this host."""
    if engine_state.init_system() == "systemd":
        return SystemdService(paths)
    return ScriptService(paths)


def services_there(paths: StackPaths) -> list[Service]:
    """Those that this host has, whatever started it when they were made."""
    both: list[Service] = [SystemdService(paths), ScriptService(paths)]
    return [service for service in both if service.there()]


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LoadBalancingError(f"{path} cannot be removed: {error.strerror}.") from error
