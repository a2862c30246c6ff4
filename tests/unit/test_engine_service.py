# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the engine is started, enabled and made to read its settings, with programs that note it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_service,
    engine_state,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.engine_host import EngineHost
from tests.unit.processes import programs


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    """A host on which the engine does not run."""
    there = EngineHost(tmp_path, monkeypatch)
    for name in ("PID_FILE", "_CONTAINERD_PID_FILE", "_DIRECT_PID_FILE", "LOG_FILE"):
        path = there.below(str(getattr(engine_service, name)))
        monkeypatch.setattr(engine_service, name, path)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    yield there
    there.engine.close()


def why(init: str, timeout: float = 0.0) -> str:
    with pytest.raises(LoadBalancingError) as caught:
        engine_service.start(init, timeout)
    return str(caught.value)


def test_an_engine_that_answers(there: EngineHost) -> None:
    assert not engine_service.wait_until_answers(0.3)
    there.engine.listen()
    assert engine_service.wait_until_answers(0)


def test_it_is_started_directly_where_nothing_starts_services(there: EngineHost) -> None:
    Path(engine_service.PID_FILE).write_text("999999999", encoding="ascii")
    Path(engine_service.LOG_FILE).write_text("starting\ncannot mount\n", encoding="utf-8")
    daemon = there.programs.have("dockerd")
    there.programs.have("start-stop-daemon")
    assert why("none") == (
        "the Docker engine did not answer within 0 s. Its last words:\nstarting\ncannot mount"
    )
    (call,) = there.programs.calls()
    assert call.startswith("start-stop-daemon --start --background --make-pidfile --pidfile ")
    assert call.endswith(f"--output {engine_service.LOG_FILE} --exec {daemon}")
    assert not os.path.exists(engine_service.PID_FILE), "it was of an earlier run"
    there.engine.listen()
    assert engine_service.start("none", 0) == "direct"


def test_an_engine_without_words(there: EngineHost) -> None:
    there.programs.have("start-stop-daemon")
    assert why("none").endswith("Its last words: It said nothing.")


def test_an_init_script_that_fails_is_no_end(there: EngineHost) -> None:
    there.programs.have("start-stop-daemon")
    there.engine.listen()
    assert engine_service.start("sysv", 0) == "direct", "there is no such script"


def test_a_unit_that_gave_up_may_try_again(there: EngineHost) -> None:
    there.programs.have("systemctl")
    there.engine.listen()
    assert engine_service.start("systemd", 0) == "systemd"
    assert there.programs.calls() == [
        "systemctl reset-failed docker.service",
        "systemctl start docker.service",
    ]


@pytest.mark.parametrize(
    ("journal", "words"),
    [("echo 'no space left on device'", "\nno space left on device"), ("exit 1", "")],
)
def test_a_unit_that_fails_is_told_with_its_journal(
    there: EngineHost, journal: str, words: str
) -> None:
    there.programs.have("systemctl", '[ "$1" != start ] || { echo "Job failed."; exit 1; }')
    there.programs.have("journalctl", journal)
    assert why("systemd") == f"systemctl start docker failed (1).\nJob failed.{words}"


@pytest.mark.parametrize(
    ("init", "call"),
    [
        ("systemd", ["systemctl enable docker.service"]),
        ("sysv", ["update-rc.d docker defaults"]),
        ("none", []),
    ],
)
def test_it_starts_with_the_host(there: EngineHost, init: str, call: list[str]) -> None:
    there.programs.have("systemctl")
    there.programs.have("update-rc.d")
    engine_service.enable(init)
    assert there.programs.calls() == call


def test_a_reload_is_a_signal(there: EngineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_service.reload()  # nothing runs, nothing happens
    sent: list[tuple[int, int]] = []
    with programs() as start:
        pid = start("/bin/sh", "-c", "echo; exec sleep 60")
        there.write(engine_state.PID_FILE, str(pid))
        there.write(f"/proc/{pid}/comm", "dockerd")
        monkeypatch.setattr(os, "kill", lambda *what: sent.append(what))
        engine_service.reload()
    assert sent == [(pid, signal.SIGHUP)]


def test_a_pid_file_that_cannot_be_read_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "docker.pid"
    path.write_bytes(b"\xff")
    assert engine_service.remove_stale_pid_file(str(path), "dockerd")
    assert not path.exists()
