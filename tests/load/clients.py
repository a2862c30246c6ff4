# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that send single requests: closed-loop, open-loop, and idle ones. None ever retries."""

from __future__ import annotations

import random
import time

from tests.load.context import Context
from tests.load.contract import Ask
from tests.load.faults import Failure, RequestFailedError
from tests.load.wire import Connection


class Client:
    """One client with at most one connection, kept alive as long as the server likes."""

    def __init__(self, context: Context, kind: str, number: int) -> None:
        self._context = context
        self._kind = kind
        self._number = number
        self._connection: Connection | None = None

    async def send(self, ask: Ask, since: float | None = None) -> bool:
        """Send one request, once, and count what became of it; True if it was answered rightly.

        `since`: monotonic time from which the latency counts, now by default.
        """
        context = self._context
        context.recorder.sent(self._kind)
        started = time.monotonic() if since is None else since
        try:
            connection = await self._connected()
            answer = await connection.exchange(ask.payload, context.profile.request_timeout)
            origin = context.contract.check(ask, answer)
        except RequestFailedError as fault:
            self.close()
            context.recorder.failed(self._kind, ask.method, ask.path, fault)
            return False
        context.recorder.ok(self._kind, origin, time.monotonic() - started)
        if ask.message_id is not None:
            context.recorder.acknowledged.append(ask.message_id)
        if b"idempotent-replayed" in answer.headers:
            context.recorder.replayed(self._kind)
        if answer.closing:
            connection.closed = connection.closed or "FIN"
        return True

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    async def _connected(self) -> Connection:
        """The connection, renewed if the server has closed it while it rested."""
        connection = self._connection
        if connection is not None:
            await connection.settle()
            if connection.unsolicited:
                raise RequestFailedError(
                    Failure.WRONG_ANSWER,
                    f"{connection.unsolicited} bytes lay on the connection that nobody asked for",
                )
            if not connection.closed:
                return connection
            self._context.recorder.renewed(self._kind, connection.closed == "RST")
            self.close()
        self._connection = await self._context.connect(self._number)
        return self._connection


async def closed_loop(context: Context, number: int) -> None:
    """The next request when the last one is answered, and thought about."""
    client = Client(context, "closed", number)
    profile = context.profile
    if profile.think_time:
        # Clients that all begin at once would think in step.
        await context.pause(profile.think_time * random.random())
    while not context.stopping.is_set():
        good = await client.send(context.contract.ask())
        pause = profile.think_time * random.uniform(0.5, 1.5)
        if not good:
            pause = max(pause, profile.failure_pause)
        if pause:
            await context.pause(pause)
    client.close()


async def idle(context: Context, number: int) -> None:
    """One request, a long rest, the next on the same connection: what a reload must not hurt."""
    client = Client(context, "idle", number)
    profile = context.profile
    while not context.stopping.is_set():
        if not await client.send(context.contract.ask()):
            await context.pause(profile.failure_pause)
        await context.pause(random.uniform(profile.idle_min, profile.idle_max))
    client.close()


async def open_loop(context: Context) -> None:
    """Requests by the clock, each on a new connection, whether or not earlier ones are answered."""
    profile = context.profile
    started = time.monotonic()
    number = 0
    while not context.stopping.is_set():
        due = started + number / profile.open_rate
        early = due - time.monotonic()
        if early > 0:
            await context.pause(early)
            continue
        context.spawn(_open_request(context, number, due))
        number += 1


async def _open_request(context: Context, number: int, due: float) -> None:
    share = context.profile.open_post_share
    posts = context.profile.contract != "plain" and int((number + 1) * share) > int(number * share)
    ask = context.contract.post(True) if posts else context.contract.get(True)
    client = Client(context, "open", number)
    await client.send(ask, due)
    client.close()
