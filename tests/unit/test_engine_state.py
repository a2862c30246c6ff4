# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is found out about the engine of a host, with its files, its programs and its socket."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_state
from tests.unit.fakes.engine_host import EngineHost, elf


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    """A virgin host."""
    there = EngineHost(tmp_path, monkeypatch)
    yield there
    there.engine.close()


VIRGIN = engine_state.EngineState(
    running=False,
    engine="",
    client="",
    compose="",
    buildx="",
    sdk=False,
    sdk_system=False,
    busybox=False,
    logrotate=False,
    init="none",
    enabled=True,
    family="none",
    swarm=False,
    live_restore=False,
)


def test_a_virgin_host(there: EngineHost) -> None:
    assert engine_state.observe() == VIRGIN
    assert there.programs.calls() == []


def test_a_host_that_has_everything(there: EngineHost) -> None:
    there.have_docker()
    there.run_systemd(enabled=True)
    there.run_engine(
        "-H",
        "fd://",
        "--live-restore=true",
        "--debug",
        ServerVersion="26.1.5+dfsg1",
        LiveRestoreEnabled=True,
        Swarm={"LocalNodeState": "active"},
    )
    assert engine_state.observe() == engine_state.EngineState(
        running=True,
        engine="26.1.5+dfsg1",
        client="26.1.5",
        compose="2.26.1-4",
        buildx="v0.13.1",
        sdk=True,
        sdk_system=True,
        busybox=True,
        logrotate=True,
        init="systemd",
        enabled=True,
        family="distribution",
        swarm=True,
        live_restore=True,
        flags=("live-restore", "debug"),
    )


def test_a_client_without_an_engine(there: EngineHost) -> None:
    there.have_docker(server=False)
    state = engine_state.observe()
    assert (state.running, state.client, state.compose) == (False, "26.1.5+dfsg1", "2.26.1-4")
    assert state.missing() == []


def test_an_engine_that_says_nothing_useful(there: EngineHost) -> None:
    there.run_engine()
    there.engine.answers["/info"] = (500, {"message": "driver failed"})
    assert engine_state.observe() == dataclasses.replace(VIRGIN)
    there.engine.answers["/info"] = (200, "not JSON")
    assert engine_state.observe() == dataclasses.replace(VIRGIN, running=True)


@pytest.mark.parametrize(
    ("listed", "program", "family"),
    [
        ("docker-ce installed\ndocker.io config-files", "dockerd", "docker"),
        ("docker.io installed", "dockerd", "distribution"),
        ("docker.io config-files", "dockerd", "other"),
        ("", "", "none"),
    ],
)
def test_whose_engine_it_is(there: EngineHost, listed: str, program: str, family: str) -> None:
    there.programs.have("dpkg-query", f'echo "{listed}"; exit 1')
    if program:
        there.programs.have(program)
    assert engine_state.package_family() == family


def test_what_starts_services(there: EngineHost) -> None:
    assert engine_state.init_system() == "none"
    there.write("/etc/init.d/docker").chmod(0o755)
    assert engine_state.init_system() == "sysv"
    assert not engine_state.starts_at_boot("sysv")
    there.write("/etc/rc3.d/S01docker")
    assert engine_state.starts_at_boot("sysv")
    there.run_systemd(enabled=False)
    assert engine_state.init_system() == "systemd"
    assert not engine_state.starts_at_boot("systemd")


def test_the_engines_process(there: EngineHost) -> None:
    assert (engine_state.engine_pid(), engine_state.engine_flags()) == (0, ())
    there.write(engine_state.PID_FILE, "7")
    assert engine_state.engine_pid() == 0, "it has ended"
    name = there.write("/proc/7/comm", "bash\n")
    assert engine_state.engine_pid() == 0, "another program has its number now"
    name.write_text("dockerd\n", encoding="utf-8")
    assert engine_state.engine_pid() == 7
    there.write(engine_state.PID_FILE, "rubbish")
    assert engine_state.engine_pid() == 0


def test_a_busybox_that_runs_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "busybox"
    assert not engine_state.has_static_busybox(str(path))
    for kinds, static in (([1, 1], True), ([1, 3], False)):
        path.write_bytes(elf(kinds))
        assert engine_state.has_static_busybox(str(path)) is static
