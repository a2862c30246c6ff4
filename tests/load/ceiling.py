# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m tests.load.ceiling`: how much the client itself can send, and what that costs.

The server is the smallest there is, in a process of its own, so the figures are the client's own.
A test that needs more than a third of the ceiling measures the client as much as the target.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import resource
import sys
from typing import Final, cast

from tests.load.cli import run
from tests.load.profile import Profile
from tests.load.result import Result
from tests.load.traffic import Traffic

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BODY: Final = b'{"id":"%b","reply":"You said: load","instance":"one","version":"1"}'


class _Smallest(asyncio.Protocol):
    """Answers each packet as one POST of ours. No server for anything else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        start = data.find(b'{"id":"') + 7
        body = _BODY % data[start : data.find(b'"', start)]
        self._transport.write(_HEAD % len(body) + body)


async def _serve(pipe: multiprocessing.connection.Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Smallest, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _server(pipe: multiprocessing.connection.Connection) -> None:
    run(_serve(pipe))


async def _load(profile: Profile) -> Result:
    async with Traffic(profile) as traffic:
        await traffic.ended()
    return traffic.result


def measure(seconds: float, closed: int = 40, open_rate: float = 0.0) -> tuple[float, float]:
    """Requests per second, and microseconds of processor time of the client for each."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_server, args=(theirs,))
    server.daemon = True
    server.start()
    try:
        profile = Profile(
            f"http://127.0.0.1:{ours.recv()}",
            closed=closed,
            open_rate=open_rate,
            open_post_share=1.0,
            idle=0,
            sse=0,
            websockets=0,
            duration=seconds,
        )
        before = _processor_seconds()
        result = run(_load(profile))
        spent = _processor_seconds() - before
    finally:
        server.terminate()
        server.join()
    if result.failed:
        raise RuntimeError(f"the smallest server failed:\n{result.table()}")
    return result.ok / result.seconds, spent / result.ok * 1e6


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Measure both ways and print a line for each."""
    for name, closed, rate in (
        ("kept-alive, closed loop", 40, 0.0),
        ("new connections", 0, 1000.0),
    ):
        per_second, microseconds = measure(5.0, closed, rate)
        print(f"{name}: {per_second:.0f} requests/s, {microseconds:.0f} µs of processor time each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
