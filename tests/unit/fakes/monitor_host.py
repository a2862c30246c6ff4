# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that runs monitors: Prometheus and Alertmanager are small programs that behave like them
as far as it matters, and so are promtool and amtool.
"""

from __future__ import annotations

import configparser
import getpass
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    monitor_install,
    monitor_service,
    monitor_units,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    MonitorSpec,
    Secrets,
)
from tests.unit.fakes.keeper_host import PATIENCE, KeeperHost, free_port, wait_for

REFUSED, UNPROVEN = "refused.example.com:9100", "unproven.example.com:9100"
"""Targets that make a configuration which the program, or the tool, does not take."""

PROGRAM = """
import http.server, signal, sys, time
words = dict(word[2:].partition("=")[::2] for word in sys.argv[1:])
name = "prometheus" if "storage.tsdb.path" in words else "alertmanager"
state = {"ok": 0, "at": 0.0}
def load(*_unused):
    with open(words["config.file"]) as file:
        state["ok"] = int("refused.example.com" not in file.read())
    if state["ok"]:
        state["at"] = time.time()
load()
signal.signal(signal.SIGHUP, load)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        prefix = f"{name}_config_last_reload_success"
        text = f"{prefix}ful {state['ok']}\\n{prefix}_timestamp_seconds {state['at']!r}\\n"
        self.wfile.write(text.encode() if self.path == "/metrics" else b"ready")
    def log_message(self, *_unused):
        pass
host, _colon, port = words["web.listen-address"].rpartition(":")
http.server.HTTPServer((host, int(port)), Page).serve_forever()
"""
TOOL = """\
#!/bin/sh
for file in "$@"; do :; done
if grep -q unproven "$file"; then
    cat "$(dirname "$file")/alertmanager.yml"
    exit 1
fi
"""


class MonitorHost(KeeperHost):
    """A host with the init system ``systemd`` or ``sysv``, and a stack ``shop``."""

    def __init__(self, folder: Path, init: str, patch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, init, patch)
        self.version = "alertmanager, version 0.28.1 (branch: debian/sid)"
        self.given_away: list[str] = []
        self.secrets = Secrets(("https://example.com/hooks/T0P-53CR3T",))
        self.spec = MonitorSpec("shop", free_port(), free_port(), free_port())
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        program, tool = folder / "program.py", folder / "tool"
        program.write_text(PROGRAM, encoding="utf-8")
        tool.write_text(TOOL, encoding="utf-8")
        tool.chmod(0o755)
        real = monitor_units.programs_of

        def programs_of(paths: StackPaths, spec: MonitorSpec) -> list[monitor_units.Program]:
            return [
                monitor_units.Program(one.name, one.port, (str(program), *one.arguments))
                for one in real(paths, spec)
            ]

        patch.setattr(monitor_units, "programs_of", programs_of)
        patch.setattr(
            monitor_units, "BINARIES", dict.fromkeys(monitor_units.BINARIES, sys.executable)
        )
        patch.setattr(monitor_units, "USER", getpass.getuser())
        patch.setattr(monitor_install, "PROMTOOL", str(tool))
        patch.setattr(monitor_install, "AMTOOL", str(tool))
        patch.setattr(monitor_service, "START_TIMEOUT", 20.0)
        patch.setattr(monitor_service, "RELOAD_TIMEOUT", 3.0)
        patch.setattr(shutil, "chown", lambda path, *_who: self.given_away.append(str(path)))

    def bring(self, check: bool = False) -> monitor_install.Change:
        """Have the monitor of the spec run."""
        return monitor_install.present(self.paths, self.spec, self.secrets, check)

    def pids(self) -> list[int]:
        """Of both programs, Alertmanager's first; 0 for one that does not run."""
        programs = monitor_units.programs_of(self.paths, self.spec)
        return [monitor_service.service_of(self.paths, one).pid() for one in programs]

    def kill_first(self) -> None:
        """Kill Alertmanager, with nobody to start it again."""
        os.kill(self.pids()[0], signal.SIGKILL)
        for process in self._processes.values():
            process.poll()
        wait_for(lambda: not self.pids()[0])

    def close(self) -> None:
        """End what runs."""
        monitor_service.stop(self.paths)
        for unit in list(self._processes):
            self._end(unit)

    def _systemctl(self, action: str, unit: str) -> None:
        link = self.folder / "units" / "multi-user.target.wants" / unit
        if action in ("stop", "disable"):
            self._end(unit)
        if action == "enable":
            link.parent.mkdir(exist_ok=True)
            link.touch()
        elif action == "disable":
            link.unlink(missing_ok=True)
        elif action == "start":
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            parser.read(self.folder / "units" / unit)
            service = parser["Service"]
            self._processes[unit] = subprocess.Popen(
                shlex.split(service["ExecStart"]),
                cwd=service["WorkingDirectory"],
                stderr=subprocess.DEVNULL,
            )

    def _end(self, unit: str) -> None:
        process = self._processes.pop(unit, None)
        if process:
            process.terminate()
            process.wait(PATIENCE)

    def _output(self, command: Sequence[str], *_unused: object) -> str:
        if command[-1] == "--version":
            return self.version
        if command[1] == "show":
            process = self._processes.get(command[-1])
            return f"MainPID={process.pid if process and process.poll() is None else 0}"
        return super()._output(command)


def tree(folder: str) -> dict[str, Any]:
    """Texts and modes of the files in a folder, by their names."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            name = str(path.relative_to(folder))
            found[name] = (path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777)
    return found
