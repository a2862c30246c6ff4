# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a keeper and a drill do to containers through Docker, and what they hear of them."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    DockerHost,
    is_lasting,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from tests.unit.fakes.engine import ONE_OFF
from tests.unit.fakes.host import SimulatedHost
from tests.unit.fakes.steps import calls

REFUSED = docker.errors.APIError("server error")
GONE = "f" * 64
FROM_ENV = docker.from_env
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    there = SimulatedHost(tmp_path, monkeypatch)
    there.engine.reuses = True
    return there


# containers


def test_a_container_is_stopped_and_started(there: SimulatedHost) -> None:
    one = there.replica()
    there.host.stop(one.id, 7)
    assert (one.status, one.address) == ("exited", "")
    there.host.start(one.id)
    assert (one.status, one.address) == ("running", "10.0.0.1")
    assert calls(there, "stop") == [(one.id, 7)]
    assert calls(there, "start") == [(one.id,)]


def test_a_paused_container_runs_on(there: SimulatedHost) -> None:
    one = there.replica(status="paused")
    there.host.unpause(one.id)
    assert one.status == "running"
    with pytest.raises(LoadBalancingError, match=r"Docker's engine refused: .* is not paused\."):
        there.host.unpause(one.id)


def test_networks_are_those_of_the_stack(there: SimulatedHost) -> None:
    one = there.replica()
    there.host.disconnect_network(one.id, "edge")
    assert one.address == ""
    there.host.connect_network(one.id, "edge")
    assert one.address == "10.0.0.1"
    assert calls(there, "disconnect") == [(one.id, "shop_edge", True)]
    assert calls(there, "connect") == [(one.id, "shop_edge")]
    with pytest.raises(LoadBalancingError, match=r"refused: .* already exists\."):
        there.host.connect_network(one.id, "edge")


def test_the_processes_of_a_container(there: SimulatedHost) -> None:
    one = there.replica(pid=4711)
    assert there.host.processes(one.id) == [4711, 4712]
    assert calls(there, "top") == [(one.id, "-eo pid")]


def test_what_the_engine_says_of_itself(there: SimulatedHost) -> None:
    assert there.host.info() == {"ServerVersion": "26.1.5", "LiveRestoreEnabled": True}


def test_a_row_of_the_list_as_a_replica(there: SimulatedHost) -> None:
    one = there.replica(revision="abc")
    asked: list[str] = []

    def is_healthy(address: str) -> bool:
        asked.append(address)
        return True

    (row,) = there.host.containers()
    found = there.host.replica(row, is_healthy)
    assert (found.id, found.revision, found.state) == (one.id, "abc", "healthy")
    assert asked == ["10.0.0.1"]
    assert there.host.replicas(lambda address: True) == (found,)


def test_what_compose_runs_once_does_not_last(there: SimulatedHost) -> None:
    there.replica()
    there.replica(labels={ONE_OFF: "True"})
    there.replica(labels={ONE_OFF: "False"})
    assert [is_lasting(row) for row in there.host.containers()] == [True, False, True]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("start", lambda host: host.start(GONE)),
        ("stop", lambda host: host.stop(GONE, 1)),
        ("unpause", lambda host: host.unpause(GONE)),
        ("connect", lambda host: host.connect_network(GONE, "edge")),
        ("disconnect", lambda host: host.disconnect_network(GONE, "edge")),
        ("top", lambda host: host.processes(GONE)),
        ("info", lambda host: host.info()),
        ("events", lambda host: list(host.events("die"))),
    ],
)
def test_an_engine_that_refuses_is_told(
    there: SimulatedHost, name: str, call: Callable[[DockerHost], object]
) -> None:
    there.engine.failing[name] = REFUSED
    with pytest.raises(LoadBalancingError) as caught:
        call(there.host)
    assert str(caught.value) == "Docker's engine refused: server error."


def test_who_is_gone_is_told(there: SimulatedHost) -> None:
    with pytest.raises(LoadBalancingError, match="refused: no such container ffffffffffff"):
        there.host.start(GONE)


# events


def test_events_are_told_one_by_one(there: SimulatedHost) -> None:
    there.engine.happened = [("die", "a"), ("", ""), ("start", "a")]
    stream = there.host.events("die", "start")
    assert next(stream) == ("die", "a")
    assert len(there.engine.happened) == 2, "it waits for each"
    assert list(stream) == [("", ""), ("start", "a")]
    filters = {
        "type": "container",
        "label": "digiz.load_balancing.stack=shop",
        "event": ["die", "start"],
    }
    assert calls(there, "events") == [(True, filters)]


@pytest.mark.parametrize(
    "error", [REFUSED, ConnectionResetError("server error"), ValueError("server error")]
)
def test_events_that_break_off_are_told(there: SimulatedHost, error: Exception) -> None:
    there.engine.happened = [("die", "a")]
    there.engine.failing["event"] = error
    with pytest.raises(LoadBalancingError) as caught:
        list(there.host.events("die"))
    assert str(caught.value) == "Docker's engine ended its events: server error."


class _Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An engine's socket, for the real SDK. ``events`` is all that it says when asked for them."""

    daemon_threads = True
    events = b""


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while request := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            if b"/events" in request:
                assert isinstance(self.server, _Engine)
                self.wfile.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + self.server.events)
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = b'{"ApiVersion": "1.45"}' if b"/version" in request else b"OK"
            self.wfile.write(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


@contextmanager
def engine(folder: Path, events: bytes) -> Iterator[str]:
    """Have it listen; gives where."""
    path = str(folder / "engine.sock")
    server = _Engine(path, _Answer)
    server.events = events
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chunk(event: dict[str, Any]) -> bytes:
    data = json.dumps(event).encode() + b"\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"", b'20\r\n{"Action": "sta'])
def test_an_engine_that_ends_in_the_middle_ends_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    """As the real SDK tells it: properly, without a last chunk, or within a chunk."""
    died = {"Type": "container", "Action": "die", "Actor": {"ID": "a"}}
    with engine(tmp_path, chunk(died) + chunk({"Type": "container"}) + end) as address:
        monkeypatch.setattr(docker, "from_env", FROM_ENV)
        monkeypatch.setitem(os.environ, "DOCKER_HOST", address)
        host = DockerHost.connect(StackPaths("shop"))
        assert list(host.events("die")) == [("die", "a"), ("", "")]
