# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile requests to a real nginx: each is refused, none is smuggled, and others are served."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.integration.nginx_live import Balancer, Replicas, need_image

CLIENT_TIMEOUT = 2
HALF_OPEN = 500
MEGABYTE = 2**20
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n"


class Control:
    """A client that makes ordinary requests all the while, kept-alive and new ones in turn."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._done = threading.Event()
        self.good = 0
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(kept,)) for kept in (True, False)]
        for thread in self._threads:
            thread.start()

    def _run(self, kept: bool) -> None:
        connection = self._connection()
        while not self._done.wait(0.01):
            try:
                connection.request("POST", "/api/control", b"hello", {"Host": "shop.example"})
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200, body
                self.good += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failed.append(repr(error))
                connection.close()
                connection = self._connection()
            if not kept:
                connection.close()
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)

    def stop(self) -> None:
        """End, and say how it went."""
        self._done.set()
        for thread in self._threads:
            thread.join(10)
        assert self.failed == []
        assert self.good > 100


@pytest.fixture(scope="module")
def replicas() -> Iterator[Replicas]:
    need_image()
    running = Replicas()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory, replicas: Replicas) -> Iterator[Balancer]:
    running = Balancer(tmp_path_factory.mktemp("balancer"))
    running.publish(
        replicas.members,
        server_names=["shop.example"],
        client_timeout=CLIENT_TIMEOUT,
        header_size="16k",
    )
    yield running
    said = running.stop()
    assert not {"[alert]", "[crit]", "[emerg]"} & set(said.split()), said


@pytest.fixture(scope="module", autouse=True)
def control(balancer: Balancer) -> Iterator[Control]:
    running = Control(balancer.port)
    yield running
    running.stop()


def converse(port: int, sent: bytes, seconds: float = 10) -> bytes:
    """Everything that comes back until the connection is closed, which it must be in time."""
    found = b""
    with (
        socket.create_connection(("127.0.0.1", port), seconds) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(sent)
        while piece := connection.recv(65536):
            found += piece
    return found


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)]


def arrived(replicas: Replicas) -> list[str]:
    """Paths that reached the application, but those of the control client."""
    return [one["path"] for one in replicas.seen() if one["path"] != "/api/control"]


def post(headers: str, body: str = "", version: str = "1.1") -> bytes:
    head = f"POST /first HTTP/{version}\r\nHost: shop.example\r\n{headers}\r\n"
    return (head + body).encode("latin-1")


def get(target: str = "/first", host: str = "Host: shop.example\r\n", more: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\n{host}{more}Connection: close\r\n\r\n".encode("latin-1")


CHUNKED = "Transfer-Encoding: chunked\r\n"
LENGTH = f"Content-Length: {len(SMUGGLED)}\r\n"
NO_CHUNKS = "0\r\n\r\n"
# What is sent, and the statuses that it may get; a closed connection without any is as good.
REFUSED: dict[str, tuple[bytes, set[int]]] = {
    "length and chunks": (post(LENGTH + CHUNKED, NO_CHUNKS + SMUGGLED), {400}),
    "chunks and length": (post(CHUNKED + "Content-Length: 4\r\n", NO_CHUNKS + SMUGGLED), {400}),
    "two codings in one line": (
        post("Transfer-Encoding: chunked, identity\r\n", NO_CHUNKS + SMUGGLED),
        {400, 501},
    ),
    "two lines of codings": (post(CHUNKED + CHUNKED, NO_CHUNKS + SMUGGLED), {400, 501}),
    "two different codings": (
        post(CHUNKED + "Transfer-Encoding: x\r\n", NO_CHUNKS + SMUGGLED),
        {400, 501},
    ),
    "a coding nobody knows": (
        post("Transfer-Encoding: xchunked\r\n" + LENGTH, NO_CHUNKS + SMUGGLED),
        {400, 501},
    ),
    "a coding after a tab": (
        post("Transfer-Encoding:\x0bchunked\r\n" + LENGTH, NO_CHUNKS + SMUGGLED),
        {400, 501},
    ),
    "chunks in HTTP/1.0": (post(CHUNKED, NO_CHUNKS + SMUGGLED, "1.0"), {400, 501}),
    "two lengths": (post("Content-Length: 0\r\n" + LENGTH, SMUGGLED), {400}),
    "two lengths in one line": (post(f"Content-Length: 0, {len(SMUGGLED)}\r\n", SMUGGLED), {400}),
    "the same length twice": (post(LENGTH + LENGTH, SMUGGLED), {400}),
    "a signed length": (post("Content-Length: +4\r\n", SMUGGLED), {400}),
    "a negative length": (post("Content-Length: -1\r\n", SMUGGLED), {400}),
    "a length with a letter": (post("Content-Length: 4x\r\n", SMUGGLED), {400}),
    "a length beyond all numbers": (post(f"Content-Length: {'9' * 30}\r\n", SMUGGLED), {400, 413}),
    "a chunk size that is none": (post(CHUNKED, "zz\r\n" + SMUGGLED), {400}),
    "a negative chunk size": (post(CHUNKED, "-1\r\n" + SMUGGLED), {400}),
    "a chunk size in C": (post(CHUNKED, "0x4\r\nabcd\r\n" + NO_CHUNKS), {400}),
    "a chunk size that overflows": (post(CHUNKED, "fffffffffffffffff1\r\nab\r\n"), {400, 413}),
    "a chunk longer than it says": (post(CHUNKED, "2\r\nabcd\r\n" + NO_CHUNKS), {400}),
    "a chunk without its end": (post(CHUNKED, "4\r\nabcdX0\r\n\r\n"), {400}),
    "a folded header": (post("X-A: 1\r\n Transfer-Encoding: chunked\r\n", NO_CHUNKS), {400}),
    "a folded first header": (
        b"POST /first HTTP/1.1\r\n Host: shop.example\r\n\r\n",
        {400},
    ),
    "a space before the colon": (post("Transfer-Encoding : chunked\r\n", NO_CHUNKS), {400}),
    "a tab before the colon": (post("Content-Length\t: 4\r\n", "abcd"), {400}),
    "a header without a name": (post(": 4\r\n", "abcd"), {400}),
    "a bare CR in a header": (post("X-A: 1\rContent-Length: 4\r\n", "abcd"), {400}),
    "a null byte in a header": (post("X-A: a\0b\r\n"), {400}),
    "a null byte in a header's name": (post("X\0A: b\r\n"), {400}),
    "a null byte in the path": (get("/a\0b"), {400}),
    "an encoded null byte": (get("/a%00b"), {400}),
    "a control character in the path": (get("/a\x01b"), {400}),
    "a broken escape": (get("/a%zz"), {400}),
    "out of the root": (get("/../../etc/passwd"), {400}),
    "out of the root, encoded": (get("/%2e%2e/%2e%2e/etc/passwd"), {400}),
    "out of the root, slashes too": (get("/..%2f..%2fetc%2fpasswd"), {400}),
    "out of a folder": (get("/a/../../etc/passwd"), {400}),
    "no host": (get(host=""), {400}),
    "an empty host": (get(host="Host:\r\n"), {400}),
    "two hosts": (get(host="Host: shop.example\r\nHost: evil.example\r\n"), {400}),
    "a host with a slash": (get(host="Host: shop.example/evil\r\n"), {400}),
    "a host with a null byte": (get(host="Host: shop\0.example\r\n"), {400}),
    "no host in HTTP/1.0": (b"GET /first HTTP/1.0\r\n\r\n", {400}),
    "an unknown host": (get(host="Host: evil.example\r\n"), {421}),
    "another host in the target": (get("http://evil.example/first"), {400, 421}),
    "HTTP/0.9": (b"GET /first\r\n", {400, 421}),
    "HTTP/3.7": (b"GET /first HTTP/3.7\r\nHost: shop.example\r\n\r\n", {400, 505}),
    "HTTP/2 without being asked": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505}),
    "CONNECT": (b"CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example\r\n\r\n", {400, 405}),
    "TRACE": (get().replace(b"GET", b"TRACE"), {405}),
    "a method in small letters": (get().replace(b"GET", b"get"), {400}),
    "TLS on the port for HTTP": (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 99,
        {400},
    ),
    "junk": (bytes(range(256)) * 4, {400}),
    "one long header": (get(more=f"X-A: {'a' * MEGABYTE}\r\n"), {400, 414, 431}),
    "many headers": (get(more="X-A: aaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 40_000), {400, 431}),
    "a long path": (get("/" + "a" * MEGABYTE), {414}),
    "a body of 100 MB": (post(f"Content-Length: {100 * MEGABYTE}\r\n", "x" * 10_000), {413}),
}
# These are harmless: one request arrives, written anew, and whatever follows is no request.
PASSED: dict[str, bytes] = {
    "bare LF for CRLF": b"GET /first HTTP/1.1\nHost: shop.example\nConnection: close\n\n",
    "empty lines first": b"\r\n\r\n" + get(),
    "a length before a body": post(LENGTH + "Connection: close\r\n", SMUGGLED),
    "chunks with an extension": post(
        CHUNKED + "Connection: close\r\n", f"{len(SMUGGLED):x};a=b\r\n{SMUGGLED}\r\n{NO_CHUNKS}"
    ),
    "the same host in the target": get("http://shop.example/first", "Host: evil.example\r\n"),
    "a header with an underscore": get(more="Content_Length: 5\r\n"),
    "dots that stay inside": get("/a/../first"),
    "slashes that are one": get("//first"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_request_is_refused(balancer: Balancer, replicas: Replicas, name: str) -> None:
    sent, allowed = REFUSED[name]
    replicas.reset()
    answer = converse(balancer.port, sent)
    found = statuses(answer)
    assert len(found) <= 1, answer[:300]
    assert set(found) <= allowed, answer[:300]
    assert arrived(replicas) == []
    assert b"etc/passwd" not in answer


@pytest.mark.parametrize("name", PASSED)
def test_what_is_only_odd_arrives_once(balancer: Balancer, replicas: Replicas, name: str) -> None:
    replicas.reset()
    answer = converse(balancer.port, PASSED[name])
    assert len(statuses(answer)) == 1, answer
    (only,) = [one for one in replicas.seen() if one["path"] != "/api/control"]
    assert statuses(answer) == [200], answer
    assert only["headers"]["host"] == "shop.example"
    assert "content_length" not in only["headers"]


def test_a_hostile_request_after_a_good_one_is_refused(
    balancer: Balancer, replicas: Replicas
) -> None:
    """On one kept-alive connection, where smuggling would happen."""
    first = post("Content-Length: 2\r\n", "hi")
    for name in ("length and chunks", "two lengths", "chunks in HTTP/1.0", "a folded header"):
        replicas.reset()
        answer = converse(balancer.port, first + REFUSED[name][0])
        assert statuses(answer)[0] == 200
        assert set(statuses(answer)[1:]) <= REFUSED[name][1]
        assert arrived(replicas) == ["/first"]


def test_a_body_without_an_end_is_cut_off(balancer: Balancer, replicas: Replicas) -> None:
    """100 MB in chunks: the application sees nothing of it."""
    replicas.reset()
    found = b""
    with socket.create_connection(("127.0.0.1", balancer.port), 10) as connection:
        connection.sendall(post(CHUNKED))
        with contextlib.suppress(OSError):
            for _piece in range(100):
                connection.sendall(f"{MEGABYTE:x}\r\n".encode() + b"x" * MEGABYTE + b"\r\n")
            connection.sendall(b"0\r\n\r\n")
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                found += piece
                if b"\r\n\r\n" in found:
                    break
    assert set(statuses(found)) <= {413}
    assert arrived(replicas) == []


def test_slow_clients_are_given_up(
    balancer: Balancer, replicas: Replicas, control: Control
) -> None:
    """Half of a header, and half of a body, from 500 connections that then stay silent."""
    replicas.reset()
    starts = [get()[:-2], post("Content-Length: 100\r\n", "x" * 50), b""]
    before = control.good
    started = time.monotonic()
    connections = []
    try:
        for number in range(HALF_OPEN):
            connection = socket.create_connection(("127.0.0.1", balancer.port), 10)
            connections.append(connection)
            connection.sendall(starts[number % len(starts)])
        for connection in connections:
            connection.settimeout(CLIENT_TIMEOUT + 6)
            with contextlib.suppress(ConnectionError):
                while connection.recv(65536):
                    pass
        assert time.monotonic() - started < CLIENT_TIMEOUT + 6
    finally:
        for connection in connections:
            connection.close()
    assert arrived(replicas) == []
    assert control.good > before + 20


def test_a_client_that_drips_is_given_up(balancer: Balancer) -> None:
    """A byte now and then does not prolong the time that a header has."""
    started = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", balancer.port), 10) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(b"GET /first HTTP/1.1\r\nX-A: ")
        while time.monotonic() - started < CLIENT_TIMEOUT + 4:
            connection.sendall(b"a")
            time.sleep(0.2)
    assert time.monotonic() - started < CLIENT_TIMEOUT + 3


def test_security_headers_are_added(balancer: Balancer) -> None:
    answer = balancer.ask("/", headers={"Host": "shop.example"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert answer.headers["server"] == "nginx"
    refused = balancer.ask("/", headers={"Host": "evil.example"})
    assert refused.status == 421
