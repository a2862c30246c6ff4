# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WebSockets, and how they end when the process stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

SERVICE_RESTART = 1012


class Sockets:
    """All open WebSockets. Each answers one message after the other."""

    def __init__(self) -> None:
        self._stopping = False
        self._open: set[WebSocket] = set()
        self._resting: set[WebSocket] = set()

    async def serve(
        self, websocket: WebSocket, answer: Callable[[str | None], Awaitable[str]]
    ) -> None:
        """Accept, then answer each message (None: it was not text) until one side ends it."""
        await websocket.accept()
        self._open.add(websocket)
        try:
            while not self._stopping:
                self._resting.add(websocket)
                event = await websocket.receive()
                self._resting.discard(websocket)
                if event["type"] == "websocket.disconnect":
                    return
                if websocket.application_state is not WebSocketState.CONNECTED:
                    return  # stop() was faster; the client gets no answer and sends it again
                await websocket.send_text(await answer(event.get("text")))
            await websocket.close(SERVICE_RESTART)
        except WebSocketDisconnect:
            return
        finally:
            self._open.discard(websocket)
            self._resting.discard(websocket)

    async def stop(self, timeout: float) -> None:
        """Close every WebSocket with code 1012, each after the message that it is answering."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        closing = {asyncio.ensure_future(socket.close(SERVICE_RESTART)) for socket in self._resting}
        if closing:
            done, late = await asyncio.wait(closing, timeout=timeout)
            for task in late:
                task.cancel()
            for task in done:
                task.exception()  # a client that left meanwhile is no error
        while self._open and loop.time() < deadline:
            await asyncio.sleep(0.02)
