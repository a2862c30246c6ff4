# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WebSockets with a bounded life.

When does a WebSocket count as cut? A balancer that drains keeps a WebSocket on its old replica
until it ends or the drain timeout is over. So each one here lives `ws_life` seconds, less than any
drain timeout, is then closed from this side, properly, and a new one is begun. Any end that did
not come from here is a failure, counted once for the WebSocket: `closed_by_server` if the server
said goodbye (1001 going away, 1012 service restart) while no message was unanswered, else `cut`.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from tests.load.context import Context
from tests.load.contract import origin_of, parse_object
from tests.load.faults import Failure, RequestFailedError
from tests.load.recorder import Origin
from tests.load.wire import connect_failure

_KIND: Final = "websocket"
_GOODBYES: Final = (1001, 1012)
_CLOSED: Final = 1000


async def websocket_loop(context: Context, number: int) -> None:
    """One WebSocket after the other while the traffic lasts."""
    while not context.stopping.is_set():
        context.recorder.sent(_KIND)
        try:
            origin = await _life(context, number)
        except RequestFailedError as fault:
            context.recorder.failed(_KIND, "GET", context.profile.ws_path, fault)
            await context.pause(context.profile.failure_pause)
        else:
            context.recorder.ok(_KIND, origin)


async def _life(context: Context, number: int) -> Origin:
    """Open, converse, close. Raises RequestFailedError."""
    socket = await _open(context, number)
    try:
        origin = await _converse(context, socket)
        await socket.close()
    finally:
        socket.transport.abort()
    if socket.close_code != _CLOSED:
        raise _ended(socket, False, "in the closing handshake")
    return origin


async def _open(context: Context, number: int) -> ClientConnection:
    profile = context.profile
    source = context.source_address(number)
    try:
        return await connect(
            f"ws://{context.target.authority}{profile.ws_path}",
            compression=None,
            proxy=None,
            open_timeout=profile.connect_timeout,
            close_timeout=profile.request_timeout,
            ping_interval=None,
            local_addr=(source, 0) if source else None,
        )
    except InvalidStatus as fault:
        status = fault.response.status_code
        failure = Failure.LIMITED if status == 429 else Failure.BAD_STATUS
        raise RequestFailedError(
            failure, "the handshake was refused", status, _request_id(fault.response)
        ) from None
    except (InvalidHandshake, EOFError, ConnectionResetError) as fault:
        raise RequestFailedError(
            Failure.RESET_BEFORE_ANSWER, f"in the handshake: {fault}"
        ) from None
    except OSError as fault:
        raise connect_failure(fault, profile.connect_timeout) from None


async def _converse(context: Context, socket: ClientConnection) -> Origin:
    """A message and its reply, at least once, with rests between, until the life is over.

    Raises RequestFailedError.
    """
    profile = context.profile
    ends = time.monotonic() + profile.ws_life
    origin = Origin()
    while True:
        started = time.monotonic()
        origin = await _message(context, socket) or origin
        context.recorder.latency(_KIND, time.monotonic() - started)
        await _rest(socket, profile.ws_interval)
        if context.stopping.is_set() or time.monotonic() >= ends:
            return origin


async def _message(context: Context, socket: ClientConnection) -> Origin | None:
    """Send one message and check its reply. Raises RequestFailedError."""
    limit = context.profile.request_timeout
    message_id = context.contract.next_id()
    try:
        await socket.send(json.dumps({"id": message_id, "message": "load"}))
    except ConnectionClosed:
        raise _ended(socket, False, "before a message was sent") from None
    try:
        reply = await asyncio.wait_for(socket.recv(), limit)
    except ConnectionClosed:
        raise _ended(socket, True, "while a message was unanswered") from None
    except asyncio.TimeoutError:
        raise RequestFailedError(
            Failure.CUT,
            f"a message was not answered in {limit:g} s",
            None,
            _request_id(socket.response),
        ) from None
    return _check(context, message_id, reply)


def _check(context: Context, message_id: str, reply: str | bytes) -> Origin | None:
    """Count the reply if it belongs to the message. Raises RequestFailedError."""
    data = parse_object(reply)
    if data.get("id") != message_id or not isinstance(data.get("reply"), str):
        raise RequestFailedError(
            Failure.WRONG_ANSWER, f"the reply does not belong to {message_id}: {reply[:160]!r}"
        )
    context.recorder.message(message_id)
    return origin_of(data)


async def _rest(socket: ClientConnection, seconds: float) -> None:
    """Nothing may come and nothing may end until the next message. Raises RequestFailedError."""
    try:
        extra = await asyncio.wait_for(socket.recv(), seconds)
    except asyncio.TimeoutError:
        return
    except ConnectionClosed:
        raise _ended(socket, False, "between two messages") from None
    raise RequestFailedError(Failure.WRONG_ANSWER, f"a message nobody asked for: {extra[:160]!r}")


def _ended(socket: ClientConnection, unanswered: bool, when: str) -> RequestFailedError:
    """Which failure an end is that was not asked for."""
    code = socket.close_code
    goodbye = code in _GOODBYES and not unanswered
    return RequestFailedError(
        Failure.CLOSED_BY_SERVER if goodbye else Failure.CUT,
        f"closed {when}: {code} {socket.close_reason or ''}".rstrip(),
        code,
        _request_id(socket.response),
    )


def _request_id(handshake: Response | None) -> str:
    """What the balancer calls the request that became a WebSocket."""
    return handshake.headers.get("X-Request-ID", "") if handshake else ""
