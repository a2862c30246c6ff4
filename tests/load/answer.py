# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP/1.1 answer, parsed as its bytes arrive. Pure: no sockets.

Source: RFC 9112, sections 4 (status line), 6 (message body) and 7.1 (chunked coding).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

HEAD_LIMIT: Final = 64 * 1024
BODY_LIMIT: Final = 16 * 1024 * 1024


class MalformedError(Exception):
    """The bytes are not an HTTP/1.1 answer; the text says where they stop being one."""


class _Step(Enum):
    HEAD = auto()
    SIZED = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    TRAILER = auto()
    UNTIL_CLOSE = auto()
    DONE = auto()


class Answer:
    """One answer: feed it bytes until it is `complete`.

    `headers` has lower-case names; of a name that comes twice the last one stays. A body goes to
    `sink`, piece by piece, when there is one, and into `body` otherwise.
    """

    __slots__ = ("_left", "_pending", "_sink", "_step", "began", "body", "headers", "status")

    def __init__(self, sink: Callable[[bytes], None] | None = None) -> None:
        self.began = False
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self._sink = sink
        self._pending = b""
        self._left = 0
        self._step = _Step.HEAD

    @property
    def complete(self) -> bool:
        """All of the answer is here."""
        return self._step is _Step.DONE

    @property
    def request_id(self) -> str:
        """What the balancer calls this request; empty without a header that says so."""
        return self.headers.get(b"x-request-id", b"").decode("latin-1")

    @property
    def closing(self) -> bool:
        """The server ends the connection with this answer."""
        return self.headers.get(b"connection", b"").lower() == b"close"

    def feed(self, data: bytes) -> bytes:
        """Take bytes; give back those that lie behind the end of the answer.

        Raises MalformedError.
        """
        self.began = True
        data = self._pending + data if self._pending else data
        self._pending = b""
        while data and self._step is not _Step.DONE:
            rest = self._STEPS[self._step](self, data)
            if rest is None:
                self._pending = data
                return b""
            data = rest
        return data

    def end(self) -> bool:
        """The server has closed the connection: say whether the answer is complete with that."""
        if self._step is _Step.UNTIL_CLOSE:
            self._step = _Step.DONE
        return self.complete

    def _head(self, data: bytes) -> bytes | None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if not b"HTTP/1.".startswith(data[:7]):
                raise MalformedError(f"the answer begins with {data[:20]!r}")
            if len(data) > HEAD_LIMIT:
                raise MalformedError(f"no end of the header in {HEAD_LIMIT} bytes")
            return None
        lines = data[:end].split(b"\r\n")
        first = lines[0]
        if not first.startswith(b"HTTP/1.") or not first[9:12].isdigit() or first[12:13].strip():
            raise MalformedError(f"the status line is {first[:60]!r}")
        self.status = int(first[9:12])
        self.headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon:
                raise MalformedError(f"a header line is {line[:60]!r}")
            self.headers[name.lower()] = value.strip()
        # An interim answer (RFC 9110, 15.2) is followed by the real one.
        if self.status // 100 != 1:
            self._choose_body()
        return data[end + 4 :]

    def _choose_body(self) -> None:
        """Set the step that reads the body (RFC 9112, 6.3)."""
        if self.status in (204, 304):
            self._step = _Step.DONE
        elif b"transfer-encoding" in self.headers:
            if self.headers[b"transfer-encoding"].lower() != b"chunked":
                raise MalformedError(f"transfer-encoding is {self.headers[b'transfer-encoding']!r}")
            self._step = _Step.CHUNK_SIZE
        elif b"content-length" in self.headers:
            self._left = _number(self.headers[b"content-length"], 10)
            self._step = _Step.SIZED if self._left else _Step.DONE
        else:
            self._step = _Step.UNTIL_CLOSE

    def _give(self, piece: bytes) -> None:
        if self._sink is not None:
            self._sink(piece)
        elif len(self.body) + len(piece) > BODY_LIMIT:
            raise MalformedError(f"the body is larger than {BODY_LIMIT} bytes")
        else:
            self.body = self.body + piece if self.body else piece

    def _take(self, data: bytes, after: _Step) -> bytes:
        """Take what is left of a sized part, then go on to `after`."""
        piece = data if len(data) <= self._left else data[: self._left]
        self._left -= len(piece)
        self._give(piece)
        if not self._left:
            self._step = after
        return data[len(piece) :]

    def _sized(self, data: bytes) -> bytes | None:
        return self._take(data, _Step.DONE)

    def _chunk_data(self, data: bytes) -> bytes | None:
        return self._take(data, _Step.CHUNK_END)

    def _until_close(self, data: bytes) -> bytes | None:
        self._give(data)
        return b""

    def _chunk_size(self, data: bytes) -> bytes | None:
        end = data.find(b"\r\n")
        if end < 0:
            if len(data) > HEAD_LIMIT:
                raise MalformedError("no end of a chunk's size")
            return None
        self._left = _number(data[:end].partition(b";")[0].strip(), 16)
        self._step = _Step.CHUNK_DATA if self._left else _Step.TRAILER
        return data[end + 2 :]

    def _chunk_end(self, data: bytes) -> bytes | None:
        if len(data) < 2:
            return None
        if data[:2] != b"\r\n":
            raise MalformedError(f"behind a chunk stands {data[:2]!r}")
        self._step = _Step.CHUNK_SIZE
        return data[2:]

    def _trailer(self, data: bytes) -> bytes | None:
        end = data.find(b"\r\n")
        if end < 0:
            if len(data) > HEAD_LIMIT:
                raise MalformedError("no end of the trailer")
            return None
        if end == 0:
            self._step = _Step.DONE
        return data[end + 2 :]

    _STEPS: Final = {
        _Step.HEAD: _head,
        _Step.SIZED: _sized,
        _Step.CHUNK_SIZE: _chunk_size,
        _Step.CHUNK_DATA: _chunk_data,
        _Step.CHUNK_END: _chunk_end,
        _Step.TRAILER: _trailer,
        _Step.UNTIL_CLOSE: _until_close,
    }


def _number(text: bytes, base: int) -> int:
    """Digits only: int() alone would accept signs, spaces and underscores."""
    if not text or not text.isalnum():
        raise MalformedError(f"a length is {text[:20]!r}")
    try:
        return int(text, base)
    except ValueError:
        raise MalformedError(f"a length is {text[:20]!r}") from None
