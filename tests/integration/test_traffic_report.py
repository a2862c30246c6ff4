# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""100,000 requests through a real nginx: the report on its log says what the clients counted.

Some are refused by a limit, some by the application; some fail, some are tried again since one of
three replicas is ill on their path, and some clients leave early. The log is rotated meanwhile,
twice, as logrotate does it.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_report import (
    traffic_report,
)
from tests.integration.nginx_live import Balancer, docker, need_image

COUNT, CLIENTS, CUT = 100_000, 8, 200
PATHS = {"/good": 930, "/missing": 20, "/failing": 20, "/busy": 10, "/retried": 19, "/limited": 5}
STATUSES = {"/missing": 404, "/failing": 500, "/busy": 429}
ILL, SLOW = "/retried", "/slow"
NAMES = ("one", "two", "three")
PATIENCE = 0.1  # seconds that a client waits which leaves early


class Application(asyncio.Protocol):
    """A replica that answers by the path. The second one is ill: it refuses to serve ILL."""

    def __init__(self, name: str, run: Run) -> None:
        self._name, self._run = name, run
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._run.connections.append(self._transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            path = head.split(b" ", 2)[1].decode()
            if path == SLOW:
                continue  # its client leaves
            status = STATUSES.get(path, 200)
            if path == ILL and self._name == "two":
                status = 503
                self._run.ill[self._name] += 1
            else:
                self._run.got[self._name] += 1
            self._transport.write(b"HTTP/1.1 %d Status\r\nContent-Length: 2\r\n\r\nok" % status)


async def client(port: int, paths: list[str], statuses: Counter[tuple[str, int]]) -> None:
    """Ask for one path after the other on one connection, and count the statuses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: traffic.test\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        statuses[path, int(head[9:12])] += 1
        lines = head.lower().split(b"\r\n")
        (length,) = (int(one.split(b":")[1]) for one in lines if one.startswith(b"content-length:"))
        await reader.readexactly(length)
        if b"connection: close" in lines:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def leave(port: int, count: int) -> None:
    """So many clients in turn which don't wait for the answer."""
    for _number in range(count):
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {SLOW} HTTP/1.1\r\nHost: traffic.test\r\n\r\n".encode())
        await asyncio.sleep(PATIENCE)
        writer.close()
        await writer.wait_closed()


def rotate(balancer: Balancer) -> None:
    """Move the files on, compress the second one, and have nginx open a new one."""
    logs = balancer.folder / "logs"
    first = logs / "access.log.1"
    if first.exists():
        (logs / "access.log.2.gz").write_bytes(gzip.compress(first.read_bytes(), 1))
    (logs / "access.log").replace(first)
    docker("kill", "--signal=USR1", balancer.name)


@pytest.fixture(name="balancer")
def balancer_fixture(tmp_path: Path) -> Iterator[Balancer]:
    need_image()
    folder = tmp_path / "shop"
    folder.mkdir()
    running = Balancer(folder)
    yield running
    running.stop()


class Run:
    """The whole traffic, and what its clients and the replicas counted."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.got: Counter[str] = Counter()
        self.ill: Counter[str] = Counter()
        self.addresses: dict[str, str] = {}
        self.connections: list[asyncio.Transport] = []

    async def all(self) -> None:
        """Three parts, with a rotation of the log after the first and the second."""
        loop, servers = asyncio.get_running_loop(), []
        for name in NAMES:
            servers.append(
                await loop.create_server(
                    lambda name=name: Application(name, self),  # type: ignore[misc]
                    *("127.0.0.1", 0),
                )
            )
        members: list[dict[str, object]] = [
            {"address": "127.0.0.1", "port": one.sockets[0].getsockname()[1], "name": name}
            for name, one in zip(NAMES, servers)
        ]
        limits = [{"path": "/limited", "rate": "50r/s", "burst": 5}]
        await asyncio.to_thread(
            lambda: self.balancer.publish(
                members, rate_limits_enabled=True, rate_limits=limits, connection_limit=0
            )
        )
        self.addresses = {f"127.0.0.1:{one['port']}": str(one["name"]) for one in members}
        chance = random.Random(5)
        asked = chance.choices(list(PATHS), list(PATHS.values()), k=COUNT - CUT)
        third = len(asked) // 3 + 1
        for begin in range(0, len(asked), third):
            part = asked[begin : begin + third]
            workers = [
                client(self.balancer.port, part[n::CLIENTS], self.statuses) for n in range(CLIENTS)
            ]
            cut = CUT // 3 if begin else CUT - 2 * (CUT // 3)
            await asyncio.gather(*workers, leave(self.balancer.port, cut))
            if begin + third < len(asked):
                await asyncio.to_thread(rotate, self.balancer)
        for connection in self.connections:
            connection.abort()
        for one in servers:
            one.close()
        await asyncio.sleep(0.1)


def by_status(statuses: Counter[tuple[str, int]], *wanted: int) -> int:
    return sum(count for (_path, status), count in statuses.items() if status in wanted)


def by_path(statuses: Counter[tuple[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (path, _status), count in statuses.items():
        found[path] += count
    return {**found, SLOW: CUT}


def test_the_report_says_what_the_clients_counted(balancer: Balancer) -> None:
    run = Run(balancer)
    asyncio.run(run.all())
    time.sleep(1.5)  # the log is a second late at most
    found: dict[str, Any] = traffic_report(
        StackPaths("shop", str(balancer.folder.parent)), "", "", 20
    )
    seen = run.statuses
    assert seen[("/limited", 429)] > 0
    assert found["log"]["files"] == 3
    assert (found["log"]["damaged"], found["log"]["notes"]) == (0, [])
    assert found["requests"] == COUNT
    classes = {name: count for name, count in found["statuses"].items() if count}
    counted = [by_status(seen, 200), by_status(seen, 404), by_status(seen, 500)]
    assert classes == {
        **dict(zip(("2xx", "4xx", "5xx"), counted)),
        "429": by_status(seen, 429),
        "499": CUT,
    }
    assert (found["errors"], found["cut"]) == (by_status(seen, 500), CUT)
    assert (found["limited"], found["limited_by_balancer"]) == (
        *(by_status(seen, 429), seen[("/limited", 429)]),
    )
    assert found["retried"] == found["failed_attempts"] == run.ill["two"] > 0
    assert {one["path"]: one["requests"] for one in found["paths"]} == by_path(seen)
    replicas = {run.addresses[one["name"]]: one for one in found["replicas"]}
    answered = {name: one["requests"] - one["cut"] for name, one in replicas.items()}
    assert answered == dict(run.got)
    assert {name: one["failed_attempts"] for name, one in replicas.items()} == {
        **dict.fromkeys(NAMES, 0),
        "two": run.ill["two"],
    }
    assert [(one["client"], one["requests"]) for one in found["clients"]] == [("127.0.0.1", COUNT)]
