# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WebSockets: what counts as their proper end, and what as cut."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.load import Profile, Result, Traffic

Handler = Callable[[ServerConnection], Awaitable[None]]


def reply(text: str | bytes) -> str:
    message_id = json.loads(text)["id"]
    return json.dumps({"id": message_id, "reply": "so", "instance": "one", "version": "1"})


async def well(connection: ServerConnection) -> None:
    async for text in connection:
        await connection.send(reply(text))


def goodbye(code: int, *, answered: bool) -> Handler:
    async def handle(connection: ServerConnection) -> None:
        text = await connection.recv()
        if answered:
            await connection.send(reply(text))
            await asyncio.sleep(0.02)
        await connection.close(code, "restart")

    return handle


async def vanish(connection: ServerConnection) -> None:
    await connection.send(reply(await connection.recv()))
    await asyncio.sleep(0.02)
    connection.transport.abort()


async def silent(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.wait_closed()


async def of_another(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.send(json.dumps({"id": "another", "reply": "so"}))
    await connection.wait_closed()


async def refused(connection: ServerConnection) -> None:
    await connection.recv()
    await connection.send(json.dumps({"error": "database: not available", "status": 503}))
    await connection.wait_closed()


async def twice(connection: ServerConnection) -> None:
    text = await connection.recv()
    await connection.send(reply(text))
    await connection.send(reply(text))
    await connection.wait_closed()


def against(handler: Handler, status: int = 0, **changes: Any) -> Result:
    def no(connection: ServerConnection, _request: Request) -> Response | None:
        return connection.respond(HTTPStatus(status), "no\n") if status else None

    def named(_unused: ServerConnection, _request: Request, response: Response) -> None:
        response.headers["X-Request-ID"] = "1f2e"

    async def guarded(connection: ServerConnection) -> None:
        try:
            await handler(connection)
        except ConnectionClosed:
            pass

    async def run() -> Result:
        hooks: dict[str, Any] = {"process_request": no, "process_response": named}
        async with serve(guarded, "127.0.0.1", 0, **hooks) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await under(port, **changes)

    return asyncio.run(run())


async def under(port: int, **changes: Any) -> Result:
    figures: dict[str, Any] = {
        "closed": 0,
        "open_rate": 0,
        "idle": 0,
        "sse": 0,
        "websockets": 2,
        "duration": 0.4,
        "ws_interval": 0.05,
        "ws_life": 0.15,
        "request_timeout": 0.5,
        "connect_timeout": 5,
        **changes,
    }
    async with Traffic(Profile(f"http://127.0.0.1:{port}", **figures)) as traffic:
        await traffic.ended()
    kind = traffic.result.kinds["websocket"]
    assert kind.sent == kind.ok + kind.failed
    return traffic.result


def test_a_bounded_life_ends_properly_and_another_begins() -> None:
    result = against(well)
    kind = result.kinds["websocket"]
    assert (kind.failed, result.versions) == (0, {"1": kind.ok})
    assert kind.ok >= 4
    assert kind.messages == len(result.acknowledged) == len(set(result.acknowledged)) >= kind.ok
    assert kind.latency_ms["p50"] < 100


@pytest.mark.parametrize(
    ("handler", "failure", "cut"),
    [
        (goodbye(1012, answered=True), "closed_by_server", True),
        (goodbye(1001, answered=True), "closed_by_server", True),
        (goodbye(1000, answered=True), "cut", True),
        (goodbye(1011, answered=True), "cut", True),
        (goodbye(1012, answered=False), "cut", True),
        (vanish, "cut", True),
        (silent, "cut", True),
        (of_another, "wrong_answer", False),
        (refused, "wrong_answer", False),
        (twice, "wrong_answer", False),
    ],
)
def test_any_other_end_is_named_and_counted_once(handler: Handler, failure: str, cut: bool) -> None:
    result = against(handler, ws_life=5, ws_interval=0.5)
    assert result.ok == 0
    assert result.failures_by_kind == {failure: result.failed}
    assert result.streams_cut == (result.failed if cut else 0)
    assert result.failures[0].path == "/ws"
    ended = {one.request_id for one in result.failures if one.failure != "wrong_answer"}
    assert ended <= {"1f2e"}


@pytest.mark.parametrize(("status", "failure"), [(503, "bad_status"), (429, "limited")])
def test_a_refused_handshake_is_named(status: int, failure: str) -> None:
    result = against(well, status)
    assert result.failures_by_kind == {failure: result.failed}
    assert (result.failures[0].status, result.failures[0].request_id) == (status, "1f2e")


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = asyncio.run(under(free.getsockname()[1]))
    assert result.failures_by_kind == {"refused": result.failed}


def test_a_reset_in_the_handshake() -> None:
    async def run() -> Result:
        async def end(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        server = await asyncio.start_server(end, "127.0.0.1", 0)
        async with server:
            return await under(server.sockets[0].getsockname()[1])

    result = asyncio.run(run())
    assert result.failures_by_kind == {"reset_before_answer": result.failed}
