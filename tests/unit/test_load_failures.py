# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way in which a request can fail is told apart and counted once, against real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from typing import Any

import pytest

from tests.load import Profile, Result, Traffic
from tests.load.servers import (
    STREAM_END,
    STREAM_HEAD,
    Behaviour,
    Request,
    Server,
    answer,
    chunk,
    reply,
    reset,
    serve,
    token,
    well,
)
from tests.load.wire import connect

NOTHING: dict[str, Any] = {"closed": 0, "open_rate": 0, "idle": 0, "sse": 0, "websockets": 0}
QUICK: dict[str, Any] = {
    **NOTHING,
    "duration": 0.15,
    "connect_timeout": 0.2,
    "request_timeout": 0.2,
    "failure_pause": 0.05,
    "stream_tokens": 5,
    "stream_delay_ms": 10,
}


def exact(result: Result) -> Result:
    """Whatever happened: each one that was begun ended exactly once."""
    for name, kind in result.kinds.items():
        assert kind.sent == kind.ok + kind.failed, name
        assert kind.failed == sum(kind.failures.values()), name
    assert len(set(result.acknowledged)) == len(result.acknowledged)
    assert result.failed == sum(second.failed for second in result.timeline)
    assert result.ok == sum(second.ok for second in result.timeline)
    return Result.from_json(result.to_json())


async def under(url: str, **changes: Any) -> Result:
    async with Traffic(Profile(url, **{**QUICK, **changes})) as traffic:
        await traffic.ended()
    return exact(traffic.result)


def against(behave: Behaviour, **changes: Any) -> tuple[Result, Server]:
    async def run() -> tuple[Result, Server]:
        async with serve(behave) as server:
            return await under(server.url, **changes), server

    return asyncio.run(run())


async def nothing_at_all(request: Request, writer: asyncio.StreamWriter) -> bool:
    return False


async def reset_at_once(request: Request, writer: asyncio.StreamWriter) -> bool:
    reset(writer)
    return False


async def half(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(reply(request)[:-9])
    return False


async def half_and_reset(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(reply(request)[:-9])
    await writer.drain()
    await asyncio.sleep(0.02)
    reset(writer)
    return False


async def stall(request: Request, writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(1)
    return False


async def half_and_stall(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(reply(request)[:20])
    return await stall(request, writer)


async def twice(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(reply(request) * 2)
    return True


async def of_another(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(answer({"id": "another", "reply": "x", "instance": "one", "version": "1"}))
    return True


async def no_reply(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(answer({"id": request.message_id}))
    return True


async def page(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(answer(b"<html>", kind="text/html"))
    return True


async def broken_json(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(answer(b'{"id":'))
    return True


async def no_http(request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"SSH-2.0-OpenSSH\r\n")
    return True


def status(code: int) -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer({"error": "no"}, code))
        return True

    return behave


@pytest.mark.parametrize(
    ("behave", "failure", "code"),
    [
        (nothing_at_all, "reset_before_answer", None),
        (reset_at_once, "reset_before_answer", None),
        (half, "truncated", 200),
        (half_and_reset, "reset_mid_answer", 200),
        (stall, "timeout", None),
        (half_and_stall, "timeout", None),
        (status(500), "bad_status", 500),
        (status(502), "bad_status", 502),
        (status(302), "bad_status", 302),
        (status(429), "limited", 429),
        (twice, "wrong_answer", 200),
        (of_another, "wrong_answer", None),
        (no_reply, "wrong_answer", None),
        (page, "wrong_answer", None),
        (broken_json, "wrong_answer", None),
        (no_http, "wrong_answer", None),
    ],
)
@pytest.mark.parametrize("load", [{"closed": 2}, {"open_rate": 20, "open_post_share": 1}])
def test_each_failure_has_its_own_name(
    behave: Behaviour, failure: str, code: int | None, load: dict[str, Any]
) -> None:
    result, server = against(behave, **load)
    assert result.failed > 0
    assert result.failures_by_kind == {failure: result.failed}
    assert result.sent == result.failed
    assert len(server.requests) == result.sent, "a request was sent again, or not at all"
    assert result.acknowledged == []
    first = result.failures[0]
    assert (first.method, first.path, first.status) == ("POST", "/api/chat", code)
    assert first.reason
    assert 0 <= first.second < 2


async def refused_by_a_balancer(_request: Request, writer: asyncio.StreamWriter) -> bool:
    writer.write(answer({"error": "no"}, 502, "X-Request-ID: 1f2e\r\n"))
    return True


async def cut_by_a_balancer(_request: Request, writer: asyncio.StreamWriter) -> bool:
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nX-Request-ID: 1f2e\r\n\r\n")
    writer.write(head + token(0))
    return False


@pytest.mark.parametrize(
    ("behave", "load"), [(refused_by_a_balancer, {"closed": 1}), (cut_by_a_balancer, {"sse": 1})]
)
def test_a_failure_says_which_request_of_the_balancer_it_was(
    behave: Behaviour, load: dict[str, Any]
) -> None:
    result, _unused = against(behave, **load)
    assert result.failed
    assert {failure.request_id for failure in result.failures} == {"1f2e"}


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = asyncio.run(under(f"http://127.0.0.1:{free.getsockname()[1]}", closed=2, sse=1))
    assert result.failures_by_kind == {"refused": result.failed}
    # 0.15 s at a pause of 0.05 s: a refused client does not spin.
    assert 3 <= result.failed <= 15
    assert result.longest_pause == pytest.approx(result.seconds, abs=0.01)


def test_nobody_accepts() -> None:
    with socket.socket() as full, socket.socket() as filler, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for one in (filler, second):
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        result = asyncio.run(under(f"http://127.0.0.1:{full.getsockname()[1]}", closed=1))
    assert set(result.failures_by_kind) == {"connect_timeout"}


def test_a_second_answer_that_comes_late_is_found_before_the_next_request() -> None:
    async def late(request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(reply(request))
        await asyncio.sleep(0.03)
        writer.write(reply(request))
        return True

    result, _unused = against(late, closed=1, think_time=0.2, duration=0.8, request_timeout=5)
    assert set(result.failures_by_kind) == {"wrong_answer"}
    assert "nobody asked for" in result.failures[0].reason


@pytest.mark.parametrize(
    ("close", "good", "field"), [(True, True, "reconnected"), (False, True, "reset_at_rest")]
)
def test_a_close_at_rest_is_no_failure(close: bool, good: bool, field: str) -> None:
    async def once(request: Request, writer: asyncio.StreamWriter) -> bool:
        writer.write(reply(request))
        await writer.drain()
        if not close:
            await asyncio.sleep(0.01)
            reset(writer)
        return False

    result, server = against(
        once, idle=3, idle_min=0.2, idle_max=0.3, duration=0.8, request_timeout=5
    )
    idle = result.kinds["idle"]
    assert result.failed == 0
    assert getattr(idle, field) == server.connections - 3 > 0


@pytest.mark.parametrize(("by_reset", "closed"), [(False, "FIN"), (True, "RST")])
def test_a_close_that_still_lies_in_the_kernel_is_seen_before_sending(
    by_reset: bool, closed: str
) -> None:
    async def run(listener: socket.socket) -> str | None:
        connection = await connect("127.0.0.1", listener.getsockname()[1], 1.0)
        peer, _unused = listener.accept()
        time.sleep(0.03)
        if by_reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        assert connection.closed is None, "the loop has had no chance to see it"
        await connection.settle()
        return connection.closed

    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert asyncio.run(run(listener)) == closed


def test_a_reset_of_the_next_request_is_a_failure_of_an_idle_client() -> None:
    async def second_fails(request: Request, writer: asyncio.StreamWriter) -> bool:
        if request.number == 2:
            reset(writer)
            return False
        return await well(request, writer)

    result, _unused = against(
        second_fails, idle=2, idle_min=0.05, idle_max=0.05, duration=0.4, request_timeout=5
    )
    assert set(result.failures_by_kind) == {"reset_before_answer"}
    assert result.kinds["idle"].reconnected == 0


def test_a_server_that_asks_for_the_close_is_obeyed() -> None:
    async def one_each(request: Request, writer: asyncio.StreamWriter) -> bool:
        right = reply(request)
        writer.write(right.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        return False

    result, server = against(one_each, closed=2, request_timeout=5)
    assert result.failed == 0
    assert server.connections == len(server.requests) == result.ok
    assert result.kinds["closed"].reconnected == server.connections - 2


async def _events(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    writer.write(STREAM_HEAD)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.005)


def stream_of(*pieces: bytes, rst: bool = False, wait: float = 0.0) -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        await _events(writer, *pieces)
        await asyncio.sleep(wait)
        if rst:
            reset(writer)
        return False

    return behave


FIVE = [token(index) for index in range(5)]


@pytest.mark.parametrize(
    ("behave", "failure", "cut"),
    [
        (stream_of(*FIVE[:3]), "truncated", True),
        (stream_of(*FIVE[:3], rst=True), "reset_mid_answer", True),
        (stream_of(*FIVE[:3], b"0\r\n\r\n"), "cut", True),
        (stream_of(*FIVE[:3], wait=1), "cut", True),
        (stream_of(*FIVE[:4], STREAM_END), "wrong_answer", False),
        (stream_of(*FIVE, FIVE[4], STREAM_END), "wrong_answer", False),
        (stream_of(FIVE[0], FIVE[2], FIVE[1], *FIVE[3:], STREAM_END), "wrong_answer", False),
        (stream_of(*FIVE[:4], chunk("four"), STREAM_END), "wrong_answer", False),
        (stream_of(*FIVE, chunk("[DONE]"), FIVE[0], b"0\r\n\r\n"), "wrong_answer", False),
        (status(503), "bad_status", False),
        (nothing_at_all, "reset_before_answer", False),
        (stall, "timeout", False),
    ],
)
def test_a_stream_ends_rightly_or_is_named(behave: Behaviour, failure: str, cut: bool) -> None:
    result, _unused = against(behave, sse=1)
    assert result.failures_by_kind == {failure: result.failed}
    assert result.streams_cut == (result.failed if cut else 0)


def test_a_right_stream_is_ok_in_any_pieces() -> None:
    whole = b"".join(FIVE) + STREAM_END
    pieces = [whole[start : start + 3] for start in range(0, len(whole), 3)]
    result, _unused = against(stream_of(*pieces), sse=1, request_timeout=5)
    assert (result.failed, result.versions) == (0, {"1": result.ok})


def test_no_stream_is_begun_after_the_end_is_asked_for() -> None:
    async def run() -> tuple[Result, int]:
        async with serve(well) as server:
            profile = Profile(
                server.url, **{**QUICK, "sse": 3, "stream_tokens": 60, "request_timeout": 5}
            )
            async with Traffic(profile) as traffic:
                await asyncio.sleep(0.2)
            return exact(traffic.result), len(server.requests)

    result, begun = asyncio.run(run())
    assert (result.ok, result.failed, begun) == (3, 0, 3)
    assert json.loads(result.to_json())["kinds"]["sse"]["latency_ms"]["max"] < 500
