# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a real nginx lets through of three times too much, for 20 s with a reload in the middle.

All clients send in the same window: by IPv4 and IPv6, with a listed key, with made-up ones, and one
that keeps within its limit.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import (
    keys_file,
    parse_keys,
)
from tests.integration.nginx_live import Balancer, Replicas, need_image

SECONDS = 20
RATE, BURST = 10, 20
GOLD_RATE, GOLD_BURST = 20, 30
KEYS = {
    "Partner": {"key": "Bearer s3cret {$x;}", "tier": "gold"},
    "other": {"key": "bearer s3cret {$x;}", "tier": "gold"},
}
FILE = "/etc/balancer/keys/0123456789ab.conf"
TIERS = {
    "gold": {"rate": GOLD_RATE, "burst": GOLD_BURST},
    "default": {"rate": RATE, "burst": BURST},
}


@dataclass
class Client:
    """One client: where it comes from, how often it sends, and what it got."""

    source: str
    per_second: int
    key: str = ""
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


@pytest.fixture(name="balancer", scope="module")
def balancer_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    need_image()
    running = Balancer(tmp_path_factory.mktemp("balancer"))
    folder = running.folder / "nginx" / "keys"
    folder.mkdir(mode=0o700)
    path = folder / Path(FILE).name
    path.write_text(keys_file(parse_keys(KEYS, TIERS)), encoding="utf-8")
    path.chmod(0o400)
    yield running
    running.stop()


def publish(balancer: Balancer, replicas: Replicas, **values: object) -> None:
    balancer.publish(
        replicas.members,
        **{
            "ipv6": True,
            "rate_limits_enabled": True,
            "rate_limits": [{"path": "/", "rate": RATE, "burst": BURST}],
            "connection_limit": 0,
            "api_key_tiers": TIERS,
            "api_keys_file": FILE,
            **values,
        },
    )


async def send(client: Client, port: int) -> None:
    """Requests at even distances, none of them twice."""
    host = "[::1]" if ":" in client.source else "127.0.0.1"
    connector = aiohttp.TCPConnector(local_addr=(client.source, 0), limit=50)
    async with aiohttp.ClientSession(connector=connector) as session:
        start = time.monotonic()
        waiting = []
        for number in range(client.per_second * SECONDS):
            await asyncio.sleep(start + number / client.per_second - time.monotonic())
            key = client.key.format(number=number)
            headers = {"Authorization": key} if key else {}
            url = f"http://{host}:{port}/page"
            waiting.append(asyncio.ensure_future(one(client, session, url, headers)))
        await asyncio.gather(*waiting)
        client.seconds = time.monotonic() - start


async def one(
    client: Client, session: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> None:
    async with session.get(url, headers=headers) as response:
        client.statuses[response.status] += 1
        body = await response.text()
        if response.status == 429:
            told = response.headers.get("Retry-After"), response.headers.get("Content-Type")
            if told != ("1", "application/json") or "error" not in json.loads(body):
                client.wrong.append(f"{told} {body}")


async def run(clients: list[Client], balancer: Balancer, replicas: Replicas) -> None:
    async def reload() -> None:
        await asyncio.sleep(SECONDS / 2)
        await asyncio.to_thread(publish, balancer, replicas, read_timeout=299)

    await asyncio.gather(*(send(client, balancer.port) for client in clients), reload())


@pytest.mark.alone  # requests by the clock, of which 5 % more or fewer may pass
def test_three_times_too_much_is_cut_to_the_limit(balancer: Balancer) -> None:
    replicas = Replicas()
    publish(balancer, replicas)
    known = str(KEYS["Partner"]["key"])
    plain = Client("127.0.0.2", 3 * RATE)
    quiet = Client("127.0.0.3", RATE // 2)
    six = Client("::1", 3 * RATE)
    listed = Client("127.0.0.4", 3 * GOLD_RATE, known)
    made_up = Client("127.0.0.5", 3 * RATE, "made up {number}")
    twin = Client("127.0.0.6", GOLD_RATE // 2, str(KEYS["other"]["key"]))
    listed.key, twin.key = (one.key.replace("{", "{{").replace("}", "}}") for one in (listed, twin))
    clients = [plain, quiet, six, listed, made_up, twin]
    try:
        asyncio.run(run(clients, balancer, replicas))
    finally:
        replicas.stop()
    for client in clients:
        rate, burst = (GOLD_RATE, GOLD_BURST) if client is listed else (RATE, BURST)
        allowed = rate * SECONDS + burst
        print(f"{client.source}: {client.statuses[200]} of {client.statuses.total()}, {allowed}")
        assert client.wrong == []
        assert set(client.statuses) <= {200, 429}
        if client in (quiet, twin):
            assert client.statuses[429] == 0
        else:
            assert client.statuses.total() == client.per_second * SECONDS
            assert abs(client.statuses[200] - allowed) <= allowed * 0.05
    lines = balancer.log()
    by_client = {line["client"]: line for line in lines if line["uri"] == "/page"}
    assert [by_client["127.0.0.4"][name] for name in ("tier", "key_client")] == ["gold", "Partner"]
    assert by_client["127.0.0.6"]["key_client"] == "other"
    assert by_client["127.0.0.5"]["tier"] == "default"
    assert by_client["127.0.0.2"]["key"] == by_client["127.0.0.2"]["tier"] == ""
    assert by_client["127.0.0.4"]["protocol"] == "HTTP/1.1"
    prints = {line["key"] for line in lines if line["client"] == "127.0.0.5"}
    assert len(prints) == made_up.statuses.total()
    assert all(len(one) == 8 and int(one, 16) >= 0 for one in prints)
    text = (balancer.folder / "logs" / "access.log").read_text(encoding="utf-8")
    assert "s3cret" not in text
    assert "made up" not in text


def test_a_page_is_sent_to_who_asks_for_one(balancer: Balancer) -> None:
    publish(balancer, Replicas(), rate_limits=[{"rate": "1r/m", "burst": 0, "name": "page"}])
    balancer.ask("/x", source="127.0.0.7")
    for accept, kind in (
        ({}, "application/json"),
        ({"Accept": "*/*"}, "application/json"),
        ({"Accept": "application/xml,text/html"}, "text/html"),
    ):
        answer = balancer.ask("/x", source="127.0.0.7", headers=accept)
        assert (answer.status, answer.headers["content-type"]) == (429, kind)
        assert answer.headers["retry-after"] == "60"


def test_a_dry_run_refuses_nobody(balancer: Balancer) -> None:
    replicas = Replicas()
    limits = [{"rate": "1r/m", "burst": 0, "name": "dry"}]
    publish(balancer, replicas, rate_limits=limits, rate_limits_dry_run=True)
    statuses = {balancer.ask("/dry", source="127.0.0.8").status for _attempt in range(5)}
    replicas.stop()
    assert statuses == {200}
    said = [line["limit_req"] for line in balancer.log() if line["uri"] == "/dry"]
    assert said == ["PASSED", *["REJECTED_DRY_RUN"] * 4]
