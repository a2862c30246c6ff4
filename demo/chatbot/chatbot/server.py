# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process: starts, serves, and stops without cutting anybody off."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import uvicorn
import uvloop

from . import logs
from .settings import Settings, SettingsError, from_environment
from .sockets import Sockets
from .store import Store
from .web import create_app

EXIT_SETTINGS = 2
SOCKETS_TIMEOUT_SECONDS = 5.0
WEBSOCKET_LIMIT = 256 * 1024


class Server(uvicorn.Server):
    """uvicorn, with three differences: our log lines, 1012 for WebSockets, and exit status 0."""

    def __init__(self, config: uvicorn.Config, settings: Settings, sockets: Sockets) -> None:
        super().__init__(config)
        self._settings = settings
        self._sockets = sockets

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT; a stop that was asked for is no failure.

        uvicorn's own raises the signal again at the end, which makes the exit status 143.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            logs.event(
                logging.INFO,
                "started",
                instance=self._settings.instance,
                version=self._settings.version,
                port=self._settings.port,
                faults=self._settings.faults,
            )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing new, finish what runs, within the shutdown timeout as a whole."""
        start = monotonic()
        logs.event(logging.INFO, "stopping", connections=len(self.server_state.connections))
        for server in self.servers:
            server.close()
        # uvicorn would fail WebSockets at once, in the middle of an answer.
        timeout = self._settings.shutdown_timeout
        await self._sockets.stop(min(SOCKETS_TIMEOUT_SECONDS, timeout / 2))
        remaining = timeout - (monotonic() - start)
        self.config.timeout_graceful_shutdown = max(1, int(remaining))
        await super().shutdown(sockets)
        logs.event(logging.INFO, "stopped", seconds=round(monotonic() - start, 1))


def main() -> int:
    """Run until told to stop; give the exit status."""
    logs.configure()
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        for fault in error.faults:
            logs.event(logging.ERROR, fault)
        return EXIT_SETTINGS
    sockets = Sockets()
    config = uvicorn.Config(
        create_app(settings, Store(settings), sockets),
        host="0.0.0.0",
        port=settings.port,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=[("X-Instance", settings.instance), ("X-App-Version", settings.version)],
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=settings.shutdown_timeout,
        ws="websockets",
        ws_max_size=WEBSOCKET_LIMIT,
        ws_per_message_deflate=False,
    )
    server = Server(config, settings, sockets)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())
    return 0 if server.started else 1
