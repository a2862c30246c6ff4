# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Server-sent events: streams that are longer than any step of a rollout and must not be cut."""

from __future__ import annotations

import json
import time
from typing import Final

from tests.load.context import Context
from tests.load.contract import check_status, origin_of_headers
from tests.load.faults import Failure, RequestFailedError
from tests.load.wire import Connection

_KIND: Final = "sse"
_DONE: Final = "[DONE]"


class StreamWatch:
    """Reads events as they come and remembers the first thing that is wrong with them.

    A token is `{"index": N, "token": …}`, N from 0 without a gap; `tokens` counts them; [DONE] is
    the last event. Source of the format: WHATWG HTML, 9.2.6 "Interpreting an event stream".
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.done = False
        self.fault = ""
        self.first_at = 0.0
        self._line = b""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> None:
        """Take bytes of the body."""
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            self._take(line.removesuffix(b"\r").decode("utf-8", "replace"))

    def judge(self, tokens: int, request_id: str = "") -> None:
        """The stream has ended: was it `tokens` tokens and [DONE]? Raises RequestFailedError."""
        if self.fault:
            raise RequestFailedError(Failure.WRONG_ANSWER, self.fault, None, request_id)
        if not self.done:
            reason = f"ended after {self.tokens} of {tokens} tokens"
            raise RequestFailedError(Failure.CUT, reason, None, request_id)
        if self.tokens != tokens:
            reason = f"{self.tokens} tokens instead of {tokens}"
            raise RequestFailedError(Failure.WRONG_ANSWER, reason, None, request_id)

    def _take(self, line: str) -> None:
        if line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        elif not line and self._data:
            data, self._data = "\n".join(self._data), []
            self._event(data)

    def _event(self, data: str) -> None:
        if self.done:
            self.fault = self.fault or f"an event behind {_DONE}: {data[:80]}"
        elif data == _DONE:
            self.done = True
        else:
            if not self.tokens:
                self.first_at = time.monotonic()
            if token_index(data) != self.tokens:
                self.fault = self.fault or f"in the place of token {self.tokens}: {data[:80]}"
            self.tokens += 1


def token_index(data: str) -> int | None:
    """The index that a token carries, or None if it is no token."""
    try:
        content = json.loads(data)
    except ValueError:
        return None
    index = content.get("index") if isinstance(content, dict) else None
    return index if isinstance(index, int) and not isinstance(index, bool) else None


async def stream_loop(context: Context, number: int) -> None:
    """One stream after the other while the traffic lasts."""
    while not context.stopping.is_set():
        if not await _stream(context, number):
            await context.pause(context.profile.failure_pause)


async def _stream(context: Context, number: int) -> bool:
    profile, recorder = context.profile, context.recorder
    ask = context.contract.stream()
    watch = StreamWatch()
    started = time.monotonic()
    limit = profile.stream_seconds + profile.request_timeout
    connection: Connection | None = None
    recorder.sent(_KIND)
    try:
        connection = await context.connect(number)
        answer = await connection.exchange(ask.payload, limit, watch.feed)
        check_status(answer)
        watch.judge(profile.stream_tokens, answer.request_id)
    except RequestFailedError as fault:
        recorder.failed(_KIND, ask.method, ask.path, _as_cut(fault, watch))
        return False
    finally:
        if connection is not None:
            connection.drop()
    recorder.latency(_KIND, watch.first_at - started)
    recorder.ok(_KIND, origin_of_headers(answer))
    return True


def _as_cut(fault: RequestFailedError, watch: StreamWatch) -> RequestFailedError:
    """A stream that had begun and then stood still was cut; the others keep their kind."""
    if fault.failure is Failure.TIMEOUT and watch.tokens:
        reason = f"stood still: {watch.tokens} tokens, {fault.reason}"
        return RequestFailedError(Failure.CUT, reason, fault.status, fault.request_id)
    return fault
