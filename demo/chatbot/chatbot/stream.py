# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Token streams as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from starlette.types import Message, Receive, Scope, Send


class TokenStream:
    """An ASGI answer that sends tokens at a steady pace and stops when the client has gone.

    Events: ``data: {"index": 0, "token": "You "}`` …, the last one ``data: [DONE]``.
    """

    def __init__(self, tokens: Iterator[str], delay_ms: int) -> None:
        self._tokens = tokens
        self._delay = delay_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            if await self._send_tokens(send, gone):
                await send(_event("[DONE]", more=False))
        finally:
            gone.cancel()

    async def _send_tokens(self, send: Send, gone: asyncio.Future[None]) -> bool:
        """Send all tokens on a fixed schedule, so that delays do not add up; False if cut short."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for index, token in enumerate(self._tokens):
            pause = start + index * self._delay - loop.time()
            if pause > 0:
                await asyncio.wait({gone}, timeout=pause)
            else:
                await asyncio.sleep(0)
            if gone.done():
                return False
            data = json.dumps({"index": index, "token": token}, ensure_ascii=False)
            await send(_event(data, more=True))
        return True


def _event(data: str, *, more: bool) -> Message:
    body = f"data: {data}\n\n".encode()
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
