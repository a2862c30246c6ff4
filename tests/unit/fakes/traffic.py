# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic that never was: a client's own book of it, and the log that a balancer writes of it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BEGIN = 1795964400  # 2026-11-29T15:00:00Z
REPLICAS = {f"172.18.0.{number}:8000": f"shop-app-{number}" for number in (2, 3, 4)}
MEMBERS = {
    "members": [
        {"address": address.partition(":")[0], "port": 8000, "name": name}
        for address, name in REPLICAS.items()
    ]
}
PATHS = ["/", "/api/chat", "/static/app.js"]
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0"
_KINDS = ("good", "failed", "limited", "refused", "cut", "switched", "lost")
_WEIGHTS = (900, 20, 30, 10, 15, 5, 2)
_STATUSES = {"limited": 429, "refused": 429, "cut": 499, "switched": 101, "lost": 0}


def line(
    second: float = 0.0,
    status: int = 200,
    seconds: float = 0.05,
    attempts: tuple[tuple[str, str, str], ...] = (("172.18.0.2:8000", "200", "0.050"),),
    **changes: Any,
) -> bytes:
    """A line as nginx writes it, of a request that ended so long after BEGIN. An attempt is the
    address, the status and the time until its end.
    """
    columns = [", ".join(column) for column in zip(*attempts)] or ["", "", ""]
    data = {
        "ts": "2026-11-29T15:00:00+00:00",
        "msec": round(BEGIN + second, 3),
        "request_id": "00ff",
        "client": "203.0.113.7",
        "method": "GET",
        "host": "chat.example.org",
        "uri": "/api/chat",
        "status": status,
        "bytes": 512,
        "protocol": "HTTP/1.1",
        "upstream_addr": columns[0],
        "upstream_status": columns[1],
        "upstream_connect_time": columns[2],
        "upstream_header_time": columns[2],
        "upstream_response_time": columns[2],
        "version": "7",
        "user_agent": AGENT,
        "limit_req": "PASSED",
        "limit_conn": "PASSED",
        "request_time": seconds,
        "generation": 4,
        **changes,
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class Book:
    """What a client counted itself."""

    requests: int = 0
    damaged: int = 0
    retried: int = 0
    failed_attempts: int = 0
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    replicas: Counter[str] = field(default_factory=Counter)
    failed_on: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


class Traffic:
    """Requests with retries, limits, failures and more, always the same for a seed."""

    def __init__(self, seed: int = 1, rate: float = 500.0) -> None:
        self._random = random.Random(seed)
        self._rate = rate
        self.book = Book()

    def lines(self, count: int, damaged: float = 0.0) -> Iterator[bytes]:
        """So many requests, and a part as many damaged lines between them."""
        for number in range(count):
            if damaged and self._random.random() < damaged:
                self.book.damaged += 1
                whole = line(number / self._rate)
                yield whole[: self._random.randrange(len(whole))].replace(b"\n", b"")
            yield self._request(number / self._rate)

    def _request(self, second: float) -> bytes:
        chance, book = self._random, self.book
        kind = chance.choices(_KINDS, _WEIGHTS)[0]
        status = _STATUSES[kind] if kind in _STATUSES else self._status(kind)
        seconds = round(chance.lognormvariate(-3, 1), 3)
        path = chance.choice([*PATHS, f"/api/messages/{chance.randrange(10**9)}"])
        client = f"10.0.{chance.randrange(8)}.{chance.randrange(250)}"
        attempts = () if kind in ("limited", "lost") else self._attempts(status, seconds)
        sent = chance.randrange(100, 9999)
        book.requests += 1
        book.sent += sent
        book.statuses[status] += 1
        book.kinds[kind] += 1
        book.paths["/api/messages/*" if path.startswith("/api/messages/") else path] += 1
        book.clients[client] += 1
        if kind in ("good", "failed"):
            book.times.append(seconds)
        return line(
            second,
            status,
            seconds,
            attempts,
            bytes=sent,
            uri=path,
            client=client,
            request_id=f"{chance.getrandbits(128):032x}",
            limit_req="REJECTED" if kind == "limited" else "PASSED",
        )

    def _status(self, kind: str) -> int:
        if kind == "failed":
            return self._random.choice([500, 502, 503, 504])
        return self._random.choice([200] * 20 + [201, 302, 304, 404])

    def _attempts(self, status: int, seconds: float) -> tuple[tuple[str, str, str], ...]:
        """Up to three replicas, the last of which gives the status."""
        tried = self._random.sample(
            sorted(REPLICAS), self._random.choices((1, 2, 3), (95, 4, 1))[0]
        )
        *failed, last = tried
        self.book.retried += bool(failed)
        self.book.failed_attempts += len(failed)
        self.book.failed_on.update(failed)
        self.book.replicas[last] += 1
        return (
            *((address, "502", "0.001") for address in failed),
            (last, str(status), f"{seconds:.3f}"),
        )
