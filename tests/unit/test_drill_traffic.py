# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traffic of a drill against real servers on loopback: what it sends, what it counts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill_traffic
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import (
    Failure,
    Sent,
    Traffic,
    TrafficResult,
    check_path,
    check_rate,
    summarize,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Target,
)

PATIENCE = 30.0
"""Seconds after which a test gives up; none waits that long where all is well."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that will happen."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


class Handler(BaseHTTPRequestHandler):
    """Notes each request and answers as its path says."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, int, dict[str, str]]]
    gate: threading.Event

    def do_GET(self) -> None:
        self.asked.append((self.path, self.client_address[1], dict(self.headers)))
        if self.path == "/wait":
            self.gate.wait(PATIENCE)
        self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
        self.send_header("Content-Length", "2")
        if self.path == "/close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *words: Any) -> None:
        """Nothing is printed."""


class Server(ThreadingHTTPServer):
    """A server with a queue as long as a busy one needs."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *words: Any) -> None:
        """Clients that go away are no news here."""


@pytest.fixture(name="handler")
def handler_fixture() -> type[Handler]:
    """What answers; ``asked`` is what it was asked, ``gate`` opens ``/wait``."""
    return type("Noted", (Handler,), {"asked": [], "gate": threading.Event()})


@pytest.fixture(name="port")
def port_fixture(handler: type[Handler]) -> Iterator[int]:
    """The port of a server that uses the handler."""
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        handler.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server whose every connection is handed to ``answer`` after the first bytes came."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def serve_one(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            answer(connection)

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def traffic_to(port: int, path: str = "/", **options: Any) -> Traffic:
    return Traffic(Target(port, "shop.example.com", "drill/1"), path, **{"rate": 200, **options})


def sent(port: int, path: str = "/", requests: int = 12, **options: Any) -> TrafficResult:
    """The result of traffic that has had so many requests done."""
    traffic = traffic_to(port, path, **options)
    traffic.start()
    until(lambda: traffic.so_far().sent >= requests)
    return traffic.stop()


def test_half_of_it_on_new_connections_half_on_kept_ones(port: int, handler: type[Handler]) -> None:
    result = sent(port, "/health", 40)
    kept = {p for _path, p, words in handler.asked if words["Connection"] == "keep-alive"}
    new = [p for _path, p, words in handler.asked if words["Connection"] == "close"]
    assert result.failed == 0
    assert len(new) == len(set(new)) == result.sent - result.sent // 2
    assert len(kept) < result.sent // 2  # some were used again
    assert {path for path, _port, _words in handler.asked} == {"/health"}
    assert {words["Host"] for _path, _port, words in handler.asked} == {"shop.example.com"}
    assert {words["User-Agent"] for _path, _port, words in handler.asked} == {"drill/1"}


def test_each_request_is_sent_once(port: int, handler: type[Handler]) -> None:
    result = sent(port, "/503")
    assert result.kinds == {"503": result.sent}
    assert result.sent == len(handler.asked)


def test_the_good_statuses_are_given(port: int) -> None:
    assert sent(port, "/404").kinds.keys() == {"404"}
    assert sent(port, "/404", statuses=((200, 299), (404, 404))).failed == 0
    assert sent(port, "/302", statuses=((200, 299),)).kinds.keys() == {"302"}


def test_a_connection_that_the_server_closes_is_no_failure(
    port: int, handler: type[Handler]
) -> None:
    result = sent(port, "/close")
    assert result.failed == 0
    assert len({p for _path, p, _words in handler.asked}) == result.sent


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = sent(port)
    assert result.kinds == {"refused": result.sent}
    assert {failure.kept_alive for failure in result.failures} == {True, False}
    moments = [failure.at for failure in result.failures]
    assert moments == sorted(moments)
    assert moments[:3] == pytest.approx([0, 1 / 200, 2 / 200])
    assert result.longest_pause == pytest.approx(result.seconds)


def test_connections_that_end_before_an_answer() -> None:
    with raw_server(lambda connection: None) as port:
        result = sent(port)
    assert result.kinds == {"cut": result.sent}


def test_connections_that_are_reset() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with raw_server(reset) as port:
        result = sent(port)
    assert result.kinds == {"reset": result.sent}


@pytest.mark.parametrize(
    "head", ["Content-Length: 9", "Transfer-Encoding: chunked"], ids=["length", "chunked"]
)
def test_answers_that_end_too_early(head: str) -> None:
    text = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n"
    text += "9\r\nok" if "chunked" in head else "ok"
    with raw_server(lambda connection: connection.sendall(text.encode())) as port:
        result = sent(port)
    assert result.kinds == {"cut": result.sent}


def test_no_answer_in_time(
    port: int, handler: type[Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are sent, though none is answered: the load is open."""
    monkeypatch.setattr(drill_traffic, "TIMEOUT", 0.5)
    result = sent(port, "/wait", 40)
    assert result.kinds == {"timeout": result.sent}
    assert len(handler.asked) == result.sent


def test_an_answer_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of which something comes all the time counts as a timeout, too."""
    monkeypatch.setattr(drill_traffic, "TIMEOUT", 0.3)

    def drip(connection: socket.socket) -> None:
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"1\r\n.\r\n")
                time.sleep(0.02)
        except OSError:
            return

    with raw_server(drip) as port:
        result = sent(port)
    assert result.kinds == {"timeout": result.sent}


def test_a_stall_is_seen_by_everybody_who_came_meanwhile(port: int, handler: type[Handler]) -> None:
    traffic = traffic_to(port, "/wait")
    traffic.start()
    until(lambda: len(handler.asked) >= 60)
    assert traffic.so_far().sent == 0
    handler.gate.set()
    result = traffic.stop()
    assert result.failed == 0
    assert result.slowest >= 59 / 200
    assert result.longest_pause >= 59 / 200


def test_more_than_can_be_in_flight_goes_out_late(
    port: int, handler: type[Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill_traffic, "AT_ONCE", 4)
    traffic = traffic_to(port, "/wait", seconds=0.1)
    traffic.start()
    until(lambda: len(handler.asked) == 4)
    time.sleep(0.1)
    assert len(handler.asked) == 4
    handler.gate.set()
    assert traffic.stop().failed == 0


def test_it_ends_by_itself(port: int, handler: type[Handler]) -> None:
    traffic = traffic_to(port, rate=100, seconds=0.2)
    traffic.start()
    until(lambda: bool(traffic._ended))
    result = traffic.stop()
    assert result.sent <= 20
    assert result.sent == len(handler.asked)
    assert result.seconds < PATIENCE


def test_it_never_goes_on_for_longer_than_it_may() -> None:
    assert traffic_to(1, seconds=10_000)._seconds == drill_traffic.LONGEST == 300


def test_it_may_be_stopped_before_it_begins_and_twice(port: int) -> None:
    assert traffic_to(port).stop().sent == 0
    traffic = traffic_to(port)
    traffic.start()
    assert traffic.stop() == traffic.stop()


def test_a_kept_connection_that_the_server_has_ended_is_not_used() -> None:
    """Ended without a word, as by a balancer that was killed."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with raw_server(lambda connection: connection.sendall(answer)) as port:
        result = sent(port, requests=60, rate=20)
    assert result.failed == 0


def test_a_connection_that_was_idle_for_long_is_not_used(
    port: int, handler: type[Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill_traffic, "IDLE", 0.0)
    result = sent(port)
    assert result.failed == 0
    assert len({p for _path, p, _words in handler.asked}) == result.sent


@pytest.mark.parametrize("rate", [-1, 0, 201])
def test_rates_that_are_not_allowed(rate: int) -> None:
    with pytest.raises(LoadBalancingError) as raised:
        check_rate(rate)
    assert str(raised.value) == (
        f"drill_rate: {rate} is not allowed: a whole number from 1 to 200. "
        "Set the variable drill_rate."
    )


@pytest.mark.parametrize("path", ["", "health", "/a b", "/a\r\nX: y", "/ü", "/\x7f"])
def test_paths_that_are_not_allowed(path: str) -> None:
    with pytest.raises(LoadBalancingError) as raised:
        check_path(path)
    assert str(raised.value) == (
        f"drill_path: {path!r} is not allowed: a path that begins with /, in ASCII without "
        "spaces. Set the variable drill_path."
    )


@pytest.mark.parametrize("path", ["/", "/health", "/api/messages?limit=1&x=%20"])
def test_paths_that_are_allowed(path: str) -> None:
    check_path(path)


# the summary

REQUEST = st.builds(
    lambda due, took, kind, kept: Sent(due, due + took, kind, kept),
    st.floats(10, 20),
    st.floats(0, 5),
    st.sampled_from(["", "", "502", "timeout"]),
    st.booleans(),
)


@given(st.lists(REQUEST))
def test_the_summary_adds_up(requests: list[Sent]) -> None:
    result = summarize(requests, 10.0, 30.0)
    good = [one for one in requests if not one.kind]
    assert result.sent == len(requests)
    assert result.failed == len(result.failures) == len(requests) - len(good)
    assert list(result.kinds.values()) == sorted(result.kinds.values(), reverse=True)
    assert 0 <= result.p50 <= result.p95 <= result.slowest
    assert all(0 <= failure.at <= 10 for failure in result.failures)
    if good:
        times = [one.ended - one.due for one in good]
        assert result.slowest == max(times)
        assert sum(took <= result.p50 for took in times) >= len(times) / 2
        assert sum(took <= result.p95 for took in times) >= len(times) * 0.95
    # 20 s are cut into as many pieces as there are good answers, and one.
    assert 20 / (len(good) + 1) - 1e-6 <= result.longest_pause <= 20


def test_a_summary_in_figures() -> None:
    requests = [
        Sent(0.0, 0.1),
        Sent(0.1, 0.3),
        Sent(0.2, 5.2, "timeout", kept_alive=True),
        Sent(0.3, 0.4, "502"),
        Sent(0.4, 0.5, "502"),
        Sent(3.0, 3.4),
    ]
    result = summarize(requests, 0.0, 4.0)
    assert result == TrafficResult(
        sent=6,
        kinds={"502": 2, "timeout": 1},
        longest_pause=pytest.approx(3.1),
        p50=pytest.approx(0.2),
        p95=pytest.approx(0.4),
        slowest=pytest.approx(0.4),
        seconds=4.0,
        failures=(
            Failure(0.2, "timeout", kept_alive=True),
            Failure(0.3, "502", kept_alive=False),
            Failure(0.4, "502", kept_alive=False),
        ),
    )
    assert result.as_dict()["failed"] == 3
    assert result.as_dict()["failures"][0] == {"at": 0.2, "kind": "timeout", "kept_alive": True}


def test_not_every_failure_is_told() -> None:
    result = summarize([Sent(float(n), n + 1.0, "502") for n in range(150)], 0.0, 200.0)
    assert result.failed == 150
    assert [one["at"] for one in result.as_dict()["failures"]] == list(range(100))
