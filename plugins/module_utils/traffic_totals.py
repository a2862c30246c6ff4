# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the requests of an access log add up to, in bounded memory. Pure.

Each request is of one kind: *limited* (429, refused by a limit of the balancer or of the
application), *cut* (499, the client left before the answer; 0, before there was a status),
*failed* (5xx, an error) or *good* (the rest). Times are those of good and failed ones, without
WebSockets (101), whose time is that of the connection.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import (
    Entry,
    parse_line,
    seconds_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_counts import (
    Counts,
    Histogram,
    Table,
    slot_of,
)

GOOD, FAILED, LIMITED, CUT = range(4)
SWITCHED, REFUSED, LEFT = 101, 429, 499
MOST_PATHS, MOST_CLIENTS, MOST_REPLICAS = 2000, 20_000, 1000

_CODES = 1000
_FIRST_ERROR = 500
# What makes each of a kind a path of its own: numbers, UUIDs, long hexadecimal names.
_NUMBER = re.compile(r"/(?:[0-9]+|[0-9a-fA-F-]{32,36}|[0-9a-f]{16,64})(?=/|\Z)")

Name = Callable[[int, str], str]
"""The name of the replica with that address in that generation of the configuration."""


class Row(Counts):
    """The counts of one replica, path or client."""

    __slots__ = ("failed_attempts", "kinds", "sent")

    def __init__(self) -> None:
        super().__init__()
        self.kinds = [0, 0, 0, 0]
        self.failed_attempts = 0
        self.sent = 0

    def absorb(self, other: Counts) -> None:
        """Add the counts of another one."""
        super().absorb(other)
        if isinstance(other, Row):
            self.kinds = [one + two for one, two in zip(self.kinds, other.kinds)]
            self.failed_attempts += other.failed_attempts
            self.sent += other.sent


class TimedRow(Row):
    """The same with times, which are not added up: nobody asks for those of all rare paths."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        super().__init__()
        self.times = Histogram()


class ReplicaRow(TimedRow):
    """The same with times until the first byte of the answer."""

    __slots__ = ("first_bytes",)

    def __init__(self) -> None:
        super().__init__()
        self.first_bytes = Histogram()


class Totals:
    """Counts of requests, of those that end from ``since`` to ``until`` (seconds since 1970)."""

    def __init__(
        self,
        name: Name = lambda _generation, address: address,
        *,
        since: float | None = None,
        until: float | None = None,
        top: int = 10,
    ) -> None:
        self.name_of = name
        self.since = float("-inf") if since is None else since
        self.until = float("inf") if until is None else until
        self.top = top
        self.requests = self.damaged = 0
        self.sent = 0
        self.first, self.last = float("inf"), float("-inf")
        self.codes = [0] * _CODES
        self.refused = self.retried = self.failed_attempts = 0
        self.times, self.first_bytes = Histogram(), Histogram()
        self.longest = 0.0
        self.replicas: Table[ReplicaRow] = Table(MOST_REPLICAS, ReplicaRow)
        self.paths: Table[TimedRow] = Table(MOST_PATHS, TimedRow)
        self.clients: Table[Row] = Table(MOST_CLIENTS, Row)
        # (seconds, time, request id, …): a heap of the slowest, the least slow of them first.
        self._slowest: list[tuple[float, float, str, Entry]] = []

    def add_lines(self, lines: Iterable[bytes]) -> None:
        """Count the requests that these lines tell of, and the lines that tell of none."""
        since, until, add = self.since, self.until, self.add
        for line in lines:
            entry = parse_line(line)
            if entry is None:
                self.damaged += 1
            elif since <= entry.time <= until:
                add(entry)

    def add(self, entry: Entry) -> None:
        """Count one request."""
        time, status, seconds = entry.time, entry.status, entry.seconds
        self.requests += 1
        self.sent += entry.bytes
        self.codes[status] += 1
        self.first = min(self.first, time)
        self.last = max(self.last, time)
        kind, slot = kind_of(status), -1
        if kind <= FAILED and status != SWITCHED:
            slot = slot_of(seconds)
            self.times.slots[slot] += 1
            self.longest = max(self.longest, seconds)
        elif kind == LIMITED and entry.refused:
            self.refused += 1
        if status != SWITCHED:
            self._rank(entry)
        path = self.paths.row(path_of(entry.uri))
        client = self.clients.row(entry.client)
        for row in (path, client):
            row.requests += 1
            row.kinds[kind] += 1
            row.sent += entry.bytes
        if slot >= 0:
            path.times.slots[slot] += 1
        if entry.upstream_addr:
            self._add_replica(entry, kind, slot, path, client)

    def _add_replica(self, entry: Entry, kind: int, slot: int, path: Row, client: Row) -> None:
        address = entry.upstream_addr
        if entry.retried:
            address = entry.replica
            failed = self._add_failed(entry)
            self.retried += 1
            self.failed_attempts += failed
            path.failed_attempts += failed
            client.failed_attempts += failed
            first_byte = entry.first_byte
        else:
            first_byte = seconds_of(entry.upstream_header_time)
        if ":" not in address:
            return  # the name of the upstream: no replica could be tried
        row = self.replicas.row(self.name_of(entry.generation, address))
        row.requests += 1
        row.kinds[kind] += 1
        row.sent += entry.bytes
        if slot >= 0:
            row.times.slots[slot] += 1
            if first_byte is not None:
                at = slot_of(first_byte)
                row.first_bytes.slots[at] += 1
                self.first_bytes.slots[at] += 1

    def _add_failed(self, entry: Entry) -> int:
        """Count the attempts after which another replica was tried; how many there are."""
        failed = entry.attempts[:-1]
        for attempt in failed:
            if ":" in attempt.address:
                row = self.replicas.row(self.name_of(entry.generation, attempt.address))
                row.failed_attempts += 1
        return len(failed)

    def _rank(self, entry: Entry) -> None:
        slowest = self._slowest
        if len(slowest) < self.top:
            heapq.heappush(slowest, (entry.seconds, entry.time, entry.request_id, entry))
        elif slowest and entry.seconds >= slowest[0][0]:
            heapq.heappushpop(slowest, (entry.seconds, entry.time, entry.request_id, entry))

    @property
    def slowest(self) -> list[Entry]:
        """The slowest requests, the slowest first."""
        return [ranked[-1] for ranked in sorted(self._slowest, reverse=True)]

    def kinds(self) -> list[int]:
        """How many requests are good, failed, limited, cut."""
        found = [0, 0, 0, 0]
        for status, count in enumerate(self.codes):
            found[kind_of(status)] += count
        return found


def kind_of(status: int) -> int:
    """GOOD, FAILED, LIMITED or CUT."""
    if 0 < status < REFUSED:
        return GOOD
    if status == REFUSED:
        return LIMITED
    if status in (0, LEFT):
        return CUT
    return FAILED if status >= _FIRST_ERROR else GOOD


@lru_cache(maxsize=8192)
def path_of(uri: str) -> str:
    """A path with ``*`` for each part that is a number, a UUID or a long hexadecimal name."""
    return _NUMBER.sub("/*", uri)
