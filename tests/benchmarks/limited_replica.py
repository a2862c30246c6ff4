# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A replica with a known capacity: PLACES requests at a time of SECONDS each, the others wait. With
EXPONENTIAL these are the mean of times that vary as exponential ones do.

Needs nothing but Python; it runs in an image of its own and is not imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal

PORT = 8000
PLACES = int(os.environ.get("PLACES", "100"))
SECONDS = float(os.environ.get("SECONDS", "1.0"))
EXPONENTIAL = os.environ.get("EXPONENTIAL") == "1"
_KEEP_ALIVE = 75.0
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


class Replica:
    """Places, and connections that wait for one."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(PLACES)
        # The first request in each place is shorter, so that places do not become free all at once
        # for ever after: a count over some seconds would then depend on where it begins.
        self._first = [random.random() * SECONDS for _unused in range(PLACES)]

    def _holding(self) -> float:
        if EXPONENTIAL:
            return random.expovariate(1 / SECONDS)
        return self._first.pop() if self._first else SECONDS

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until its client has had enough of it."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            while True:
                read = reader.readuntil(b"\r\n\r\n")
                head = await asyncio.wait_for(read, _KEEP_ALIVE)
                if not head.startswith(b"GET /health "):
                    async with self._places:
                        await asyncio.sleep(self._holding())
                writer.write(_OK)
                await writer.drain()
        writer.close()


async def main() -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(Replica().serve, "0.0.0.0", PORT, backlog=1024)
    await stopped.wait()
    server.close()


asyncio.run(main())
