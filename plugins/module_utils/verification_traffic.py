# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of a verification, bounded in number and time, and what the balancer logged of them.

Who answered is told by the balancer's access log, which works for every application. Requests are
found in it by a User-Agent of their own.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Callable

TIMEOUT = 2.0
"""Seconds that one request may take."""

LOG_TIMEOUT = 3.0
"""Seconds that the log may take; nginx writes it out once a second."""

_POLL = 0.05


@dataclass(frozen=True)
class Target:
    """Where requests go: a port on 127.0.0.1, the Host header, the User-Agent that marks them.
    ``address``: another host's, for the clients that look at it (drill_traffic).
    """

    port: int
    host: str
    agent: str
    address: str = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """One answer: status (0 = none, with the reason), and whether it said when to come again."""

    status: int
    retry_after: str = ""
    reason: str = ""


@dataclass
class Answers:
    """What came of a series of requests. ``seconds``: how long the whole series took."""

    wanted: int
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Requests that were sent."""
        return sum(self.counts.values())

    @property
    def answered(self) -> int:
        """Those that got an answer, of whatever status."""
        return sum(count for what, count in self.counts.items() if what.isdigit())

    def plus(self, other: Answers) -> Answers:
        """Both series as one."""
        return Answers(
            self.wanted + other.wanted,
            self.counts + other.counts,
            self.seconds + other.seconds,
        )

    def add(self, answer: Answer) -> None:
        """Count one by its status, or by its reason where there was none."""
        self.counts[str(answer.status) if answer.status else answer.reason] += 1


class Client:
    """One connection that is kept alive."""

    def __init__(self, target: Target, source: str = "127.0.0.1") -> None:
        self._headers = {"Host": target.host, "User-Agent": target.agent, "Accept": "*/*"}
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", target.port, timeout=TIMEOUT, source_address=(source, 0)
        )

    def get(self, path: str) -> Answer:
        """Ask once, without any retry. A connection that the balancer has closed since the last
        answer, as it does on a reload, is opened anew first.
        """
        try:
            if self._was_closed():
                self._connection.close()
            self._connection.request("GET", path, headers=self._headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return Answer(0, reason=_reason(error))
        return Answer(response.status, response.getheader("Retry-After") or "")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _was_closed(self) -> bool:
        """Whether there is something to read between two answers: that can only be the end."""
        if self._connection.sock is None:
            return False
        waiting = select.poll()
        waiting.register(self._connection.sock, select.POLLIN)
        return bool(waiting.poll(0))


def get_once(target: Target, path: str, source: str = "127.0.0.1") -> Answer:
    """One request on a connection of its own."""
    client = Client(target, source)
    try:
        return client.get(path)
    finally:
        client.close()


def send(
    target: Target,
    path: str,
    count: int,
    *,
    at_once: int,
    seconds: float,
    connections: int = 1,
    source: str = "127.0.0.1",
    until: Callable[[Answer], bool] = lambda answer: False,
) -> Answers:
    """Send ``count`` requests, ``at_once`` at a time, each of these in turn over ``connections``.

    No request begins after ``seconds``, or after an answer for which ``until`` holds.
    """
    answers = Answers(count)
    tickets = itertools.count()
    lock = threading.Lock()
    done = threading.Event()
    started = time.monotonic()

    def work() -> None:
        clients = [Client(target, source) for _unused in range(connections)]
        for client in itertools.cycle(clients):
            if done.is_set() or time.monotonic() >= started + seconds or next(tickets) >= count:
                break
            answer = client.get(path)
            with lock:
                answers.add(answer)
            if until(answer):
                done.set()
        for client in clients:
            client.close()

    threads = [threading.Thread(target=work) for _unused in range(min(at_once, count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.seconds = time.monotonic() - started
    return answers


class AccessLog:
    """What is added to the balancer's access log from now on, also when it is rotated meanwhile.

    ``others``: requests of others that were read by the way and did not fail, by the address of the
    replica that answered. Ours are all those whose User-Agent begins with ``ours``.
    """

    def __init__(self, path: str, ours: str) -> None:
        self.others: Counter[str] = Counter()
        self._path = path
        self._ours = b'"' + ours.encode()
        self._file = self._open()
        if self._file:
            self._file.seek(0, os.SEEK_END)

    def entries(self, agent: str, count: int, timeout: float = LOG_TIMEOUT) -> list[dict[str, Any]]:
        """The entries of requests with this User-Agent: waits until there are ``count`` of them, at
        most ``timeout`` seconds.
        """
        found: list[dict[str, Any]] = []
        mark = agent.encode()
        deadline = time.monotonic() + timeout
        rest = b""
        while True:
            *lines, rest = (rest + self._read()).split(b"\n")
            found += [_entry(line) for line in lines if mark in line]
            others = [_entry(line) for line in lines if self._ours not in line]
            self.others.update(upstream_of(entry) for entry in others if _went_well(entry))
            if len(found) >= count or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _read(self) -> bytes:
        """What was added since the last time, of the file that was open and of one that took its
        place.
        """
        text = self._rest()
        if self._was_replaced():
            self.close()
            self._file = self._open()
            text += self._rest()
        return text

    def _rest(self) -> bytes:
        if not self._file:
            return b""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)  # it was emptied
        return self._file.read()

    def _was_replaced(self) -> bool:
        try:
            now = os.stat(self._path)
        except OSError:
            return False
        return not self._file or not os.path.samestat(now, os.fstat(self._file.fileno()))

    def _open(self) -> BinaryIO | None:
        try:
            return open(self._path, "rb")
        except OSError:
            return None


def upstream_of(entry: dict[str, Any]) -> str:
    """The address of the replica that answered, the last one that was tried; empty if none was."""
    last = str(entry.get("upstream_addr", "")).replace(" : ", ", ").rpartition(", ")[2]
    return last.rpartition(":")[0]


def _went_well(entry: dict[str, Any]) -> bool:
    """Whether a replica answered. 5xx may be nginx's own, and 499 is a client that gave up waiting,
    as those of a replica that hangs do.
    """
    status = str(entry.get("status", ""))
    return bool(upstream_of(entry)) and "1" <= status < "5" and status != "499"


def _entry(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _reason(error: Exception) -> str:
    if isinstance(error, (TimeoutError, socket.timeout)):
        return f"no answer within {TIMEOUT:g} s"
    return getattr(error, "strerror", None) or type(error).__name__
