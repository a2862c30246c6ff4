# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic of a drill: requests at a steady rate, whatever becomes of them, and what clients saw.

The load is open: a request is sent when it is due, not when the one before is answered, and its
time counts from when it was due. So a stack that stands still for two seconds shows as many slow or
failed requests as users would have sent in that time. Nothing is ever sent twice.
"""

from __future__ import annotations

import contextlib
import http.client
import math
import re
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import (
    HEALTHY_STATUSES,
    Statuses,
    is_in,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Target,
)

RATE = 50
HIGHEST_RATE = 200
LONGEST = 300.0
"""Seconds after which nothing is sent any more, whatever the caller does."""

TIMEOUT = 5.0
"""Seconds that a client waits for the whole of an answer."""

IDLE = 5.0
"""Seconds after which a client gives up a connection that it kept: sooner than a balancer does, so
that a request and the balancer's end of the connection do not cross.
"""

AT_ONCE = 512
"""Requests in flight at most. Beyond that they go out late, which their times show."""

SHOWN = 100
"""Failures that are told one by one."""

_STEP = 0.1
_CHUNK = 65536
_PATH = re.compile(r"/[!-~]*")


@dataclass(frozen=True)
class Sent:
    """One request: when it was due and when it ended, and why it failed (empty if it did not).
    Moments are seconds of one clock.
    """

    due: float
    ended: float
    kind: str = ""
    kept_alive: bool = False


@dataclass(frozen=True)
class Failure:
    """A request that failed. ``at``: when it was due, in seconds since the traffic began."""

    at: float
    kind: str
    kept_alive: bool


@dataclass(frozen=True)
class TrafficResult:
    """What clients saw. ``kinds`` counts the failures by kind: a status, or ``refused``, ``reset``,
    ``cut`` (it ended before the whole answer), ``timeout``, ``error``.

    ``longest_pause``: the longest time without a good answer. ``p50``, ``p95`` and ``slowest`` are
    times of good answers, 0 if there was none. All of them are seconds.
    """

    sent: int
    kinds: dict[str, int]
    longest_pause: float
    p50: float
    p95: float
    slowest: float
    seconds: float
    failures: tuple[Failure, ...]

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return sum(self.kinds.values())

    def as_dict(self) -> dict[str, Any]:
        """The mapping that crosses to Ansible, with the first SHOWN failures."""
        failures = [asdict(failure) for failure in self.failures[:SHOWN]]
        return {**vars(self), "failed": self.failed, "failures": failures}


def check_rate(rate: int) -> None:
    """Raises LoadBalancingError for a rate that is not allowed."""
    if not 1 <= rate <= HIGHEST_RATE:
        raise LoadBalancingError(
            f"drill_rate: {rate} is not allowed: a whole number from 1 to {HIGHEST_RATE}. "
            "Set the variable drill_rate."
        )


def is_path(path: str) -> bool:
    """Whether it may stand in a request."""
    return bool(_PATH.fullmatch(path))


def check_path(path: str) -> None:
    """Raises LoadBalancingError for what is no path of a request."""
    if not is_path(path):
        raise LoadBalancingError(
            f"drill_path: {path!r} is not allowed: a path that begins with /, in ASCII without "
            "spaces. Set the variable drill_path."
        )


def summarize(requests: Sequence[Sent], begun: float, ended: float) -> TrafficResult:
    """What came of the requests of a traffic that ran from ``begun`` to ``ended``. Pure."""
    good = [one for one in requests if not one.kind]
    failed = sorted((one for one in requests if one.kind), key=lambda one: one.due)
    moments = [begun, *sorted(one.ended for one in good), ended]
    times = sorted(one.ended - one.due for one in good)
    return TrafficResult(
        sent=len(requests),
        kinds=dict(Counter(one.kind for one in failed).most_common()),
        longest_pause=max(after - before for before, after in zip(moments, moments[1:])),
        p50=_percentile(times, 50),
        p95=_percentile(times, 95),
        slowest=_percentile(times, 100),
        seconds=ended - begun,
        failures=tuple(Failure(one.due - begun, one.kind, one.kept_alive) for one in failed),
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest rank: the least value that ``percent`` of all do not exceed."""
    if not ordered:
        return 0.0
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


class Traffic:
    """GET requests to one path, half of them on new connections, half on kept-alive ones.

    Answers with one of ``statuses`` are good. It ends with :meth:`stop`, and by itself after
    ``seconds``.
    """

    def __init__(
        self,
        target: Target,
        path: str,
        rate: int = RATE,
        statuses: Statuses = HEALTHY_STATUSES,
        seconds: float = LONGEST,
    ) -> None:
        """Raises LoadBalancingError when rate or path are not allowed."""
        check_rate(rate)
        check_path(path)
        self._target = target
        self._path = path
        self._rate = rate
        self._statuses = statuses
        self._seconds = min(seconds, LONGEST)
        self._requests: list[Sent] = []
        self._idle: list[Connection] = []
        self._in_flight: set[Connection] = set()
        self._pending: set[Future[None]] = set()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=AT_ONCE)
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._begun = 0.0
        self._ended = 0.0

    def start(self) -> None:
        """Begin to send."""
        self._begun = time.monotonic()
        self._sender.start()

    def so_far(self) -> TrafficResult:
        """What came of the requests that have ended by now."""
        with self._lock:
            requests = list(self._requests)
        return summarize(requests, self._begun, self._ended or time.monotonic())

    def stop(self) -> TrafficResult:
        """End, after the requests that are in flight; they have their time-out. Twice is fine."""
        self._done.set()
        if self._sender.ident:  # it was started
            self._sender.join()
        self._pool.shutdown(wait=False, cancel_futures=True)
        while wait(set(self._pending), timeout=_STEP).not_done:
            self._give_up_late_ones()
        for connection in self._idle:
            connection.close()
        return self.so_far()

    def _send(self) -> None:
        for number in range(int(self._rate * self._seconds)):
            due = self._begun + number / self._rate
            if not self._wait_until(due):
                break
            request = self._pool.submit(self._ask, due, number % 2 == 1)
            self._pending.add(request)
            request.add_done_callback(self._pending.discard)
        self._ended = time.monotonic()

    def _wait_until(self, moment: float) -> bool:
        """Whether that moment came, and the traffic is to go on."""
        last = self._begun + self._seconds
        while not self._done.is_set() and time.monotonic() < last:
            self._give_up_late_ones()
            left = moment - time.monotonic()
            if left <= 0:
                return True
            self._done.wait(min(left, _STEP))
        return False

    def _ask(self, due: float, kept_alive: bool) -> None:
        connection = self._kept() if kept_alive else Connection(self._target)
        with self._lock:
            connection.give_up_at = time.monotonic() + TIMEOUT
            self._in_flight.add(connection)
        kind = connection.get(self._path, kept_alive)
        if kind.isdigit() and is_in(int(kind), self._statuses):
            kind = ""
        now = time.monotonic()
        with self._lock:
            self._in_flight.discard(connection)
            self._requests.append(Sent(due, now, kind, kept_alive))
            if connection.is_open and kept_alive:
                connection.idle_since = now
                self._idle.append(connection)
                return
        connection.close()

    def _kept(self) -> Connection:
        """The connection that was used last, if it is still good; else a new one."""
        while True:
            with self._lock:
                if not self._idle:
                    return Connection(self._target)
                connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.close()

    def _give_up_late_ones(self) -> None:
        """End the requests that are over time."""
        now = time.monotonic()
        with self._lock:
            waiting = list(self._in_flight)
        for connection in waiting:
            if now >= connection.give_up_at:
                connection.give_up()


class Connection:
    """A client's connection to the balancer, or to a replica."""

    def __init__(self, target: Target) -> None:
        self._http = http.client.HTTPConnection(target.address, target.port, timeout=TIMEOUT)
        self._headers = {"Host": target.host, "User-Agent": target.agent, "Accept": "*/*"}
        self._socket: socket.socket | None = None
        self._late = False
        self.give_up_at = math.inf
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it can take another request."""
        return self._http.sock is not None

    @property
    def is_usable(self) -> bool:
        """Whether a client that knows its trade would send on it: not when it was idle for long, or
        when the balancer has ended it.
        """
        if self._socket is None or time.monotonic() - self.idle_since >= IDLE:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def get(self, path: str, keep: bool) -> str:
        """Ask once; gives the status, or what happened in its place."""
        headers = {**self._headers, "Connection": "keep-alive" if keep else "close"}
        try:
            if self._socket is None:
                self._http.connect()
                self._socket = self._http.sock
            self._http.request("GET", path, headers=headers)
            response = self._http.getresponse()
            while response.read(_CHUNK):
                continue
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            return "timeout" if self._late else _kind(error)
        if self._late or response.length:  # http.client does not mind a body that ends early
            self._http.close()
            return "timeout" if self._late else "cut"
        return str(response.status)

    def give_up(self) -> None:
        """End the request that is in flight on it, from another thread."""
        self._late = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        self._http.close()


def _kind(error: Exception) -> str:
    """One word for what a client met."""
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, http.client.HTTPException):  # RemoteDisconnected is a reset as well
        return "cut"
    return "reset" if isinstance(error, ConnectionError) else "error"
