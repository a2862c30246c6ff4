# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from . import validation
from .faults import Faults, hang
from .replies import reply_to, tokens_of
from .settings import Settings
from .sockets import Sockets
from .store import Message, MessageConflictError, Storage, StoreUnavailableError
from .stream import TokenStream

RETRY_AFTER = {"Retry-After": "2"}


def create_app(settings: Settings, store: Storage, sockets: Sockets) -> Starlette:
    """Build the application; it opens the store when it starts and closes it when it stops."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await store.open()
        yield
        await store.close()

    api = _Api(settings, store, sockets)
    handlers: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        HTTPException: _http_error,
        StoreUnavailableError: lambda _request, error: _http_error(_request, _refusal(error)),
        MessageConflictError: lambda _request, error: _http_error(_request, _refusal(error)),
        # Nobody is there to read it; without this it would be logged as an error of ours.
        ClientDisconnect: lambda _request, _error: Response(status_code=400),
        Exception: lambda _request, _error: _json({"error": "internal error"}, 500),
    }
    return Starlette(routes=api.routes(), lifespan=lifespan, exception_handlers=dict(handlers))


class _Api:
    def __init__(self, settings: Settings, store: Storage, sockets: Sockets) -> None:
        self._settings = settings
        self._store = store
        self._sockets = sockets
        self._faults = Faults()
        self._page, policy = _page()
        self._page_headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }

    def routes(self) -> list[BaseRoute]:
        """Give all routes, the busiest first: they are tried in this order."""
        return [
            Route("/api/chat", self.chat, methods=["POST"]),
            Route("/health", self.health),
            Route("/api/chat/stream", self.stream),
            Route("/api/messages/count", self.count),
            Route("/api/messages/{id}", self.message),
            WebSocketRoute("/ws", self.websocket),
            Route("/", self.page),
            *(self._faults.routes() if self._settings.faults else ()),
        ]

    async def chat(self, request: Request) -> Response:
        """Store a message once and answer; the same id has the same answer for ever."""
        body = await validation.json_body(request)
        key = request.headers.get("idempotency-key")
        stored, new = await self._answer(*validation.chat_request(body, key))
        return _json(_reply(stored), headers=None if new else {"Idempotent-Replayed": "true"})

    async def health(self, request: Request) -> Response:
        """Tell whether this process can serve.

        The database is reported but does not decide: if it did, an outage of the database would
        make all replicas ill at once, and restarting them would not help.
        """
        if self._faults.health == "hang":
            return await hang(request)
        ill = self._faults.health == "off"
        state = {
            "status": "ill" if ill else "ok",
            "instance": self._settings.instance,
            "version": self._settings.version,
            "database": "available" if self._store.available else "unavailable",
        }
        return _json(state, 503 if ill else 200, {"Cache-Control": "no-store"})

    async def stream(self, request: Request) -> ASGIApp:
        """Send the reply token by token. Nothing is stored."""
        message, tokens, delay_ms = validation.stream_request(request.query_params)
        return TokenStream(tokens_of(message, tokens), delay_ms)

    async def count(self, _request: Request) -> Response:
        """Tell how many messages are stored."""
        return _json({"count": await self._store.count()})

    async def message(self, request: Request) -> Response:
        """Give one stored message."""
        identifier = validation.message_id(request.path_params["id"], "id")
        found = await self._store.find(identifier)
        if found is None:
            raise HTTPException(404, f"id: {identifier} is not stored.")
        return _json({"message": found.message, **_reply(found)})

    async def page(self, _request: Request) -> Response:
        """Show the chat page."""
        return Response(self._page, media_type="text/html", headers=self._page_headers)

    async def websocket(self, websocket: WebSocket) -> None:
        """Answer each text: a message, or ``{"id"?, "message"}`` as JSON."""
        await self._sockets.serve(websocket, self._answer_text)

    async def _answer_text(self, text: str | None) -> str:
        try:
            if text is None:
                raise HTTPException(415, "message: not allowed: binary; send text.")
            stored, _new = await self._answer(*validation.chat_request(_from_text(text)))
        except HTTPException as error:
            return _dumps({"error": error.detail, "status": error.status_code})
        except (StoreUnavailableError, MessageConflictError) as error:
            refusal = _refusal(error)
            return _dumps({"error": refusal.detail, "status": refusal.status_code})
        return _dumps(_reply(stored))

    async def _answer(self, identifier: str | None, message: str) -> tuple[Message, bool]:
        return await self._store.save(
            Message(
                id=identifier or str(uuid.uuid4()),
                message=message,
                reply=reply_to(message),
                instance=self._settings.instance,
                version=self._settings.version,
            )
        )


def _from_text(text: str) -> object:
    """Tell a JSON request from a plain message."""
    if text.lstrip().startswith("{"):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict) and "message" in body:
            return body
    return {"message": text}


def _reply(stored: Message) -> dict[str, str]:
    return {
        "id": stored.id,
        "reply": stored.reply,
        "instance": stored.instance,
        "version": stored.version,
    }


def _refusal(error: Exception) -> HTTPException:
    """Say in HTTP what the store has said."""
    if isinstance(error, MessageConflictError):
        return HTTPException(409, f"id: {error} is taken: it was sent with another message before.")
    return HTTPException(503, "database: not available. Send the same again.", RETRY_AFTER)


def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code, error.headers)


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_dumps(content), status, headers=headers, media_type="application/json")


def _dumps(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _page() -> tuple[bytes, str]:
    """Give the chat page and the policy that lets exactly its own script and style run."""
    text = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    digests = {}
    for tag in ("script", "style"):
        found = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        content = found.group(1) if found else ""
        digests[tag] = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digests['script']}'; "
        f"style-src 'sha256-{digests['style']}'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text.encode(), policy
