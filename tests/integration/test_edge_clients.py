# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who a real nginx takes for the client: in its limits, in its log, and towards the application.

With the PROXY protocol, 127.0.0.1 is the host itself, and 127.0.0.9 an address for outsiders.
"""

from __future__ import annotations

import ipaddress
import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.integration.nginx_live import Answer, Balancer, Replicas, need_image

FORGED = 1_000  # requests
BURST = 9  # beside the first request, so ten are accepted
OUTSIDE = "127.0.0.9"
TRUSTED, STRANGER = "127.0.0.2", "127.0.0.3"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"  # of the PROXY protocol, version 2

Header = Callable[[str], bytes]


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    need_image()


@pytest.fixture(name="replicas", scope="module")
def replicas_fixture() -> Iterator[Replicas]:
    running = Replicas()
    yield running
    running.stop()


@pytest.fixture(name="balancer", scope="module")
def balancer_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    running = Balancer(tmp_path_factory.mktemp("balancer"))
    yield running
    running.stop()


def publish(balancer: Balancer, replicas: Replicas, zone: str, **values: object) -> None:
    """One request a minute and a burst, counted in a zone of the test's own."""
    replicas.reset()
    limit = {"path": "/", "rate": "1r/m", "burst": BURST, "name": zone}
    balancer.publish(
        replicas.members,
        rate_limits_enabled=True,
        rate_limits=[limit],
        connection_limit=0,
        trusted_proxies=[TRUSTED],
        **values,
    )


def addresses(count: int, seed: int) -> list[str]:
    """Different public addresses, IPv4 and IPv6 by turns, no two IPv6 ones of one network."""
    dice = random.Random(seed)
    found: set[str] = set()
    while len(found) < count:
        four = ipaddress.IPv4Address(dice.randrange(0x0B000000, 0x7EFFFFFF))
        six = ipaddress.IPv6Address((0x2001 << 112) | (dice.getrandbits(48) << 64) | 1)
        found.add(str(six if len(found) % 2 else four))
    return sorted(found)


def accepted(answers: list[Answer]) -> int:
    """How many were served; all others were told to come later."""
    statuses = Counter(one.status for one in answers)
    assert set(statuses) <= {200, 429}, statuses
    return statuses[200]


def logged(balancer: Balancer, path: str) -> set[str]:
    """The clients of a path, by the access log."""
    return {line["client"] for line in balancer.log() if line["uri"] == path}


def seen(replicas: Replicas) -> set[tuple[str, str]]:
    """The client that the application is told of, by both headers."""
    headers = [about["headers"] for about in replicas.seen()]
    return {(one["x-real-ip"], one["x-forwarded-for"]) for one in headers}


# X-Forwarded-For


def test_forged_headers_of_a_stranger_are_one_client(
    balancer: Balancer, replicas: Replicas
) -> None:
    publish(balancer, replicas, "stranger")
    answers = []
    for address in addresses(FORGED, seed=1):
        names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP")
        headers = dict.fromkeys(names, address) | {"Forwarded": f'for="[{address}]"'}
        answers.append(balancer.ask("/stranger", headers=headers, source=STRANGER))
    assert BURST + 1 <= accepted(answers) <= BURST + 2
    assert logged(balancer, "/stranger") == {STRANGER}
    assert seen(replicas) == {(STRANGER, STRANGER)}


def test_a_trusted_proxy_names_its_clients(balancer: Balancer, replicas: Replicas) -> None:
    publish(balancer, replicas, "named")
    clients = addresses(FORGED // 20, seed=2)
    answers = [
        balancer.ask("/named", headers={"X-Forwarded-For": client}, source=TRUSTED)
        for client in clients
        for _request in range(20)
    ]
    few = (BURST + 1) * len(clients)
    assert few <= accepted(answers) <= few + len(clients)
    assert logged(balancer, "/named") == set(clients)
    assert seen(replicas) == {(client, client) for client in clients}


def test_what_a_client_writes_before_a_trusted_proxy_does_not_count(
    balancer: Balancer, replicas: Replicas
) -> None:
    publish(balancer, replicas, "appended")
    headers = {"X-Forwarded-For": f"198.51.100.1, 203.0.113.9, {TRUSTED}"}
    balancer.ask("/appended", headers=headers, source=TRUSTED)
    assert seen(replicas) == {("203.0.113.9", "203.0.113.9")}


# the PROXY protocol


def version_1(address: str) -> bytes:
    """The header as a line of text."""
    family, target = ("TCP6", "2001:db8::1") if ":" in address else ("TCP4", "192.0.2.1")
    return f"PROXY {family} {address} {target} 40000 80\r\n".encode()


def version_2(address: str) -> bytes:
    """The header as bytes: version and command, family, length, both ends."""
    parsed = ipaddress.ip_address(address)
    target = ipaddress.ip_address("2001:db8::1" if parsed.version == 6 else "192.0.2.1")
    family = 0x21 if parsed.version == 6 else 0x11
    ends = parsed.packed + target.packed + (40_000).to_bytes(2, "big") + (80).to_bytes(2, "big")
    return SIGNATURE + bytes([0x21, family]) + len(ends).to_bytes(2, "big") + ends


def ask_by_proxy(balancer: Balancer, path: str, head: bytes, source: str) -> Answer:
    """One request behind a PROXY header; status 0 if the connection was closed instead."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.77\r\n"
    with socket.create_connection((OUTSIDE, balancer.port), 10, (source, 0)) as connection:
        connection.sendall(head + request.encode() + b"Connection: close\r\n\r\n")
        said = b""
        while piece := connection.recv(65_536):
            said += piece
    top, _empty, body = said.partition(b"\r\n\r\n")
    status = int(top.split()[1]) if top else 0
    return Answer(status, {}, body.decode())


@pytest.mark.parametrize("header", [version_1, version_2])
def test_proxy_headers_of_a_stranger_are_one_client(
    balancer: Balancer, replicas: Replicas, header: Header
) -> None:
    zone = f"stranger_{header.__name__}"
    publish(balancer, replicas, zone, proxy_protocol=True)
    path = f"/{zone}"
    answers = [
        ask_by_proxy(balancer, path, header(address), STRANGER)
        for address in addresses(FORGED, seed=3)
    ]
    assert BURST + 1 <= accepted(answers) <= BURST + 2
    assert logged(balancer, path) == {STRANGER}
    assert seen(replicas) == {(STRANGER, STRANGER)}


@pytest.mark.parametrize("header", [version_1, version_2])
def test_a_trusted_proxy_names_its_clients_by_proxy_headers(
    balancer: Balancer, replicas: Replicas, header: Header
) -> None:
    zone = f"named_{header.__name__}"
    publish(balancer, replicas, zone, proxy_protocol=True)
    clients = addresses(FORGED // 20, seed=4)
    answers = [
        ask_by_proxy(balancer, f"/{zone}", header(client), TRUSTED)
        for client in clients
        for _request in range(20)
    ]
    few = (BURST + 1) * len(clients)
    assert few <= accepted(answers) <= few + len(clients)
    assert logged(balancer, f"/{zone}") == set(clients)
    assert seen(replicas) == {(client, client) for client in clients}


def test_the_host_itself_needs_no_proxy_header_and_an_outsider_does(
    balancer: Balancer, replicas: Replicas
) -> None:
    publish(balancer, replicas, "own", proxy_protocol=True, server_names=["chat.example.org"])
    assert balancer.ask("/own").status == 200
    assert balancer.ask("/own", headers={"Host": "other.example.org"}).status == 421
    assert seen(replicas) == {("127.0.0.1", "127.0.0.1")}
    assert ask_by_proxy(balancer, "/own", b"", STRANGER).status == 0
    assert json.loads(balancer.ask("/own").body)["headers"]["x-forwarded-for"] == "127.0.0.1"
