# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health checks against real servers on loopback, good ones and faulty ones."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import (
    is_healthy,
    probe,
)

HOST = "127.0.0.1"
SILENCE = b""


class Server:
    """Answers each connection with the next of these bytes; hangs when told to be silent. With
    ``drip`` seconds between one byte and the next.
    """

    def __init__(self, *answers: bytes, drip: float = 0.0) -> None:
        self._drip = drip
        self.requests: list[bytes] = []
        self._answers = list(answers)
        self._socket = socket.create_server((HOST, 0))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """End it."""
        self._done.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _unused = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65_536))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if answer == SILENCE:
                    self._done.wait(0.5)
                elif self._drip:
                    self._dribble(connection, answer)
                else:
                    connection.sendall(answer)

    def _dribble(self, connection: socket.socket, answer: bytes) -> None:
        for byte in answer:
            if self._done.wait(self._drip):
                return
            try:
                connection.send(bytes([byte]))
            except OSError:
                return  # the client has gone away


@contextmanager
def server(*answers: bytes, drip: float = 0.0) -> Iterator[Server]:
    one = Server(*answers, drip=drip)
    try:
        yield one
    finally:
        one.close()


def status(code: int) -> bytes:
    return f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize("code", [200, 204, 301, 399])
def test_answers_that_are_healthy(code: int) -> None:
    with server(status(code)) as one:
        found = probe(HOST, one.port, "/health?deep=1")
    assert (found.healthy, found.reason) == (True, "")
    assert 0 < found.seconds < 1
    assert one.requests[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
    assert b"User-Agent: digiz-load-balancing-probe\r\n" in one.requests[0]
    assert b"Connection: close\r\n" in one.requests[0]


@pytest.mark.parametrize("code", [199, 400, 404, 500, 503])
def test_answers_that_are_not(code: int) -> None:
    with server(status(code)) as one:
        found = probe(HOST, one.port, "/health")
    assert (found.healthy, found.reason) == (False, f"answered {code}")


def test_other_statuses_may_be_healthy() -> None:
    statuses = ((204, 204), (401, 403))
    with server(status(204), status(402), status(200), status(400), status(404)) as one:
        found = [probe(HOST, one.port, "/", statuses=statuses) for _unused in range(5)]
    assert [one.reason for one in found] == ["", "", *(f"answered {s}" for s in (200, 400, 404))]
    with server(status(200), status(401)) as one:
        assert is_healthy(HOST, one.port, "/", fall=2, statuses=statuses)
        assert len(one.requests) == 2


def test_nobody_listens() -> None:
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    found = probe(HOST, port, "/health")
    assert (found.healthy, found.reason) == (False, "[Errno 111] Connection refused")


def test_a_server_that_hangs_takes_no_longer_than_the_limit() -> None:
    with server(SILENCE) as one:
        started = time.monotonic()
        found = probe(HOST, one.port, "/health", timeout=0.1)
        assert time.monotonic() - started < 0.9  # rather than the 1 s that is the default
    assert (found.healthy, found.reason) == (False, "timed out")
    assert found.seconds >= 0.1


def test_an_answer_that_drips_takes_no_longer_than_the_limit() -> None:
    """Each byte is there in time, all of them would take 40 s."""
    with server(b"HTTP/1.1 200 X\r\nX-Long: " + b"x" * 800, drip=0.05) as one:
        found = probe(HOST, one.port, "/health", timeout=0.4)
    assert (found.healthy, found.reason) == (False, "timed out")
    assert 0.4 <= found.seconds < 10


def test_an_answer_in_pieces_is_put_together() -> None:
    with server(status(200), drip=0.001) as one:
        found = probe(HOST, one.port, "/health", timeout=30)
    assert (found.healthy, found.reason) == (True, "")


@pytest.mark.parametrize("answer", [b"HTTP/1.0 200\n\n", b"HTTP/1.1 200 OK\r\n", status(200) * 9])
def test_what_is_http_in_some_way_is_healthy(answer: bytes) -> None:
    with server(answer) as one:
        assert probe(HOST, one.port, "/health").healthy


@pytest.mark.parametrize(
    "answer",
    [
        *(b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00\xff\xfe", b"HTTP/1.1 "),
        *(b"HTTP/1.1 2000 OK\r\n\r\n", b"x" * 70_000),
    ],
)
def test_what_is_no_http_is_ill(answer: bytes) -> None:
    with server(answer) as one:
        found = probe(HOST, one.port, "/health")
    assert (found.healthy, found.reason) == (False, "answered no HTTP")


def test_a_connection_that_is_closed_is_no_answer() -> None:
    with socket.create_server((HOST, 0)) as one:
        thread = threading.Thread(target=accept_and_close, args=(one,))
        thread.start()
        found = probe(HOST, one.getsockname()[1], "/health")
        thread.join()
    assert (found.healthy, found.reason) == (False, "closed the connection")


def accept_and_close(server: socket.socket) -> None:
    connection, _unused = server.accept()
    connection.recv(65_536)
    connection.close()


def test_a_path_that_is_no_path_is_ill() -> None:
    with server(status(200)) as one:
        found = probe(HOST, one.port, "/he alth")
    assert (found.healthy, one.requests) == (False, [])
    assert "URL can't contain control characters" in found.reason


def test_one_bad_answer_does_not_make_a_replica_ill() -> None:
    with server(status(503), status(503), status(200)) as one:
        assert is_healthy(HOST, one.port, "/health")
    with server(status(503), status(503), status(503), status(200)) as one:
        assert not is_healthy(HOST, one.port, "/health")
        assert len(one.requests) == 3
    with server(status(200)) as one:
        assert is_healthy(HOST, one.port, "/health", fall=1)
        assert len(one.requests) == 1
