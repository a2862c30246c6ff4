# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that starts keepers: their processes are real, systemd is not."""

from __future__ import annotations

import configparser
import contextlib
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_state,
    keeper_code,
    keeper_init,
    keeper_units,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_init import Service

PATIENCE = 60.0

ANSWERS = """
import http.server, json
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({answer}).encode())
    def log_message(self, *_unused):
        pass
# {comment}
http.server.HTTPServer(("127.0.0.1", {port}), Page).serve_forever()
"""
FAILS = "raise SystemExit('no keeper today')\n"


def free_port() -> int:
    """A port that nobody has just now, and that the kernel gives to no connection meanwhile: those
    have ports from 32768 on.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def keeper(port: int, comment: str = "", answer: str = '{"stack": "shop"}') -> dict[str, str]:
    """Sources of a keeper that answers; with another comment it is another version."""
    return program(ANSWERS.format(port=port, comment=comment, answer=answer))


def program(text: str) -> dict[str, str]:
    """Sources that do this, whatever starts them."""
    return {"keeper": text, "keeper_guard": text}


class KeeperHost:
    """A host with the init system ``systemd`` or ``sysv``, and a stack ``shop``."""

    def __init__(self, folder: Path, init: str, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.init = init
        self.paths = StackPaths("shop", str(folder / "opt"))
        self.paths.create()
        self.calls: list[str] = []
        self.failing = ""
        self.links = folder / "etc"
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("UNITS", "SCRIPTS", "LINKS", "RUN_DIRECTORY"):
            path = folder / ("etc" if name == "LINKS" else name.lower())
            path.mkdir(exist_ok=True)
            patch.setattr(keeper_init, name, str(path))
        patch.setattr(keeper_units, "PYTHON", sys.executable)
        patch.setattr(engine_state, "init_system", lambda: init)
        patch.setattr(keeper_init, "HAS_SYSTEMD", str(folder / "systemd"))
        if init == "systemd":
            (folder / "systemd").mkdir()
        self._run = programs.run
        patch.setattr(programs, "run", self._answer)
        patch.setattr(engine_state, "command_output", self._output)

    def service(self) -> Service:
        """What starts the keeper."""
        return keeper_init.service_of(self.paths)

    def close(self) -> None:
        """End what runs."""
        self._stop()
        for service in keeper_init.services_there(self.paths):
            service.remove()

    def kill(self) -> None:
        """Kill the keeper, with nobody to start it again."""
        os.kill(self.service().pid(), signal.SIGKILL)
        if self._process:
            self._process.wait()
        wait_for(lambda: not self.service().pid())

    def tree(self) -> list[str]:
        """Every file and link that there is."""
        return sorted(
            str(path) for path in self.folder.rglob("*") if "__pycache__" not in path.parts
        )

    def _answer(self, command: Sequence[str], *others: Any, **options: Any) -> str:
        """Takes the place of ``programs.run``: what changes the host."""
        words = [os.path.basename(command[0]), *command[1:]]
        call = " ".join(words)
        self.calls.append(call)
        if self.failing and self.failing in call:
            raise LoadBalancingError(f"{call} failed (1). It said nothing.")
        if words[0] == "systemctl":
            self._systemctl(words[1], words[-1])
            return ""
        if words[0] == "update-rc.d":
            self._update_links(*words[1:])
            return ""
        return self._run(command, *others, **options)

    def _systemctl(self, action: str, unit: str) -> None:
        link = self.folder / "units" / "multi-user.target.wants" / unit
        if action in ("stop", "disable"):
            self._stop()
        if action == "enable":
            link.parent.mkdir(exist_ok=True)
            link.touch()
        elif action == "disable":
            link.unlink(missing_ok=True)
        elif action == "start":
            parser = configparser.ConfigParser(interpolation=None)
            parser.read(self.folder / "units" / unit)
            service = parser["Service"]
            self._process = subprocess.Popen(
                shlex.split(service["ExecStart"]),
                cwd=service["WorkingDirectory"],
                stderr=subprocess.DEVNULL,
            )

    def _update_links(self, name: str, action: str) -> None:
        link = self.links / "rc3.d" / f"S01{name}"
        link.parent.mkdir(exist_ok=True)
        if action == "defaults":
            link.touch()
        else:
            assert not (self.folder / "scripts" / name).exists(), "the script goes first"
            link.unlink(missing_ok=True)

    def _stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def _output(self, command: Sequence[str], *_unused: object) -> str:
        """Takes the place of ``command_output``: what only asks."""
        if command[1] == "is-enabled":
            wanted = self.folder / "units" / "multi-user.target.wants" / command[2]
            return "enabled" if wanted.exists() else "disabled"
        if command[1] == "show":
            runs = self._process is not None and self._process.poll() is None
            return f"MainPID={self._process.pid if runs and self._process else 0}"
        assert command[0] == "journalctl"
        return "no keeper today"


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def version(paths: StackPaths) -> str:
    """The code in force."""
    return keeper_code.version(keeper_code.current(paths))
