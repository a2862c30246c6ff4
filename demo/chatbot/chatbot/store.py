# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages in PostgreSQL: one row per id, whatever is sent twice, retried or interrupted."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from . import logs
from .settings import Settings

# A request waits this long for the database, then it is told so (HTTP 503).
# A database that is slow for a moment (a disk that writes) costs patience, one that cannot be
# reached costs a clear answer soon.
TIMEOUT_SECONDS = 10.0
UNREACHABLE_SECONDS = 1.8
WATCH_SECONDS = 2.0
MAX_WAITING = 1000

INSERT = """
    INSERT INTO messages (id, message, reply, instance, version) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (id) DO NOTHING RETURNING id
"""
SELECT = "SELECT id, message, reply, instance, version FROM messages WHERE id = %s"
COUNT = "SELECT count(*) FROM messages"
PROBE = "SELECT FROM messages LIMIT 0"


class StoreUnavailableError(Exception):
    """The database could not be asked in time; the text is for the log, not for clients."""


class MessageConflictError(Exception):
    """The id belongs to another message already."""


@dataclass(frozen=True)
class Message:
    """A message, its reply, and who answered it first."""

    id: str
    message: str
    reply: str
    instance: str
    version: str


class Storage(Protocol):
    """What the web side needs of a store."""

    available: bool

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def save(self, message: Message) -> tuple[Message, bool]: ...

    async def find(self, identifier: str) -> Message | None: ...

    async def count(self) -> int: ...


class Store:
    """A pool of connections that may come and go: the process serves on without a database."""

    def __init__(self, settings: Settings) -> None:
        self.available = False
        self._known = False
        self._pool_log = _LastWarning()
        self._watcher: asyncio.Task[None] | None = None
        milliseconds = int(TIMEOUT_SECONDS * 1000)
        parameters = settings.database.parameters() | {
            "autocommit": True,
            "prepare_threshold": 0,
            "application_name": f"chatbot {settings.instance}",
            # A statement whose client has given up must not stay behind, waiting for a lock.
            "options": f"-c statement_timeout={milliseconds}",
        }
        self._pool = AsyncConnectionPool(
            kwargs=parameters,
            # One connection at rest: dozens of idle replicas must not use up max_connections.
            min_size=1,
            max_size=settings.pool_size,
            max_idle=60,
            max_waiting=MAX_WAITING,
            # The pool doubles its pause between attempts; a short limit makes it begin anew with
            # the next request, so that a database that is back is used within about a second.
            reconnect_timeout=2,
            open=False,
        )

    async def open(self) -> None:
        """Begin to connect in the background; returns at once, also when there is no database."""
        pool_logger = logging.getLogger("psycopg.pool")
        pool_logger.addHandler(self._pool_log)
        pool_logger.propagate = False
        await self._pool.open(wait=False)
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Close all connections, within 2 s."""
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        await self._pool.close(timeout=2)

    async def save(self, message: Message) -> tuple[Message, bool]:
        """Store a message unless its id is there; give what is stored, and whether it is new.

        :raises MessageConflictError: the id is there with another message
        :raises StoreUnavailableError: no answer in time; sending the same again is safe
        """
        values = (message.id, message.message, message.reply, message.instance, message.version)
        if await self._one(INSERT, values) is not None:
            return message, True
        # The row that was in the way may be younger than the snapshot of the INSERT, so that only
        # a second statement is sure to see it.
        stored = await self.find(message.id)
        if stored is None:
            raise StoreUnavailableError(f"message {message.id} was deleted while it was stored")
        if stored.message != message.message:
            raise MessageConflictError(message.id)
        return stored, False

    async def find(self, identifier: str) -> Message | None:
        """Give the message with this id, if there is one."""
        row = await self._one(SELECT, (identifier,))
        return None if row is None else Message(*row)

    async def count(self) -> int:
        """Give the number of messages."""
        row = await self._one(COUNT)
        return 0 if row is None else int(row[0])

    async def _one(
        self, statement: LiteralString, values: Sequence[str] = ()
    ) -> tuple[Any, ...] | None:
        """Carry out one statement, in TIMEOUT_SECONDS at most, and give its first row.

        A connection that turns out to be broken is replaced and the statement sent again: every
        statement here may be repeated, so a restart of the database costs no request.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + TIMEOUT_SECONDS
        while True:
            try:
                connection = await self._connection(deadline)
            except (PoolTimeout, PoolClosed, TooManyRequests) as error:
                raise self._lost(self._pool_log.text or str(error)) from None
            # Cancelling would wait for the server's consent, which a hung server does not give.
            timer = loop.call_at(deadline, _hang_up, connection)
            try:
                cursor = await connection.execute(statement, values)
                row = await cursor.fetchone()
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if not connection.closed or loop.time() >= deadline:
                    raise self._lost(str(error)) from None
            except psycopg.errors.UndefinedTable:
                raise self._lost("no table: run python3 -m chatbot.migrate") from None
            else:
                self._found()
                return row
            finally:
                timer.cancel()
                await self._pool.putconn(connection)

    async def _connection(self, deadline: float) -> psycopg.AsyncConnection[Any]:
        """Wait for a free connection until the deadline; not so long if there is none to be had."""
        loop = asyncio.get_running_loop()
        while True:
            remaining = deadline - loop.time()
            try:
                return await self._pool.getconn(timeout=min(UNREACHABLE_SECONDS, remaining))
            except PoolTimeout:
                if self._pool_log.text or not self.available or remaining <= UNREACHABLE_SECONDS:
                    raise

    async def _watch(self) -> None:
        """Ask now and then, so that /health and the log tell the truth without any traffic."""
        while True:
            with suppress(StoreUnavailableError):
                await self._one(PROBE)
            await asyncio.sleep(WATCH_SECONDS)

    def _found(self) -> None:
        self._pool_log.text = ""
        if not self.available:
            self.available = self._known = True
            logs.event(logging.INFO, "database available")

    def _lost(self, reason: str) -> StoreUnavailableError:
        reason = " ".join(reason.split())
        if self.available or not self._known:
            self.available, self._known = False, True
            logs.event(logging.ERROR, "database unavailable", reason=reason)
        return StoreUnavailableError(reason)


class _LastWarning(logging.Handler):
    """Keeps the pool's last words: why it cannot connect. One line for each attempt is too many."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


def _hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    """Shut a connection's socket, which ends at once whatever waits for an answer on it."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as duplicate,
    ):
        duplicate.shutdown(socket.SHUT_RDWR)
