# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of the application under load, and what makes an answer right."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Final

from tests.load.answer import Answer
from tests.load.faults import Failure, RequestFailedError
from tests.load.profile import Profile, Target
from tests.load.recorder import Origin

#: Characters of a wrong answer that a failure's reason shows.
_SHOWN: Final = 160


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, ready to be sent; `message_id` is what the answer must echo, if anything."""

    method: str
    path: str
    payload: bytes
    message_id: str | None = None


class Contract:
    """Makes requests and judges answers. `run` begins every id, so runs cannot meet."""

    def __init__(self, profile: Profile, target: Target, run: str) -> None:
        self._profile = profile
        self._run = run
        self._numbers = itertools.count(1)
        self._authority = target.authority

    def next_id(self) -> str:
        """An id that no other message has."""
        return f"{self._run}-{next(self._numbers):08d}"

    def ask(self, close: bool = False) -> Ask:
        """The request of closed-loop and idle clients: a POST; a GET in the plain contract."""
        return self.get(close) if self._profile.contract == "plain" else self.post(close)

    def post(self, close: bool = False) -> Ask:
        """A message with an id of its own."""
        message_id = self.next_id()
        body = b'{"id":"%b","message":"load"}' % message_id.encode()
        extra = f"Idempotency-Key: {message_id}\r\n" if self._profile.idempotency_key else ""
        head = self._head("POST", self._profile.chat_path, close) + (
            f"{extra}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return Ask("POST", self._profile.chat_path, head.encode() + body, message_id)

    def get(self, close: bool = False) -> Ask:
        """A request that stores nothing."""
        path = self._profile.get_path
        return Ask("GET", path, f"{self._head('GET', path, close)}\r\n".encode())

    def stream(self) -> Ask:
        """A stream of tokens."""
        profile = self._profile
        path = (
            f"{profile.stream_path}?message=load&tokens={profile.stream_tokens}"
            f"&delay_ms={profile.stream_delay_ms}"
        )
        head = f"{self._head('GET', path, True)}Accept: text/event-stream\r\n\r\n"
        return Ask("GET", profile.stream_path, head.encode())

    def check(self, ask: Ask, answer: Answer) -> Origin:
        """Say who gave the answer, if it is right. Raises RequestFailedError."""
        check_status(answer)
        if b"json" not in answer.headers.get(b"content-type", b""):
            if ask.message_id is not None:
                raise _wrong("the answer is not JSON", answer.body)
            return origin_of_headers(answer)
        data = parse_object(answer.body)
        if ask.message_id is not None:
            if data.get("id") != ask.message_id:
                raise _wrong(f"the answer is not for id {ask.message_id}", answer.body)
            if not isinstance(data.get("reply"), str):
                raise _wrong("the answer has no reply", answer.body)
        return origin_of(data) or origin_of_headers(answer)

    def _head(self, method: str, path: str, close: bool) -> str:
        connection = "Connection: close\r\n" if close else ""
        return f"{method} {path} HTTP/1.1\r\nHost: {self._authority}\r\n{connection}"


def check_status(answer: Answer) -> None:
    """Accept 200 and 201. Raises RequestFailedError: `limited` for 429, else `bad_status`."""
    if answer.status in (200, 201):
        return
    failure = Failure.LIMITED if answer.status == 429 else Failure.BAD_STATUS
    raise RequestFailedError(failure, _shown(answer.body), answer.status, answer.request_id)


def parse_object(body: bytes | str) -> dict[str, object]:
    """A JSON object. Raises RequestFailedError (`wrong_answer`)."""
    try:
        data = json.loads(body)
    except ValueError:
        raise _wrong("the answer is not JSON", body) from None
    if not isinstance(data, dict):
        raise _wrong("the answer is not a JSON object", body)
    return data


def origin_of(data: dict[str, object]) -> Origin | None:
    """Who says so in the body, if the body names someone."""
    if "instance" not in data and "version" not in data:
        return None
    return Origin(str(data.get("instance", "")), str(data.get("version", "")))


def origin_of_headers(answer: Answer) -> Origin:
    """Who says so in the headers X-Instance and X-App-Version."""
    return Origin(
        answer.headers.get(b"x-instance", b"").decode("latin-1"),
        answer.headers.get(b"x-app-version", b"").decode("latin-1"),
    )


def _wrong(what: str, body: bytes | str) -> RequestFailedError:
    return RequestFailedError(Failure.WRONG_ANSWER, f"{what}: {_shown(body)}")


def _shown(body: bytes | str) -> str:
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    return text[:_SHOWN]
