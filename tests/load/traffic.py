# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole mix of clients as one thing that is started, asked to end, and gives a result."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from tests.load.clients import closed_loop, idle, open_loop
from tests.load.context import Context
from tests.load.profile import Profile
from tests.load.result import Result
from tests.load.streams import stream_loop
from tests.load.websocket import websocket_loop


class Traffic:
    """`async with Traffic(profile) as traffic:` runs it; afterwards `traffic.result` is there.

    It ends when the block ends, and before that by itself after `duration`, `max_duration` or
    `max_requests`. Then no request, stream or WebSocket is begun any more; those that run come to
    their end, in at most `profile.ending_seconds`.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._context: Context | None = None
        self._result: Result | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Traffic:
        context = self._context = Context(self.profile)
        profile = self.profile
        for number in range(profile.closed):
            context.spawn(closed_loop(context, number))
        for number in range(profile.idle):
            context.spawn(idle(context, number))
        for number in range(profile.sse):
            context.spawn(stream_loop(context, number))
        for number in range(profile.websockets):
            context.spawn(websocket_loop(context, number))
        if profile.open_rate:
            context.spawn(open_loop(context))
        seconds = min(profile.duration or profile.max_duration, profile.max_duration)
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def end(self) -> None:
        """Ask for the end; returns at once."""
        self._running.stopping.set()

    async def ended(self) -> None:
        """Wait until the end is asked for, by whomever."""
        await self._running.stopping.wait()

    async def stop(self) -> Result:
        """End it and give the result. Raises what a client ran into that it must not."""
        if self._result is not None:
            return self._result
        context = self._running
        self.end()
        stopped = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()
        while context.tasks:
            await asyncio.wait(context.tasks)
        if context.error is not None:
            raise context.error
        self._result = context.recorder.result(stopped)
        return self._result

    @property
    def result(self) -> Result:
        """The figures, once it has ended."""
        if self._result is None:
            raise RuntimeError("the traffic has not ended yet")
        return self._result

    def progress(self) -> dict[str, float]:
        """Figures so far: seconds, sent, ok, failed."""
        return self._running.recorder.progress()

    @property
    def _running(self) -> Context:
        if self._context is None:
            raise RuntimeError("the traffic has not begun")
        return self._context
