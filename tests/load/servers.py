# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small servers that do as they are told: answer rightly, or fail in one exact way."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """One request that a server got; `number` counts from 1 on its connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    number: int

    @property
    def message_id(self) -> str:
        """The id in the body."""
        return str(json.loads(self.body)["id"])

    @property
    def tokens(self) -> int:
        """How many tokens are asked for."""
        return int(parse_qs(urlsplit(self.path).query)["tokens"][0])


#: Does something with the connection; True: the connection is kept.
Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[bool]]


@dataclass
class Server:
    """A running server: where it is and what it was asked."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    peers: set[str] = field(default_factory=set)


@asynccontextmanager
async def serve(behave: Behaviour) -> AsyncIterator[Server]:
    """Serve on a free port of loopback, doing `behave` with each request."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        server.connections += 1
        server.peers.add(writer.get_extra_info("peername")[0])
        number = 0
        try:
            while True:
                number += 1
                request = await _read(reader, number)
                server.requests.append(request)
                if not await behave(request, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader, number: int) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _unused = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _unused, value in (x.partition(":") for x in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body, number)


def answer(
    content: Any, status: int = 200, extra: str = "", kind: str = "application/json"
) -> bytes:
    """The bytes of an answer with a body of known length."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}"
    return head.encode() + b"\r\n" + body


def reply(request: Request) -> bytes:
    """The right answer to a message."""
    who = {"instance": "one", "version": "1"}
    if request.method == "GET":
        return answer({"status": "ok", **who})
    return answer({"id": request.message_id, "reply": "You said: load", **who})


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def chunk(data: str) -> bytes:
    """One event of a stream, as one chunk."""
    body = f"data: {data}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(body), body)


def token(index: int) -> bytes:
    """One token of a stream."""
    return chunk(json.dumps({"index": index, "token": "so "}))


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"X-Instance: one\r\nX-App-Version: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
)
STREAM_END = chunk("[DONE]") + b"0\r\n\r\n"


async def well(request: Request, writer: asyncio.StreamWriter) -> bool:
    """Answer everything as the chatbot does."""
    if "stream" not in request.path:
        writer.write(reply(request))
        return True
    writer.write(STREAM_HEAD)
    for index in range(request.tokens):
        writer.write(token(index))
        await asyncio.sleep(0.01)
    writer.write(STREAM_END)
    return True
