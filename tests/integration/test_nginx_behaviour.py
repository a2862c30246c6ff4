# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rendered configuration in a real nginx does what it says."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from tests.integration.nginx_live import (
    EVENT_PAUSE,
    Balancer,
    Replicas,
    ask,
    free_port,
    need_image,
)

EVENT_SOURCE = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    need_image()


@pytest.fixture(scope="module")
def replicas() -> Iterator[Replicas]:
    running = Replicas()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def running_balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    balancer = Balancer(tmp_path_factory.mktemp("balancer"))
    yield balancer
    said = balancer.stop()
    assert not {"[warn]", "[alert]", "[crit]", "[emerg]"} & set(said.split()), said


@pytest.fixture
def balancer(running_balancer: Balancer, replicas: Replicas) -> Balancer:
    """The balancer with all three members, no limits, and nothing wrong with them."""
    replicas.reset()
    running_balancer.publish(replicas.members)
    return running_balancer


# Spread and retries


def test_requests_are_spread(balancer: Balancer) -> None:
    counts = Counter(balancer.ask("/api/echo").data["replica"] for _attempt in range(300))
    assert set(counts) == {"one", "two", "three"}
    assert min(counts.values()) >= 50


def test_connections_to_replicas_are_kept(balancer: Balancer, replicas: Replicas) -> None:
    for _attempt in range(60):
        balancer.ask("/")
    assert len({about["connection"] for about in replicas.seen()}) <= 3 * 4


@pytest.mark.parametrize("fault", [502, 503, 504, "abort"])
def test_a_request_without_effect_is_tried_elsewhere(
    balancer: Balancer, replicas: Replicas, fault: int | str
) -> None:
    replicas.fail(fault, "one", "two")
    answers = [balancer.ask("/api/echo") for _attempt in range(10)]
    assert {(one.status, one.data["replica"]) for one in answers} == {(200, "three")}


def test_a_refused_connection_is_tried_elsewhere_also_with_a_post(
    balancer: Balancer, replicas: Replicas
) -> None:
    gone = [{"address": "127.0.0.1", "port": free_port(), "name": f"gone-{n}"} for n in range(2)]
    balancer.publish([*gone, replicas.members[0]])
    for _attempt in range(10):
        assert balancer.ask("/api/chat", "POST", body="hi").data["body"] == "hi"
    assert len(replicas.seen()) == 10


def test_a_post_that_was_sent_is_never_sent_again(balancer: Balancer, replicas: Replicas) -> None:
    for path, headers in (("/api/chat", {}), ("/api/chat/stream", {}), ("/api/x", EVENT_SOURCE)):
        replicas.reset()
        replicas.fail("abort", "one", "two", "three")
        answer = balancer.ask(path, "POST", body="hi", headers=headers)
        assert (answer.status, len(replicas.seen())) == (502, 1)
        assert answer.data["error"].startswith("No replica could answer")
        replicas.reset()
        replicas.fail(503, "one", "two", "three")
        answer = balancer.ask(path, "POST", body="hi", headers=headers)
        assert (answer.status, len(replicas.seen())) == (503, 1)
        assert set(answer.data) == {"application"}


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/api/chat?q=a%2Fb", "*/*"),
        ("/api/chat?q=a%2Fb", "application/json, text/event-stream"),
        ("/api/chat/stream", "*/*"),
    ],
)
@pytest.mark.parametrize("fault", [503, "abort"])
def test_a_post_with_an_idempotency_key_is_tried_elsewhere(
    balancer: Balancer, replicas: Replicas, path: str, accept: str, fault: int | str
) -> None:
    replicas.fail(fault, "one", "two")
    for number in range(6):
        headers = {"Idempotency-Key": f"{number}", "Accept": accept}
        answer = balancer.ask(path, "POST", body="a" * 100_000, headers=headers)
        assert (answer.status, answer.data["replica"]) == (200, "three")
        assert (answer.data["method"], answer.data["path"]) == ("POST", path)
        assert answer.data["body"] == "a" * 100_000
        assert answer.data["headers"]["idempotency-key"] == f"{number}"
    assert len(replicas.seen()) > 6


def test_after_the_last_try_the_application_speaks_for_itself(
    balancer: Balancer, replicas: Replicas
) -> None:
    replicas.fail(503, "one", "two", "three")
    answer = balancer.ask("/api/echo")
    assert (answer.status, len(replicas.seen())) == (503, 3)
    assert set(answer.data) == {"application"}
    assert answer.headers["retry-after"] == "1"


def test_without_members_the_answer_is_one_of_the_balancer(balancer: Balancer) -> None:
    balancer.publish([])
    answer = balancer.ask("/api/echo", headers={"Idempotency-Key": "1"})
    assert (answer.status, answer.headers["content-type"]) == (502, "application/json")
    assert answer.data["request_id"] == answer.headers["x-request-id"]
    assert answer.data["error"].startswith("No replica could answer")
    page = balancer.ask("/chat.js")
    assert (page.status, page.headers["content-type"]) == (502, "text/html")
    assert page.headers["x-request-id"] in page.body


# Limits


# So slow that no time which the test takes gives room for one more.
LIMITS = [
    {"path": "/", "rate": "1r/m", "burst": 3},
    {"path": "/api/", "rate": "1r/m", "burst": 6},
]


def test_too_many_requests_are_told_to_wait(balancer: Balancer, replicas: Replicas) -> None:
    balancer.publish(
        replicas.members,
        rate_limits_enabled=True,
        rate_limits=LIMITS,
        rate_limit_exempt=["127.0.0.9"],
    )
    statuses = Counter(balancer.ask("/x").status for _attempt in range(10))
    assert statuses == {200: 4, 429: 6}
    keyed = {"Idempotency-Key": "1"}
    answers = [balancer.ask("/api/echo", "POST", headers=keyed) for _attempt in range(12)]
    assert Counter(one.status for one in answers) == {200: 7, 429: 5}
    assert answers[-1].headers["retry-after"] == "60"
    assert answers[-1].headers["content-type"] == "application/json"
    assert answers[-1].data["error"].startswith("Too many requests")
    assert {balancer.ask("/health").status for _attempt in range(30)} == {200}
    assert {balancer.ask("/x", source="127.0.0.9").status for _attempt in range(30)} == {200}
    assert balancer.ask("/x", source="127.0.0.8").status == 200
    assert balancer.ask("/x", headers={"X-Forwarded-For": "127.0.0.9"}).status == 429


def test_too_many_connections_are_told_to_wait(balancer: Balancer, replicas: Replicas) -> None:
    balancer.publish(replicas.members, rate_limits_enabled=True, rate_limits=[], connection_limit=2)
    streams = [http.client.HTTPConnection("127.0.0.1", balancer.port, 20) for _attempt in range(2)]
    for stream in streams:
        stream.request("GET", "/api/chat/stream?events=chunked")
        stream.getresponse()
    answer = balancer.ask("/api/echo")
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert balancer.ask("/health").status == 200
    for stream in streams:
        stream.close()


def test_a_body_that_is_too_large(balancer: Balancer, replicas: Replicas) -> None:
    balancer.publish(replicas.members, body_size="10k")
    for headers in ({}, {"Idempotency-Key": "1"}):
        for body in ("a" * 20_000, iter([b"a" * 20_000])):
            answer = balancer.ask("/api/chat", "POST", body=body, headers=headers)
            assert (answer.status, answer.data["error"]) == (413, "The request is too large")
    assert replicas.seen() == []


# Streams


def first_event_after(balancer: Balancer, path: str, headers: dict[str, str]) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", balancer.port, 20)
    start = time.monotonic()
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    assert response.readline() == b"data: first\n"
    seconds = time.monotonic() - start
    assert response.read().endswith(b"data: last\n\n")
    connection.close()
    return seconds


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/chat/stream?events=chunked", {}),
        ("/api/chat/stream?events=close", {}),
        ("/api/chat/stream?events=close", {"Idempotency-Key": "1"}),
        ("/anywhere?events=chunked", {}),
        ("/anywhere?events=accel", {}),
        ("/anywhere?events=close", EVENT_SOURCE),
        ("/anywhere?events=close", {**EVENT_SOURCE, "Idempotency-Key": "1"}),
    ],
)
def test_the_first_event_does_not_wait_for_the_next(
    balancer: Balancer, path: str, headers: dict[str, str]
) -> None:
    assert first_event_after(balancer, path, headers) < EVENT_PAUSE / 2


@pytest.mark.parametrize("path", ["/ws", "/any/other/path"])
def test_a_websocket_works_on_every_path(balancer: Balancer, path: str) -> None:
    url = f"ws://127.0.0.1:{balancer.port}{path}"
    with connect(url) as connection:
        connection.send("hello")
        assert str(connection.recv(timeout=5)).endswith(": hello")
    with connect(url, additional_headers={"Idempotency-Key": "1"}) as connection:
        connection.send("again")
        assert str(connection.recv(timeout=5)).endswith(": again")


def test_nothing_but_a_websocket_is_upgraded(balancer: Balancer) -> None:
    headers = {
        "Upgrade": "h2c",
        "Connection": "Upgrade, HTTP2-Settings",
        "HTTP2-Settings": "AAMAAABk",
    }
    seen = balancer.ask("/x", headers=headers).data["headers"]
    assert "upgrade" not in seen
    assert "connection" not in seen


# Who the client is


FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Request-ID": "forged",
    "Forwarded": "for=203.0.113.9",
}


def test_a_client_can_not_claim_to_be_another(balancer: Balancer) -> None:
    answer = balancer.ask("/x", headers={**FORGED, "Host": "chat.example:8443"})
    seen = answer.data["headers"]
    assert (seen["x-forwarded-for"], seen["x-real-ip"]) == ("127.0.0.1", "127.0.0.1")
    assert (seen["x-forwarded-proto"], seen["host"]) == ("http", "chat.example:8443")
    assert seen["x-forwarded-host"] == "chat.example:8443"
    assert "forwarded" not in seen
    assert seen["x-request-id"] == answer.headers["x-request-id"] != "forged"


def test_a_trusted_proxy_is_believed_and_no_other(balancer: Balancer, replicas: Replicas) -> None:
    balancer.publish(replicas.members, trusted_proxies=["127.0.0.2", "198.51.100.0/24"])
    forged = {**FORGED, "X-Forwarded-For": "192.0.2.66, 203.0.113.9, 198.51.100.1"}
    seen = balancer.ask("/x", headers=forged, source="127.0.0.2").data["headers"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("203.0.113.9", "https")
    seen = balancer.ask("/x", headers=forged, source="127.0.0.3").data["headers"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.3", "http")


def test_other_host_names_are_refused_when_names_are_given(
    balancer: Balancer, replicas: Replicas
) -> None:
    balancer.publish(replicas.members, server_names=["chat.example.org"])
    hosts = {"chat.example.org": 200, "127.0.0.1:99": 200, "localhost": 200, "evil.example": 421}
    assert {host: balancer.ask("/x", headers={"Host": host}).status for host in hosts} == hosts


# What the balancer says of itself


def test_the_status_tells_the_generation(balancer: Balancer, replicas: Replicas) -> None:
    before = balancer.generation
    balancer.publish(replicas.members)
    status = ask(balancer.status_port, "/status")
    assert (status.status, status.headers["content-type"]) == (200, "application/json")
    assert (status.data["stack"], status.data["generation"]) == ("lbtest", before + 1)
    assert status.data["connections"]["active"] >= 1
    assert "server accepts handled requests" in ask(balancer.status_port, "/stub_status").body
    assert ask(balancer.status_port, "/api/echo").status == 404


def test_the_access_log_is_json_and_holds_no_secret(balancer: Balancer, replicas: Replicas) -> None:
    replicas.fail(503, "one", "two")
    headers = {"User-Agent": 'odd "agent" \\ x', "Authorization": "Bearer secret"}
    answer = balancer.ask("/api/logged?token=secret", headers=headers)
    (line,) = [one for one in balancer.log() if one["request_id"] == answer.headers["x-request-id"]]
    assert (line["status"], line["method"], line["uri"]) == (200, "GET", "/api/logged")
    assert (line["version"], line["client"]) == ("7", "127.0.0.1")
    assert line["upstream_status"].split(", ")[-1] == "200"
    assert len(line["upstream_addr"].split(", ")) == len(replicas.seen())
    assert line["user_agent"] == headers["User-Agent"]
    assert line["generation"] == balancer.generation
    assert line["request_time"] >= 0
    assert line["bytes"] > 0
    assert "secret" not in json.dumps(line)
