# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of single paths in a real nginx, also where requests leave the location of their path."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.nginx_live import Balancer, need_image

PLAIN: dict[str, str] = {}
KEYED = {"Idempotency-Key": "1"}
STREAM = {"Accept": "text/event-stream"}
ALL_WAYS = [PLAIN, KEYED, STREAM, {**KEYED, **STREAM}]
SLOW = 1.7  # seconds that an answer takes, more than the shortest timeout there is

RULES = [
    {"path": "/upload/", "body_size": "1m"},
    {"path": "/upload/small/", "body_size": "5k"},
    {"path": "/files/", "body_size": "100m"},
    {"path": "/slow", "read_timeout": 20},
    {"path": "/live", "buffering": False},
    {"path": "/both", "body_size": "1m", "read_timeout": 20},
]


class Application(BaseHTTPRequestHandler):
    """Reads the body, waits as long as `?wait=` says, and answers with the body's length; for
    `?pieces=1` in two pieces with the wait between them.
    """

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        length = int(self.headers.get("Content-Length", 0))
        query = parse_qs(urlsplit(self.path).query)
        pieces = "pieces" in query
        body = f"{len(self.rfile.read(length))}\n".encode()
        if not pieces:
            time.sleep(float(query.get("wait", ["0"])[0]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) * (1 + pieces)))
        self.end_headers()
        self.wfile.write(body)
        if pieces:
            time.sleep(float(query.get("wait", ["0"])[0]))
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """On a busy machine more than the usual five connections wait for it to accept them; what does
    not fit has nginx's time to connect run out, which is a 504, too.
    """

    request_queue_size = 128


@pytest.fixture(scope="module")
def member() -> Iterator[dict[str, object]]:
    server = Server(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"address": "127.0.0.1", "port": server.server_port}
    server.shutdown()


@pytest.fixture(scope="module")
def balancer(
    member: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balancer]:
    """10 kB, one second; and rules for the paths where it is otherwise."""
    need_image()
    running = Balancer(tmp_path_factory.mktemp("balancer"))
    running.publish([member], body_size="10k", read_timeout=1, paths=RULES, stream_paths=["/both"])
    yield running
    said = running.stop()
    assert not {"[alert]", "[crit]", "[emerg]"} & set(said.split()), said


@pytest.mark.parametrize("headers", ALL_WAYS)
@pytest.mark.parametrize("chunked", [False, True])
def test_each_path_has_its_own_body_size(
    balancer: Balancer, headers: dict[str, str], chunked: bool
) -> None:
    limits = {
        "/": 10_000,
        "/api/upload/": 10_000,
        "/upload/x": 1_000_000,
        "/upload/small/x": 5_000,
        "/upload": 10_000,
        "/both": 1_000_000,
        "/live": 10_000,
    }
    for path, limit in limits.items():
        for size, status in ((int(limit * 0.9), 200), (int(limit * 1.3), 413)):
            body: Any = b"a" * size
            answer = balancer.ask(
                path, "POST", body=iter([body]) if chunked else body, headers=headers
            )
            assert (path, size, answer.status) == (path, size, status)
            if status == 200:
                assert answer.body == f"{size}\n"


def test_an_upload_of_100_megabytes(balancer: Balancer) -> None:
    body = b"a" * 100_000_000
    for headers in (PLAIN, KEYED):
        answer = balancer.ask("/files/x", "POST", body=body, headers=headers)
        assert (answer.status, answer.body) == (200, "100000000\n")


def statuses(balancer: Balancer, asked: list[tuple[str, dict[str, str]]]) -> list[int]:
    """The statuses of slow answers that are asked for at the same time."""

    def ask(path: str, headers: dict[str, str]) -> int:
        return balancer.ask(f"{path}?wait={SLOW}", "POST", headers=headers).status

    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda one: ask(*one), asked))


def test_each_path_has_its_own_read_timeout(balancer: Balancer) -> None:
    patient = [(path, way) for path in ("/slow", "/slow/deeper", "/both") for way in ALL_WAYS]
    assert statuses(balancer, patient) == [200] * 12
    usual = [(path, way) for path in ("/", "/live", "/upload/x") for way in ALL_WAYS]
    assert statuses(balancer, usual) == [200 if "Accept" in way else 504 for _path, way in usual]


def test_a_short_timeout_of_a_path_holds_for_its_streams_as_well(
    balancer: Balancer, member: dict[str, object]
) -> None:
    rules = [{"path": "/quick", "read_timeout": 1}]
    balancer.publish([member], paths=rules, body_size="10k", read_timeout=20)
    try:
        asked = [(path, way) for path in ("/quick", "/other") for way in ALL_WAYS]
        assert statuses(balancer, asked) == [504] * 4 + [200] * 4
    finally:
        both = ["/both"]
        balancer.publish([member], body_size="10k", read_timeout=1, paths=RULES, stream_paths=both)


def first_piece_after(balancer: Balancer, path: str) -> float:
    """Seconds until the first line arrives of an answer in two pieces, 0.7 s apart."""
    connection = HTTPConnection("127.0.0.1", balancer.port, 20)
    start = time.monotonic()
    connection.request("POST", f"{path}?pieces=1&wait=0.7", b"x")
    answer = connection.getresponse()
    assert answer.readline() == b"1\n"
    seconds = time.monotonic() - start
    assert answer.read() == b"1\n"
    connection.close()
    return seconds


@pytest.mark.alone
def test_without_buffering_an_answer_comes_as_it_is_made(balancer: Balancer) -> None:
    assert first_piece_after(balancer, "/live") < 0.35
    assert first_piece_after(balancer, "/both") < 0.35
