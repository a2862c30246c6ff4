# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all clients of one run share."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any, Final

from tests.load.contract import Contract
from tests.load.profile import Profile, Target
from tests.load.recorder import Recorder
from tests.load.wire import Connection, connect

#: Seconds below which a pause is not worth an early end.
_SHORT: Final = 0.1


class Context:
    """Profile, counters, the sign to stop, and the tasks that run."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.target = Target.parse(profile.url)
        self.run = secrets.token_hex(4)
        self.stopping = asyncio.Event()
        self.recorder = Recorder(self.run, profile.max_requests, self.stopping.set)
        self.contract = Contract(profile, self.target, self.run)
        self.tasks: set[asyncio.Task[None]] = set()
        self.error: BaseException | None = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside the rest. An error in it ends the traffic and comes up at the end."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.error = self.error or task.exception()
            self.stopping.set()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the traffic lasts."""
        if seconds < _SHORT:
            await asyncio.sleep(max(seconds, 0.0))
            return
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    def source_address(self, number: int) -> str | None:
        """The local address of the client with this number; None: the kernel chooses."""
        addresses = self.profile.source_addresses
        return addresses[number % len(addresses)] if addresses else None

    async def connect(self, number: int) -> Connection:
        """A new connection for the client with this number. Raises RequestFailedError."""
        return await connect(
            self.target.host,
            self.target.port,
            self.profile.connect_timeout,
            self.source_address(number),
        )
