# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's pages, asked for over HTTP on loopback, as browsers and Prometheus do."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper_web
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Snapshot
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import Traffic
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_web import (
    KeeperWeb,
    Server,
    application,
    serve,
)
from tests.unit.keeper_page import NOON, PAGES, SNAPSHOT, Answer, Page, StandInTraffic


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def server(page: Page) -> Iterator[Server]:
    with closing(serve(page.app, 0)) as one:
        yield one


def fetch(
    port: int, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        status = f"{response.status} {response.reason}"
        return Answer(status, dict(response.getheaders()), response.read())


def test_the_pages_over_http(server: Server) -> None:
    for path in PAGES:
        answer = fetch(server.port, path)
        assert answer.status == "200 OK"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
        assert "Server" not in answer.headers
        assert "Via" not in answer.headers
        assert len(answer.body) == int(answer.headers["Content-Length"])
    assert fetch(server.port, "/status.json?x=1").data["stack"] == "chatbot"
    assert fetch(server.port, "/other").status == "404 Not Found"
    assert fetch(server.port, "/", "POST").status == "405 Method Not Allowed"
    evil = fetch(server.port, "/", headers={"Host": "example.com"})
    assert evil.status == "421 Misdirected Request"


def test_the_application_comes_with_its_metrics(tmp_path: Path) -> None:
    paths = StackPaths("chatbot", str(tmp_path))
    traffic = Traffic(paths, Journal("chatbot", StringIO()), lambda: SNAPSHOT, lambda _one: {})
    app = application(lambda: SNAPSHOT, dict, traffic, "1.2.3")
    with closing(serve(app, 0)) as server:
        metrics = fetch(server.port, "/metrics").body
        assert b'load_balancing_build_info{version="1.2.3"} 1.0\n' in metrics
        assert b'load_balancing_generation{stack="chatbot"} 7.0\n' in metrics
        assert b'load_balancing_requests_total{stack="chatbot",status_class="429"} 0.0' in metrics
        status = fetch(server.port, "/status.json").data
        assert (status["load"]["requests"], status["deploys"]) == (0, [])
        assert fetch(server.port, "/series.json").data["times"] == []
        # A snapshot of long ago, by the clock of this host.
        assert fetch(server.port, "/healthz").status == "503 Service Unavailable"
        assert fetch(server.port, "/status.json").data["replicas"][0]["in_flight"] == 0


def test_one_connection_serves_many_requests(server: Server) -> None:
    """A HEAD and its length must not confuse the next request."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.connect()
        sock = connection.sock
        for method, path in (
            ("HEAD", "/"),
            ("GET", "/healthz"),
            ("HEAD", "/metrics"),
            ("GET", "/"),
        ):
            connection.request(method, path)
            response = connection.getresponse()
            assert response.status == 200
            assert bool(response.read()) == (method == "GET")
            assert connection.sock is sock


def test_two_host_headers_are_refused(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: example.com\r\nConnection: close\r\n\r\n"
        )
        with client.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 421 Misdirected Request\r\n"


def test_what_is_large_is_refused(server: Server) -> None:
    large = fetch(server.port, "/", headers={"X-Large": "x" * 9000})
    assert large.status.startswith("431 ")
    body = fetch(server.port, "/", "POST", headers={"Content-Length": "100000"})
    assert body.status.startswith("413 ")


def test_prometheus_asks_for_openmetrics_and_gzip(server: Server) -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    answer = fetch(server.port, "/metrics", headers=accept)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.body.startswith(b"\x1f\x8b")


def test_it_listens_on_loopback_only(server: Server) -> None:
    """No other address of this host, not even another one of loopback."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=20)


def test_many_ask_at_once(page: Page, server: Server) -> None:
    found: list[str] = []

    def ask() -> None:
        for _count in range(10):
            found.append(fetch(server.port, "/status.json").status)

    threads = [threading.Thread(target=ask) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["200 OK"] * 80
    assert page.counted == 80


def test_a_fault_of_ours_is_told_without_its_inside() -> None:
    def broken() -> Snapshot:
        raise RuntimeError("secret")

    app = KeeperWeb(broken, dict, StandInTraffic(), Page().app)
    with closing(serve(app, 0)) as server:
        answer = fetch(server.port, "/status.json")
        assert answer.status == "500 Internal Server Error"
        assert b"secret" not in answer.body
        assert fetch(server.port, "/other").status == "404 Not Found"  # it serves on


def test_a_closed_server_frees_its_port_and_its_thread(page: Page) -> None:
    before = set(threading.enumerate())
    first = serve(page.app, 0)
    idle = socket.create_connection(("127.0.0.1", first.port), timeout=20)
    assert fetch(first.port, "/healthz").status == "200 OK"
    made = set(threading.enumerate()) - before
    assert len(made) == 3  # its own and waitress's two
    first.close()
    for thread in made:
        thread.join(20)
        assert not thread.is_alive()
    assert idle.recv(1) == b""
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        fetch(first.port, "/healthz")
    first.close()  # once more is harmless
    with closing(serve(page.app, first.port)) as second:
        assert fetch(second.port, "/healthz").status == "200 OK"


def test_a_request_in_flight_is_finished_when_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper_web, "CLOSE_TIMEOUT", 20.0)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Snapshot:
        begun.set()
        go_on.wait(20)
        return SNAPSHOT

    server = serve(KeeperWeb(slow, dict, StandInTraffic(), Page().app, lambda: NOON), 0)
    found: list[str] = []
    client = threading.Thread(target=lambda: found.append(fetch(server.port, "/healthz").status))
    client.start()
    assert begun.wait(20)
    closer = threading.Thread(target=server.close)
    closer.start()
    go_on.set()
    closer.join()
    client.join()
    assert found == ["200 OK"]


def test_a_port_that_is_taken(page: Page, server: Server) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        serve(page.app, server.port)
    assert str(caught.value) == (
        f"keeper_port: the keeper cannot listen on 127.0.0.1:{server.port}: "
        "Address already in use. Set the variable keeper_port to a port that is free."
    )


def test_without_the_library_there_is_a_sentence(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_web, "HAS_WAITRESS", False)
    with pytest.raises(LoadBalancingError) as caught:
        serve(page.app, 0)
    assert str(caught.value) == (
        "waitress for Python is missing on the host. "
        "The role keeper installs it (Debian's package python3-waitress)."
    )
