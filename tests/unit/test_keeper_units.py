# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit and the init script: safe texts, which the tools that read them accept."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper_code,
    keeper_guard,
    keeper_units,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

PACKAGE = "ansible_collections.digiz.load_balancing.plugins.module_utils"
SHOP = StackPaths("shop")


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The sections of a unit. No key stands twice in ours."""
    parser: Any = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_the_unit_runs_the_keeper_and_keeps_it_running() -> None:
    unit = parsed(keeper_units.unit(SHOP))
    service = unit["Service"]
    assert service["ExecStart"] == f"/usr/bin/python3 -m {PACKAGE}.keeper --stack shop"
    assert service["WorkingDirectory"] == "/opt/shop/keeper/current"
    assert (service["Type"], service["Restart"], service["RestartSec"]) == ("notify", "always", "1")
    assert (service["WatchdogSec"], service["WatchdogSignal"]) == ("6", "SIGKILL")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_the_keeper_outlives_a_restart_of_the_engine() -> None:
    """Only Wants= does not stop it with the engine (systemd.unit(5))."""
    unit = parsed(keeper_units.unit(SHOP))["Unit"]
    assert unit["Wants"] == "docker.service"
    assert "docker.service" in unit["After"].split()
    assert not {"Requires", "BindsTo", "PartOf", "Requisite"} & set(unit)


def test_what_the_keeper_publishes_can_be_read_by_a_container_with_other_user_ids() -> None:
    """Its root is another user where the engine maps user ids (userns-remap)."""
    assert parsed(keeper_units.unit(SHOP))["Service"]["UMask"] == "0022"
    assert "--umask 022 " in keeper_units.script(SHOP, "/run/keeper.pid")


def test_the_keeper_writes_into_its_stacks_folder_only() -> None:
    service = parsed(keeper_units.unit(SHOP))["Service"]
    assert (service["ProtectSystem"], service["ReadWritePaths"]) == ("strict", "/opt/shop")
    assert service["CapabilityBoundingSet"].split() == [
        "CAP_SYS_PTRACE",
        "CAP_DAC_READ_SEARCH",
        "CAP_NET_BIND_SERVICE",
    ]
    assert service["NoNewPrivileges"] == service["MemoryDenyWriteExecute"] == "yes"
    assert service["SystemCallFilter"] == "@system-service"


def test_the_keeper_sees_processes_and_cgroups_of_the_host() -> None:
    """It reads /proc/<pid>/cgroup of containers, and their files in /sys/fs/cgroup, read-only."""
    service = parsed(keeper_units.unit(SHOP))["Service"]
    assert service["ProtectControlGroups"] == "yes"
    assert not {"ProtectProc", "ProcSubset", "PrivatePIDs", "TemporaryFileSystem"} & set(service)
    assert not {"InaccessiblePaths", "RootDirectory", "RootImage", "PrivateUsers"} & set(service)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "digiz-keeper-shop.service"
    path.write_text(keeper_units.unit(SHOP), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "digiz-keeper" in line]
    assert ours == []


# names


NAME = r"[a-z0-9][a-z0-9_-]{0,39}"


@given(st.from_regex(NAME, fullmatch=True))
def test_every_allowed_name_makes_a_service(name: str) -> None:
    paths = StackPaths(name)
    texts = [keeper_units.unit(paths), keeper_units.script(paths, "/run/keeper.pid")]
    plain = [keeper_units.unit(SHOP), keeper_units.script(SHOP, "/run/keeper.pid")]
    assert [text.count("\n") for text in texts] == [text.count("\n") for text in plain]
    assert keeper_units.service_name(name) == f"digiz-keeper-{name}"
    assert parsed(texts[0])["Service"]["ReadWritePaths"] == f"/opt/{name}"


@given(st.text().filter(lambda name: not re.fullmatch(NAME, name)))
@example("shop\n")
@example("-shop")
@example("s" * 41)
def test_every_other_name_is_refused(name: str) -> None:
    paths = StackPaths(name)
    for render in (keeper_units.unit, lambda there: keeper_units.script(there, "/run/keeper.pid")):
        with pytest.raises(LoadBalancingError, match="Set the variable stack_name"):
            render(paths)


def test_the_error_names_the_value() -> None:
    with pytest.raises(LoadBalancingError) as caught:
        keeper_units.unit(StackPaths("Shop; rm"))
    assert str(caught.value) == (
        "stack_name: 'Shop; rm' is not allowed: 1 to 40 lower-case letters, digits, - and _, "
        "beginning with a letter or a digit. Set the variable stack_name."
    )


# the script


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="there is no shellcheck here")
def test_the_script_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "digiz-keeper-shop"
    path.write_text(keeper_units.script(SHOP, "/run/keeper.pid"), encoding="utf-8")
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_the_guard_has_the_time_to_stop_the_keeper() -> None:
    text = keeper_units.script(SHOP, "/run/keeper.pid")
    found = re.search(r"--retry TERM/(\d+)/KILL", text)
    assert found
    assert int(found[1]) > keeper_guard.Patience.stop


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


class Script:
    """The real script with a guard that only sleeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = StackPaths("shop", str(folder))
        self.paths.create()
        self.pid_file = folder / "keeper.pid"
        self._path = folder / "script"
        text = "import os, time\nprint(dict(os.environ), flush=True)\ntime.sleep(600)\n"
        keeper_code.install(self.paths, {"keeper_guard": text})
        self._path.write_text(keeper_units.script(self.paths, str(self.pid_file)), encoding="utf-8")
        self._path.chmod(0o755)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Its exit status, and what it says."""
        done = subprocess.run(
            [str(self._path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "SECRET": "of the caller"},
        )
        return done.returncode, done.stdout

    def pid(self) -> int:
        """What the pid file says, 0 without one."""
        return int(self.pid_file.read_text("ascii")) if self.pid_file.exists() else 0


@pytest.fixture(name="script")
def script_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """A script whose keeper does not run yet."""
    if not shutil.which("start-stop-daemon"):
        pytest.skip("there is no start-stop-daemon here")
    monkeypatch.setattr(keeper_units, "PYTHON", sys.executable)
    script = Script(tmp_path)
    yield script
    script.run("stop")


def test_the_script_starts_once_and_stops(script: Script) -> None:
    assert script.run("status") == (3, "digiz-keeper-shop does not run.\n")
    assert script.run("start") == (0, "")
    pid = script.pid()
    assert script.run("status") == (0, f"digiz-keeper-shop runs with process id {pid}.\n")
    assert script.run("start") == (0, "")
    assert script.pid() == pid, "it ran already"
    assert os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(keeper_code.current(script.paths))
    assert b"SECRET" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert script.run("stop") == (0, "")
    assert not runs(pid)
    assert (script.pid(), script.run("stop")) == (0, (0, ""))
    assert script.run("status") == (3, "digiz-keeper-shop does not run.\n")


def test_a_restart_is_another_process(script: Script) -> None:
    for action in ("restart", "force-reload"):
        before = script.pid()
        assert script.run(action) == (0, "")
        assert script.pid() not in (0, before)
        assert script.run("status")[0] == 0


@pytest.mark.parametrize("content", ["{own}\n", "999999999\n", "text\n", ""])
def test_a_pid_file_of_another_boot_is_no_obstacle(script: Script, content: str) -> None:
    """Its number may be that of any process now: this one lives on."""
    script.pid_file.write_text(content.format(own=os.getpid()), encoding="ascii")
    assert script.run("status")[0] == 3
    assert script.run("stop") == (0, "")
    script.pid_file.write_text(content.format(own=os.getpid()), encoding="ascii")
    assert script.run("start") == (0, "")
    assert script.run("status")[0] == 0


def test_the_script_says_how_it_is_used(script: Script) -> None:
    for arguments in ([], ["dance"]):
        status, text = script.run(*arguments)
        assert status == 2
        assert text.endswith("/script start|stop|restart|force-reload|status\n")
