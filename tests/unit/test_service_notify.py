# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service's words to whoever started it, heard by a real socket."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import service_notify


class Manager:
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """The lines of the next message."""
        return self._socket.recv(65_536).decode().split("\n")

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@pytest.fixture(name="manager")
def manager_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """A manager that started this process."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setattr(service_notify, "_started", threading.Event())
    manager = Manager(address)
    yield manager
    manager.close()


def test_a_service_starts_lives_and_ends(manager: Manager) -> None:
    service_notify.ready("keeps shop")
    assert manager.heard() == ["READY=1", "STATUS=keeps shop"]
    service_notify.alive()
    assert manager.heard() == ["WATCHDOG=1"]
    service_notify.stopping("bye")
    assert manager.heard() == ["STOPPING=1", "STATUS=bye"]


def test_a_sign_of_life_before_the_start_is_over_asks_for_more_time(manager: Manager) -> None:
    service_notify.alive("waits for the engine")
    assert manager.heard() == [
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=60000000",
        "STATUS=waits for the engine",
    ]


def test_an_address_that_is_no_file(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"lbtest{tmp_path}"
    other = Manager(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    service_notify.ready()
    assert other.heard() == ["READY=1"]
    other.close()
    with pytest.raises(BlockingIOError):
        manager.heard()


class Sender:
    """Takes the place of a socket that sends."""

    sent: ClassVar[list[bytes]] = []

    def __init__(self, *_unused: object) -> None:
        self.sent.clear()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_unused: object) -> None:
        return None

    def setblocking(self, _unused: bool) -> None:
        """Whatever."""

    def sendto(self, message: bytes, _address: str) -> None:
        """Remember it."""
        self.sent.append(message)


@given(st.text())
def test_a_status_is_one_line(text: str) -> None:
    """Another line of it would be an assignment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTIFY_SOCKET", "/run/notify")
        patch.setattr(socket, "socket", Sender)
        service_notify.ready(text)
    lines = Sender.sent[0].split(b"\n")
    assert lines[0] == b"READY=1"
    assert [line[:7] for line in lines[1:]] == ([b"STATUS="] if text.split() else [])


def test_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", None)
    service_notify.ready()


def test_a_manager_that_is_gone_or_does_not_read_stops_nobody(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _unused in range(2000):  # more than a socket holds (net.unix.max_dgram_qlen)
        service_notify.alive()
    assert manager.heard()[0] == "WATCHDOG=1"
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    service_notify.alive()


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("8000000", None, 8.0),
        ("8000000", "own", 8.0),
        ("8000000", "1", 0.0),
        ("500", None, 0.0005),
        ("-1", None, 0.0),
        ("soon", None, 0.0),
        (None, None, 0.0),
    ],
)
def test_how_long_one_may_be_silent(
    microseconds: str | None, pid: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = str(os.getpid()) if pid == "own" else pid
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", own)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert service_notify.watchdog_seconds() == seconds
