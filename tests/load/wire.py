# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP/1.1 connection on asyncio that sends a request once and says exactly how it failed.

A library would serve worse here: those at hand renew a connection and send again without saying
so, and take several times the processor time, on cores that the servers under test need.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final, cast

from tests.load.answer import Answer, MalformedError
from tests.load.faults import Failure, RequestFailedError

#: Seconds of rest after which a connection is looked at before it is used again.
_REST: Final = 0.02


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time.

    `closed` is None while it is usable, else "FIN" or "RST". `unsolicited` counts bytes that came
    when no request was open.
    """

    def __init__(self) -> None:
        self.closed: str | None = None
        self.unsolicited = 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._used = 0.0
        self._answered = False
        self._rest: float | None = None  # seconds between the last answer and this request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._used = self._loop.time()

    def data_received(self, data: bytes) -> None:
        answer, waiter = self._answer, self._waiter
        if answer is None or waiter is None or waiter.done():
            self.unsolicited += len(data)
            return
        try:
            rest = answer.feed(data)
        except MalformedError as fault:
            self._fail(Failure.WRONG_ANSWER, str(fault))
            return
        if rest:
            self._fail(
                Failure.WRONG_ANSWER,
                f"{len(rest)} bytes behind the end of the answer: {rest[:40]!r}",
            )
        elif answer.complete:
            waiter.set_result(answer)

    def eof_received(self) -> None:
        self.closed = self.closed or "FIN"
        self._lost("closed by the server (FIN)", Failure.TRUNCATED)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self.closed = self.closed or "FIN"
        else:
            self.closed = "RST"
        self._lost(f"reset ({type(exc).__name__})", Failure.RESET_MID_ANSWER)

    async def exchange(
        self, request: bytes, timeout: float, sink: Callable[[bytes], None] | None = None
    ) -> Answer:
        """Send the request once and give the complete answer within `timeout` seconds.

        Raises RequestFailedError; the connection is of no use after that.
        """
        if self._transport is None or self.closed:
            raise RequestFailedError(
                Failure.RESET_BEFORE_ANSWER, "the connection was closed already"
            )
        self._rest = self._loop.time() - self._used if self._answered else None
        self._answer = Answer(sink)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout, self._expire, timeout)
        self._transport.write(request)
        try:
            return await self._waiter
        finally:
            timer.cancel()
            self._answer = self._waiter = None
            self._answered = True
            self._used = self._loop.time()

    async def settle(self) -> None:
        """Learn what has come while the connection rested, before it is used again.

        A timer can fire before the loop has read a FIN that lies in the kernel already. Without
        this look, a proper close would be taken for a reset of the next request.
        """
        if self.closed or self._transport is None or self._loop.time() - self._used < _REST:
            return
        descriptor = self._transport.get_extra_info("socket").fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if descriptor >= 0 and poll.poll(0):
            before = self.unsolicited
            while not self.closed and self.unsolicited == before:
                await asyncio.sleep(0.001)

    def drop(self) -> None:
        """Close the connection from this side."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    def _expire(self, timeout: float) -> None:
        began = self._answer is not None and self._answer.began
        part = "only a part of the answer" if began else "no answer"
        self._fail(Failure.TIMEOUT, f"{part} in {timeout:g} s")

    def _lost(self, reason: str, if_begun: Failure) -> None:
        answer = self._answer
        if answer is None or self._waiter is None or self._waiter.done():
            return
        if not answer.began:
            new = self._rest is None
            when = "on a new connection" if new else f"after a rest of {self._rest:.2f} s"
            text = f"{reason} before any byte of the answer, {when}"
            self._fail(Failure.RESET_BEFORE_ANSWER, text)
        elif if_begun is Failure.TRUNCATED and answer.end():
            self._waiter.set_result(answer)
        else:
            self._fail(if_begun, f"{reason} in the middle of the answer")

    def _fail(self, failure: Failure, reason: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            answer = self._answer or Answer()
            self._waiter.set_exception(
                RequestFailedError(failure, reason, answer.status or None, answer.request_id)
            )


async def connect(
    host: str, port: int, timeout: float, source_address: str | None = None
) -> Connection:
    """Open one connection within `timeout` seconds. Raises RequestFailedError."""
    loop = asyncio.get_running_loop()
    local = (source_address, 0) if source_address else None
    try:
        _unused, connection = await asyncio.wait_for(
            loop.create_connection(Connection, host, port, local_addr=local), timeout
        )
    except OSError as fault:
        raise connect_failure(fault, timeout) from None
    return connection


def connect_failure(fault: OSError, timeout: float) -> RequestFailedError:
    """Say which kind of failure an error of connect() is (TimeoutError is an OSError)."""
    if isinstance(fault, ConnectionRefusedError):
        return RequestFailedError(Failure.REFUSED, "connection refused")
    if isinstance(fault, TimeoutError):
        return RequestFailedError(Failure.CONNECT_TIMEOUT, f"no connection in {timeout:g} s")
    return RequestFailedError(Failure.CONNECT_ERROR, f"{type(fault).__name__}: {fault}")
