# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients elsewhere get when they ask too much, and those who do not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.hosts.deployed import Deployed
from tests.hosts.host import Host

RATE = 1.0  # a second, what molecule.yml allows
AT_ONCE, AT_ONCE_API = 10, 5  # one, and the burst
REQUESTS = 40
PAUSE = 3.0  # seconds
LOGGED_WITHIN = 10.0
KEY = "Bearer lion-tamer-of-molecule"
# Sends so many requests one after the other; prints when it began, its seconds, and each answer.
ASK = """
import http.client, json, sys, time
address, path, count, agent, key = sys.argv[1:]
began, found = time.time(), []
for _ in range(int(count)):
    link = http.client.HTTPConnection(address, timeout=10)
    headers = {"User-Agent": agent, **({"Authorization": key} if key else {})}
    link.request("GET", path, headers=headers)
    answer = link.getresponse()
    found.append([answer.status, answer.headers.get("Retry-After"), answer.read().decode()])
    link.close()
print(json.dumps([began, time.time() - began, found]))
"""


@dataclass(frozen=True)
class Asked:
    """What one client got."""

    began: float
    seconds: float
    answers: Sequence[tuple[int, str | None, str]]

    @property
    def statuses(self) -> list[int]:
        return [status for status, _retry, _body in self.answers]

    @property
    def accepted(self) -> int:
        """How many were not refused; there is nothing else that may be."""
        assert set(self.statuses) <= {200, 429}
        return self.statuses.count(200)

    def most(self, at_once: int) -> int:
        """The most that may be accepted: what fits at once, and what fits in the time it took."""
        return at_once + int(self.seconds * RATE) + 1


@dataclass
class Clients:
    """Clients on this machine and on hosts, which are known to the balancer by their address."""

    stack: Deployed
    agent: str = field(default_factory=lambda: f"molecule-{time.monotonic_ns()}")

    def ask(self, where: str, path: str, count: int = REQUESTS, key: str = "") -> Asked:
        """Ask from a host, from the balancer's own by its loopback, or from here ("")."""
        words = [path, str(count), self.agent, key]
        if where:
            host = Host(f"{self.stack.name.rpartition('-')[0]}-{where}")
            target = "127.0.0.1" if host.name == self.stack.name else self.stack.address
            said = host.run("python3", "-c", ASK, target, *words)
        else:
            command = [sys.executable, "-c", ASK, self.stack.address, *words]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        began, seconds, answers = json.loads(said)
        return Asked(began, seconds, [tuple(one) for one in answers])


@pytest.fixture(name="clients", scope="module")
def clients_fixture(stack: Deployed) -> Clients:
    return Clients(stack)


@pytest.fixture(name="asked", scope="module")
def asked_fixture(clients: Clients) -> dict[str, Asked]:
    """One asks far too much, others meanwhile; then that one asks for other things, and again."""
    own = clients.stack.name.rpartition("-")[2]
    with ThreadPoolExecutor() as pool:
        flood = pool.submit(clients.ask, "", "/", 5 * REQUESTS)
        quiet = pool.submit(clients.ask, "virgin13", "/", AT_ONCE)
        exempt = pool.submit(clients.ask, "virgin12", "/")
        found = {"flood": flood.result(), "quiet": quiet.result(), "exempt": exempt.result()}
    found["health"] = clients.ask("", "/health")
    found["api"] = clients.ask("", "/api/messages/count")
    found["made up"] = clients.ask("", "/", key="Bearer made-up")
    found["partner"] = clients.ask("", "/", key=KEY)
    found["host itself"] = clients.ask(own, "/")
    time.sleep(PAUSE)
    found["again"] = clients.ask("", "/")
    return found


def test_who_asks_too_much_gets_what_is_allowed_and_no_more(asked: dict[str, Asked]) -> None:
    flood = asked["flood"]
    assert flood.statuses[:AT_ONCE] == [200] * AT_ONCE
    assert AT_ONCE <= flood.accepted <= flood.most(AT_ONCE)


def test_a_refusal_says_when_to_come_again(asked: dict[str, Asked]) -> None:
    refused = [(retry, body) for status, retry, body in asked["flood"].answers if status == 429]
    assert len(refused) > REQUESTS
    assert {retry for retry, _body in refused} == {"1"}
    assert all("error" in json.loads(body) for _retry, body in refused)


def test_who_waits_gets_as_much_as_the_time_allows(asked: dict[str, Asked]) -> None:
    again = asked["again"]
    assert int(PAUSE * RATE) <= again.accepted <= int(PAUSE * RATE) + again.most(1)


def test_another_client_is_not_touched(asked: dict[str, Asked]) -> None:
    flood, quiet = asked["flood"], asked["quiet"]
    assert quiet.accepted == AT_ONCE
    assert flood.began < quiet.began + quiet.seconds
    assert quiet.began < flood.began + flood.seconds


@pytest.mark.parametrize("name", ["exempt", "host itself", "health", "partner"])
def test_who_has_no_limits_or_wide_ones_is_not_refused(asked: dict[str, Asked], name: str) -> None:
    """An address without limits, this host itself, the health path, a key of a wider tier."""
    assert asked[name].accepted == REQUESTS


def test_a_path_of_its_own_limit_has_a_bucket_of_its_own(asked: dict[str, Asked]) -> None:
    api = asked["api"]
    assert AT_ONCE_API <= api.accepted <= api.most(AT_ONCE_API)


def test_a_key_that_is_made_up_opens_no_other_bucket(asked: dict[str, Asked]) -> None:
    made_up, flood = asked["made up"], asked["flood"]
    passed = made_up.began + made_up.seconds - flood.began - flood.seconds
    assert made_up.accepted <= int(passed * RATE) + 1


def test_the_log_counts_the_same(clients: Clients, asked: dict[str, Asked]) -> None:
    """Each refusal that a client saw is in the access log as one, within seconds."""
    sent = sum(len(one.statuses) for one in asked.values())
    lines, end = logged(clients), time.monotonic() + LOGGED_WITHIN
    while len(lines) < sent and time.monotonic() < end:
        time.sleep(0.5)
        lines = logged(clients)
    assert len(lines) == sent
    refused = [line for line in lines if line["limit_req"] == "REJECTED"]
    assert {int(line["status"]) for line in refused} == {429}
    assert len(refused) == sum(one.statuses.count(429) for one in asked.values())
    assert len({line["client"] for line in lines}) == 4


def logged(clients: Clients) -> list[dict[str, Any]]:
    """The lines of the access log about these clients."""
    log = clients.stack.there.file("/opt/chatbot/logs/access.log").content_string
    return [json.loads(line) for line in log.splitlines() if clients.agent in line]
