# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance in a real nginx: who is told, what, and who is served all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    MESSAGE,
    Maintenance,
)
from tests.integration.nginx_live import Answer, Balancer, Replicas, need_image

# A client of another machine, as a proxy on this one names it.
CLIENT = {"X-Forwarded-For": "198.51.100.7"}
NASTY = """</h1><script>alert("it's $host")</script> {} ; \\" \\u0041 ${pid} sức khoẻ 🙂"""


def switch(
    balancer: Balancer, replicas: Replicas, maintenance: Maintenance, **values: object
) -> None:
    """Publish with this maintenance; 127.0.0.1 is a proxy that may name its clients."""
    balancer.maintenance = maintenance
    balancer.publish(replicas.members, trusted_proxies=["127.0.0.1"], **values)


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    need_image()


@pytest.fixture(scope="module")
def replicas() -> Iterator[Replicas]:
    running = Replicas()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    running = Balancer(tmp_path_factory.mktemp("balancer"))
    yield running
    said = running.stop()
    assert not {"[warn]", "[alert]", "[crit]", "[emerg]"} & set(said.split()), said


def client(balancer: Balancer, path: str = "/", address: str = "", **headers: str) -> Answer:
    """One request of a client elsewhere."""
    named = {"X-Forwarded-For": address} if address else CLIENT
    return balancer.ask(path, headers={**named, **headers})


def test_clients_get_a_page_or_json_and_are_told_when_to_come_again(
    balancer: Balancer, replicas: Replicas
) -> None:
    replicas.reset()
    switch(balancer, replicas, Maintenance.parse(retry_after=1234))
    page = client(balancer)
    assert (page.status, page.headers["retry-after"]) == (503, "1234")
    assert page.headers["content-type"] == "text/html"
    assert f"<h1>{MESSAGE}</h1>" in page.body
    assert page.headers["x-request-id"] in page.body
    for answer in (client(balancer, "/api/x"), client(balancer, Accept="application/json")):
        assert (answer.status, answer.headers["retry-after"]) == (503, "1234")
        assert answer.headers["content-type"] == "application/json"
        assert answer.data == {"error": MESSAGE, "request_id": answer.headers["x-request-id"]}
    assert client(balancer, "/nothing", Accept="text/event-stream").status == 503
    assert replicas.seen() == []
    switch(balancer, replicas, Maintenance())
    assert client(balancer).status == 200


def test_who_is_allowed_the_host_itself_and_acme_are_served(
    balancer: Balancer, replicas: Replicas
) -> None:
    allowed = ["192.0.2.0/24", "2001:db8:1::/48"]
    switch(balancer, replicas, Maintenance.parse(allowed))
    assert balancer.ask("/").status == 200
    assert client(balancer, address="192.0.2.9").status == 200
    assert client(balancer, address="2001:db8:1::9").status == 200
    assert client(balancer, "/.well-known/acme-challenge/token").status == 200
    assert client(balancer, address="192.0.3.9").status == 503
    assert client(balancer, address="2001:db8:2::9").status == 503
    assert client(balancer, "/.well-known/acme-challenge/../../api/x").status == 503
    # Nobody becomes this machine by saying so: the proxy adds the address that it sees.
    assert client(balancer, address="127.0.0.1, 198.51.100.7").status == 503


def test_an_application_s_own_503_keeps_its_meaning(balancer: Balancer, replicas: Replicas) -> None:
    switch(balancer, replicas, Maintenance.parse(retry_after=1234))
    replicas.fail(503, "one", "two", "three")
    assert balancer.ask("/").headers["retry-after"] == "1"
    replicas.reset()


def test_the_message_reaches_clients_as_it_is(balancer: Balancer, replicas: Replicas) -> None:
    switch(balancer, replicas, Maintenance.parse(message=NASTY))
    assert json.loads(client(balancer, "/api/").body)["error"] == NASTY
    page = client(balancer).body
    assert "<script" not in page
    assert "&#36;host" in page
    assert "sức khoẻ 🙂" in page


def test_a_websocket_goes_on(balancer: Balancer, replicas: Replicas) -> None:
    switch(balancer, replicas, Maintenance())
    address = f"ws://127.0.0.1:{balancer.port}/ws"
    with connect(address, additional_headers=CLIENT) as running:
        switch(balancer, replicas, Maintenance.parse())
        assert client(balancer, "/ws").status == 503
        running.send("still there")
        assert str(running.recv(10)).endswith("still there")
    switch(balancer, replicas, Maintenance())


@pytest.mark.parametrize("names", [[], ["shop.example"]])
def test_maintenance_holds_for_every_path(
    balancer: Balancer, replicas: Replicas, names: list[str]
) -> None:
    switch(balancer, replicas, Maintenance.parse(), server_names=names)
    for path in ("/", "/ws", "/health", "/api/chat/stream"):
        assert client(balancer, path).status == 503
        assert client(balancer, path, **{"Idempotency-Key": "1"}).status == 503
