# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stream loses by going through the balancer: to its first event, and between its events.

Each stream through the balancer has a twin that is asked for directly at the same moment, so what
the machine does meanwhile hits both.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType, web

from tests.integration.nginx_live import Balancer, need_image

pytestmark = pytest.mark.alone

STREAMS = 24  # at least 20 of each kind, eight at a time
AT_A_TIME = 8
EVENTS = 100
SPACING = 0.02  # seconds between two events
FIRST_EVENT_ROOM = 0.020  # seconds that the first event may take longer
SPACING_ROOM = 1.2  # times the direct spacing at p95

STREAM = {"Accept": "text/event-stream"}
WAYS = {
    "a path that streams": ("/api/chat/stream", {}),
    "a request for events": ("/anywhere", STREAM),
    "one that may be sent again": ("/anywhere", {**STREAM, "Idempotency-Key": "1"}),
    "a rule without buffering": ("/live", {}),
}


async def handle(request: web.Request) -> web.StreamResponse:
    """Events by the clock, or a WebSocket that echoes."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        async for message in connection:
            await connection.send_str(message.data)
        return connection
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    start = time.monotonic()
    for number in range(EVENTS):
        await asyncio.sleep(start + number * SPACING - time.monotonic())
        await response.write(f"data: {number}\n\n".encode())
    return response


@dataclass
class Times:
    """Seconds: to the first event of each stream, and between the events of all."""

    first: list[float] = field(default_factory=list)
    spacing: list[float] = field(default_factory=list)


Ask = Callable[[ClientSession, str, dict[str, str], Times], Coroutine[Any, Any, None]]


async def read_events(
    session: ClientSession, url: str, headers: dict[str, str], times: Times
) -> None:
    """Read a whole stream."""
    seen = time.monotonic()
    async with session.get(f"http://{url}", headers=headers) as response:
        for number in range(EVENTS):
            line = await response.content.readline()
            now = time.monotonic()
            assert line == f"data: {number}\n".encode()
            assert await response.content.readline() == b"\n"
            (times.spacing if number else times.first).append(now - seen)
            seen = now
        assert await response.content.read() == b""


async def talk(session: ClientSession, url: str, headers: dict[str, str], times: Times) -> None:
    """A WebSocket: connect and hear the first echo, then the others."""
    seen = time.monotonic()
    async with session.ws_connect(f"http://{url}", headers=headers) as connection:
        for number in range(EVENTS):
            await connection.send_str(f"{number}")
            message = await connection.receive(timeout=5)
            assert (message.type, message.data) == (WSMsgType.TEXT, f"{number}")
            now = time.monotonic()
            (times.spacing if number else times.first).append(now - seen)
            seen = now


async def twins(
    listener: socket.socket, through: int, path: str, headers: dict[str, str], ask: Ask
) -> tuple[Times, Times]:
    """The times of all streams: direct, and through the balancer."""
    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    found = {listener.getsockname()[1]: Times(), through: Times()}
    try:
        for _round in range(STREAMS // AT_A_TIME):
            async with ClientSession() as session:
                await asyncio.gather(
                    *(
                        ask(session, f"127.0.0.1:{port}{path}", headers, times)
                        for _stream in range(AT_A_TIME)
                        for port, times in found.items()
                    )
                )
    finally:
        await runner.cleanup()
    direct, balanced = found.values()
    return direct, balanced


@pytest.fixture(scope="module")
def running_balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    need_image()
    balancer = Balancer(tmp_path_factory.mktemp("balancer"))
    yield balancer
    balancer.stop()


def measure(
    balancer: Balancer, path: str, headers: dict[str, str], ask: Ask
) -> tuple[Times, Times]:
    """Direct, and through the balancer."""
    listener = socket.create_server(("127.0.0.1", 0))
    member: dict[str, object] = {"address": "127.0.0.1", "port": listener.getsockname()[1]}
    balancer.publish([member], paths=[{"path": "/live", "buffering": False}])
    return asyncio.run(twins(listener, balancer.port, path, headers, ask))


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def report(what: str, direct: Times, balanced: Times) -> None:
    """The figures are what these tests are about."""
    print(f"\n{what}: ms direct → through the balancer, median and p95")
    for name in ("first", "spacing"):
        one, other = getattr(direct, name), getattr(balanced, name)
        figures = [f"{f(one) * 1000:.2f} → {f(other) * 1000:.2f}" for f in (median, p95)]
        print(f"  {name:8} {' | '.join(figures)} ({len(other)} of each)")


@pytest.mark.parametrize("way", WAYS)
def test_events_arrive_as_they_do_without_a_balancer(running_balancer: Balancer, way: str) -> None:
    direct, balanced = measure(running_balancer, *WAYS[way], read_events)
    report(f"events, {way}", direct, balanced)
    assert len(balanced.first) == STREAMS
    assert median(balanced.first) - median(direct.first) <= FIRST_EVENT_ROOM
    assert p95(balanced.first) - p95(direct.first) <= FIRST_EVENT_ROOM
    assert p95(balanced.spacing) <= p95(direct.spacing) * SPACING_ROOM


def test_a_websocket_answers_as_it_does_without_a_balancer(running_balancer: Balancer) -> None:
    direct, balanced = measure(running_balancer, "/any/path", {}, talk)
    report("WebSocket", direct, balanced)
    assert len(balanced.first) == STREAMS
    assert median(balanced.first) - median(direct.first) <= FIRST_EVENT_ROOM
    assert p95(balanced.first) - p95(direct.first) <= FIRST_EVENT_ROOM
    assert p95(balanced.spacing) - p95(direct.spacing) <= FIRST_EVENT_ROOM
