# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo's routes, without a database: a store in memory takes its place."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.types import Message as Event

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "demo" / "chatbot"))

from chatbot import validation
from chatbot.replies import reply_to, tokens_of
from chatbot.settings import Database, Settings
from chatbot.sockets import Sockets
from chatbot.store import Message, MessageConflictError, StoreUnavailableError
from chatbot.web import create_app


class MemoryStore:
    """Keeps the store's contract in a dictionary."""

    def __init__(self) -> None:
        self.available = True
        self.messages: dict[str, Message] = {}

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def save(self, message: Message) -> tuple[Message, bool]:
        """Store once."""
        self._check()
        stored = self.messages.setdefault(message.id, message)
        if stored.message != message.message:
            raise MessageConflictError(message.id)
        return stored, stored is message

    async def find(self, identifier: str) -> Message | None:
        """Look up."""
        self._check()
        return self.messages.get(identifier)

    async def count(self) -> int:
        """Count."""
        self._check()
        return len(self.messages)

    def _check(self) -> None:
        if not self.available:
            raise StoreUnavailableError("connection to server at 10.0.0.9 refused")


def make_client(store: MemoryStore, *, faults: bool = False) -> TestClient:
    settings = Settings(
        port=8000,
        keep_alive=75,
        shutdown_timeout=25,
        pool_size=10,
        faults=faults,
        instance="replica-1",
        version="7",
        database=Database("database", 5432, "chatbot", "chatbot", "secret"),
    )
    return TestClient(create_app(settings, store, Sockets()), raise_server_exceptions=False)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def client(store: MemoryStore) -> Iterator[TestClient]:
    with make_client(store) as client:
        yield client


def test_health_does_not_depend_on_the_database(client: TestClient, store: MemoryStore) -> None:
    healthy = {"status": "ok", "instance": "replica-1", "version": "7"}
    assert client.get("/health").json() == healthy | {"database": "available"}
    store.available = False
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, healthy | {"database": "unavailable"})
    assert client.head("/health").status_code == 200


def test_chat_gives_each_message_an_id(client: TestClient, store: MemoryStore) -> None:
    first = client.post("/api/chat", json={"message": "hello"}).json()
    second = client.post("/api/chat", json={"message": "hello"}).json()
    assert first["id"] != second["id"]
    assert first["reply"] == reply_to("hello")
    assert (first["instance"], first["version"]) == ("replica-1", "7")
    assert set(store.messages) == {first["id"], second["id"]}


def test_chat_stores_an_id_once(client: TestClient) -> None:
    answers = [
        client.post("/api/chat", json={"id": "a-1", "message": "hi"}) for _unused in range(3)
    ]
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [
        None,
        "true",
        "true",
    ]
    assert client.get("/api/messages/count").json() == {"count": 1}
    assert client.get("/api/messages/a-1").json() == {"message": "hi", **answers[0].json()}


def test_idempotency_key(client: TestClient, store: MemoryStore) -> None:
    headers = {"Idempotency-Key": "k-1"}
    assert client.post("/api/chat", json={"message": "x"}, headers=headers).json()["id"] == "k-1"
    named = {"id": "a-1", "message": "y"}
    assert client.post("/api/chat", json=named, headers=headers).json()["id"] == "a-1"
    assert set(store.messages) == {"k-1", "a-1"}


def test_another_message_with_the_same_id(client: TestClient) -> None:
    client.post("/api/chat", json={"id": "a-1", "message": "one"})
    answer = client.post("/api/chat", json={"id": "a-1", "message": "two"})
    text = "id: a-1 is taken: it was sent with another message before."
    assert (answer.status_code, answer.json()) == (409, {"error": text})


@pytest.mark.parametrize("path", ["/api/messages/count", "/api/messages/a-1"])
def test_database_away(client: TestClient, store: MemoryStore, path: str) -> None:
    store.available = False
    for answer in (client.get(path), client.post("/api/chat", json={"message": "hi"})):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        # Where the database is, is nobody's business outside.
        assert answer.json() == {"error": "database: not available. Send the same again."}


@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        (b"{}", {"Content-Type": "text/plain"}, 415, "Content-Type: 'text/plain'"),
        (b"{}", {}, 415, "Content-Type: ''"),
        (b"{", {"Content-Type": "application/json"}, 400, "body: not valid JSON."),
        (
            b"\xff",
            {"Content-Type": "application/json; charset=utf-8"},
            400,
            "body: not valid JSON.",
        ),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400, "body: not valid JSON."),
        (b"9" * 5000, {"Content-Type": "application/json"}, 400, "body: not valid JSON."),
        (b"[]", {"Content-Type": "application/json"}, 422, "body: not allowed: an object"),
        (b"{}", {"Content-Type": "application/json"}, 422, "message: not allowed: text"),
        (b" " * 1_048_577, {"Content-Type": "application/json"}, 413, "body: too large"),
    ],
)
def test_bad_bodies(
    client: TestClient, content: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    answer = client.post("/api/chat", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_a_body_without_a_length_is_limited_too(client: TestClient) -> None:
    parts = (b" " * 65_536 for _unused in range(20))
    answer = client.post("/api/chat", content=parts, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "identifier", ["", "a b", "x" * 129, "ä", "a\n", "count", 7, ["a"], "../x"]
)
def test_bad_ids(client: TestClient, identifier: object) -> None:
    answer = client.post("/api/chat", json={"id": identifier, "message": "hi"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("id: not allowed")


def test_bad_idempotency_key(client: TestClient) -> None:
    headers = {"Idempotency-Key": "a b"}
    answer = client.post("/api/chat", json={"message": "hi"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Idempotency-Key: not allowed")


@pytest.mark.parametrize("message", ["", " \n", None, 5, "a\0b", "\ud800", "x" * 20_001])
def test_bad_messages(client: TestClient, message: object) -> None:
    body = json.dumps({"message": message})
    answer = client.post("/api/chat", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("message: ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/chat", 405),
        ("GET", "/api/messages/absent", 404),
        ("GET", "/api/messages/a%20b", 422),
        ("POST", "/fault/health/off", 404),
        ("GET", "/fault/status/500", 404),
    ],
)
def test_errors_are_json(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


def test_faults() -> None:
    with make_client(MemoryStore(), faults=True) as client:
        for code in (200, 404, 500, 503, 599):
            assert client.get(f"/fault/status/{code}").status_code == code
            assert client.post(f"/fault/status/{code}").status_code == code
        assert client.get("/fault/status/204").content == b""
        for wrong in ("100", "600", "abc", "0500"):
            assert client.get(f"/fault/status/{wrong}").status_code == 422
        assert client.post("/fault/health/off").json() == {"health": "off"}
        ill = client.get("/health")
        assert (ill.status_code, ill.json()["status"]) == (503, "ill")
        assert client.post("/fault/health/on").json() == {"health": "on"}
        assert client.get("/health").status_code == 200
        assert client.post("/fault/health/maybe").status_code == 422
        assert client.get("/fault/health/off").status_code == 405


async def answer_before_leaving(app: ASGIApp, path: str) -> list[Event]:
    """What is sent in answer to a GET until the application waits for the client to leave."""
    sent: list[Event] = []
    waited_for = asyncio.Event()
    request = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Event:
        for message in request:
            return message
        waited_for.set()
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def send(message: Event) -> None:
        if not waited_for.is_set():
            sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert waited_for.is_set()
    return sent


def test_what_hangs_says_nothing() -> None:
    with make_client(MemoryStore(), faults=True) as client:
        assert asyncio.run(answer_before_leaving(client.app, "/fault/hang")) == []
        assert client.post("/fault/health/hang").json() == {"health": "hang"}
        assert asyncio.run(answer_before_leaving(client.app, "/health")) == []
        assert client.post("/api/chat", json={"message": "hello"}).status_code == 200
        client.post("/fault/health/on")
        assert client.get("/health").status_code == 200


def events(text: str) -> list[str]:
    return [part.removeprefix("data: ") for part in text.split("\n\n") if part]


def test_stream(client: TestClient) -> None:
    answer = client.get("/api/chat/stream", params={"message": "a b", "tokens": 7, "delay_ms": 0})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"
    *tokens, last = events(answer.text)
    assert last == "[DONE]"
    assert [json.loads(token)["index"] for token in tokens] == list(range(7))


def test_stream_says_what_chat_says(client: TestClient) -> None:
    message = 'line\nbreak "quoted" </script> ế'
    answer = client.get("/api/chat/stream", params={"message": message, "delay_ms": 0})
    *tokens, _last = events(answer.text)
    assert "".join(json.loads(token)["token"] for token in tokens) == reply_to(message)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({}, "message: "),
        ({"message": "a", "tokens": "0"}, "tokens: not allowed: a whole number from 1 to 100000."),
        ({"message": "a", "tokens": "1.5"}, "tokens: "),
        ({"message": "a", "delay_ms": "-1"}, "delay_ms: "),
        ({"message": "a", "delay_ms": "60001"}, "delay_ms: "),
        ({"message": "a", "tokens": "61", "delay_ms": "60000"}, "tokens, delay_ms: too long"),
    ],
)
def test_bad_streams(client: TestClient, query: dict[str, str], error: str) -> None:
    answer = client.get("/api/chat/stream", params=query)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(error)


def test_websocket(client: TestClient, store: MemoryStore) -> None:
    with client.websocket_connect("/ws") as websocket:
        websocket.send_text("plain words")
        plain = websocket.receive_json()
        assert plain["reply"] == reply_to("plain words")
        assert (plain["instance"], plain["version"]) == ("replica-1", "7")
        for _unused in range(2):
            websocket.send_text('{"id": "w-1", "message": "named"}')
            assert websocket.receive_json()["id"] == "w-1"
        websocket.send_text('{"not": "ours"}')
        assert websocket.receive_json()["reply"] == reply_to('{"not": "ours"}')
    assert len(store.messages) == 3


def test_websocket_errors_leave_it_open(client: TestClient, store: MemoryStore) -> None:
    with client.websocket_connect("/ws") as websocket:

        def status(text: str) -> int:
            websocket.send_text(text)
            answer: dict[str, Any] = websocket.receive_json()
            assert set(answer) == {"error", "status"}
            return int(answer["status"])

        assert status(" ") == 422
        assert status('{"id": "a b", "message": "x"}') == 422
        store.messages["w-1"] = Message("w-1", "one", "", "", "")
        assert status('{"id": "w-1", "message": "two"}') == 409
        websocket.send_bytes(b"binary")
        assert websocket.receive_json()["status"] == 415
        store.available = False
        assert status("hello") == 503
        store.available = True
        websocket.send_text("hello")
        assert "reply" in websocket.receive_json()


def test_page(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    # Nothing from elsewhere, and text is never taken for HTML.
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "innerHTML" not in answer.text
    assert answer.text.count("<script>") == answer.text.count("<style>") == 1


def test_an_error_of_ours_is_json(client: TestClient, store: MemoryStore) -> None:
    store.messages = None  # type: ignore[assignment]
    answer = client.get("/api/messages/count")
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})


@given(st.text(min_size=1), st.one_of(st.none(), st.integers(1, 50)))
def test_tokens(message: str, count: int | None) -> None:
    tokens = list(tokens_of(message, count))
    if count is None:
        assert "".join(tokens) == reply_to(message)
    else:
        assert len(tokens) == count


def refusal(body: object) -> int | None:
    """The status with which a body is refused, None if it is taken."""
    try:
        identifier, message = validation.chat_request(body)
    except HTTPException as error:
        return error.status_code
    assert message.encode()
    assert "\0" not in message
    assert identifier is None or validation.MESSAGE_ID.fullmatch(identifier)
    return None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_anything_may_be_sent(value: Any) -> None:
    for body in (value, {"message": value}, {"id": value, "message": "x"}):
        assert refusal(body) in (None, 422)
