# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients may send. Each check raises starlette's HTTPException with a text that helps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request

BODY_LIMIT = 1024 * 1024
MESSAGE_LIMIT = 20_000
TOKENS_LIMIT = 100_000
DELAY_LIMIT_MS = 60_000
STREAM_LIMIT_SECONDS = 3600
MESSAGE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# GET /api/messages/count is a route of its own: a message of that name could never be read.
RESERVED_IDS = frozenset({"count"})


async def json_body(request: Request) -> object:
    """Read a JSON body of at most BODY_LIMIT bytes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, f"Content-Type: {kind!r} is not allowed: application/json.")
    too_large = HTTPException(413, f"body: too large: at most {BODY_LIMIT} bytes.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and float(declared) > BODY_LIMIT:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise too_large
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "body: not valid JSON.") from None


def chat_request(body: object, key: str | None = None) -> tuple[str | None, str]:
    """Give (id or None, message). The id in the body comes before the Idempotency-Key."""
    if not isinstance(body, Mapping):
        raise HTTPException(422, 'body: not allowed: an object like {"message": "hello"}.')
    identifier = body.get("id")
    if identifier is not None:
        return message_id(identifier, "id"), message_text(body.get("message"))
    return (
        message_id(key, "Idempotency-Key") if key is not None else None,
        message_text(body.get("message")),
    )


def message_id(value: object, name: str) -> str:
    """Check an id."""
    if not isinstance(value, str) or not MESSAGE_ID.fullmatch(value) or value in RESERVED_IDS:
        allowed = "1 to 128 of the characters A-Z a-z 0-9 . _ : -, and not the word count"
        raise HTTPException(422, f"{name}: not allowed: {allowed}.")
    return value


def message_text(value: object) -> str:
    """Check a message: text that PostgreSQL can hold, so no NUL and no lone surrogates."""
    if not isinstance(value, str) or not value.strip():
        raise HTTPException(422, "message: not allowed: text that is not empty.")
    if len(value) > MESSAGE_LIMIT:
        raise HTTPException(422, f"message: too long: at most {MESSAGE_LIMIT} characters.")
    if "\0" in value or not _encodable(value):
        raise HTTPException(422, "message: not allowed: Unicode text without NUL.")
    return value


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def stream_request(query: Mapping[str, str]) -> tuple[str, int | None, int]:
    """Give (message, number of tokens or None, delay between two of them in ms)."""
    message = message_text(query.get("message"))
    tokens = _number(query, "tokens", 1, TOKENS_LIMIT) if "tokens" in query else None
    delay = _number(query, "delay_ms", 0, DELAY_LIMIT_MS) if "delay_ms" in query else 30
    if tokens is not None and tokens * delay > STREAM_LIMIT_SECONDS * 1000:
        raise HTTPException(
            422, f"tokens, delay_ms: too long together: at most {STREAM_LIMIT_SECONDS} s."
        )
    return message, tokens, delay


def _number(query: Mapping[str, str], name: str, low: int, high: int) -> int:
    value = query[name]
    if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
        raise HTTPException(422, f"{name}: not allowed: a whole number from {low} to {high}.")
    return int(value)
