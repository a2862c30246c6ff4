# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load on one replica: clients against a server on loopback, the stack around it, the module."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import capacity_load
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_load import (
    Order,
    Site,
    load,
    plan,
    seen_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_measure import (
    LIMITS,
    Limits,
    Seen,
    search,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import Sent
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import number
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import HEALTHY_STATUSES
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Target,
)
from tests.unit.fakes.drill import FIRST, World

CONFIRMED = Order(confirmed=True, who="ana", where="laptop")


class Handler(BaseHTTPRequestHandler):
    """Works on ``places`` requests at a time and refuses others with 503; ``/close`` keeps no
    connection, ``/hang`` answers when ``gate`` opens.
    """

    protocol_version = "HTTP/1.1"
    places: int
    busy: list[int]
    asked: list[dict[str, str]]
    lock: threading.Lock
    gate: threading.Event

    def do_GET(self) -> None:
        with self.lock:
            self.asked.append(dict(self.headers))
            free = len(self.busy) < self.places
            if free:
                self.busy.append(1)
        if free:
            self.gate.wait(60) if self.path == "/hang" else time.sleep(0.02)
            with self.lock:
                self.busy.pop()
        self.send_response(200 if free else 503)
        self.send_header("Content-Length", "0")
        if self.path == "/close":
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Nothing is printed."""


class Server(ThreadingHTTPServer):
    """A server with a queue as long as a busy one needs."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *words: Any) -> None:
        """Clients that go away are no news here."""


@contextmanager
def replica(places: int) -> Iterator[tuple[Target, type[Handler]]]:
    """A server that takes so many requests at a time."""
    own: dict[str, Any] = {"places": places, "busy": [], "asked": []}
    own.update(lock=threading.Lock(), gate=threading.Event())
    handler = cast("type[Handler]", type("Own", (Handler,), own))
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Target(int(server.server_address[1]), "shop", "measure/1", "127.0.0.1"), handler
    finally:
        handler.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_search_finds_what_a_server_takes() -> None:
    with replica(places=12) as (target, handler):

        def trial(clients: int) -> Seen:
            begun = time.monotonic()
            sent = load(target, "/", HEALTHY_STATUSES, clients, 0.3)
            return seen_of(sent, begun, time.monotonic(), left=False)

        found = search(trial, Limits(p95_seconds=60, most=64))
    assert found.found
    assert found.safe == 12
    assert handler.asked[0]["Host"] == "shop"
    assert handler.asked[0]["User-Agent"] == "measure/1"


def test_a_server_that_keeps_no_connection_is_asked_on_new_ones() -> None:
    with replica(places=3) as (target, _handler):
        sent = load(target, "/close", HEALTHY_STATUSES, 2, 0.3)
    assert len(sent) > 2
    assert {one.kind for one in sent} == {""}


def test_clients_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity_load, "TIMEOUT", 0.2)
    with replica(places=3) as (target, _handler):
        sent = load(target, "/hang", HEALTHY_STATUSES, 2, 0.05)
    assert [one.kind for one in sent] == ["timeout", "timeout"]


def test_nobody_listens() -> None:
    with replica(places=1) as (target, _handler):
        pass
    sent = load(target, "/", HEALTHY_STATUSES, 2, 0.12)
    assert {one.kind for one in sent} == {"refused"}


def test_the_figures_of_a_trial() -> None:
    sent = [Sent(0.0, 0.5, ""), Sent(0.5, 0.75, ""), Sent(0.0, 0.1, "503")]
    assert seen_of(sent, 0.0, 2.0, left=True) == Seen(3, 1, 0.5, 1.0, left=True)


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path) -> World:
    """A stack of three replicas."""
    return World(tmp_path)


@pytest.fixture(name="loads")
def loads_fixture(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """All that would be sent. A replica takes 3 at once, and is slow beyond that."""
    asked: list[tuple[Any, ...]] = []

    def fake(*arguments: Any) -> list[Sent]:
        asked.append(arguments)
        return [Sent(0.0, 0.1 if arguments[3] <= 3 else 4.0, "")] * 10

    monkeypatch.setattr(capacity_load, "load", fake)
    return asked


def audit(world: World) -> str:
    return Path(world.paths.state, "audit.log").read_text("utf-8")


def test_a_measurement(world: World, loads: list[tuple[Any, ...]]) -> None:
    site = Site(world.paths, CONFIRMED)
    assert site.plan() == "GET /health of shop-app-3, up to 200 at once, 5 s each time"
    assert site.measure().safe == 3
    target, path, _statuses, clients, seconds = loads[0]
    assert (target.address, target.port) == ("10.0.0.3", 8000)
    assert (path, clients, seconds) == ("/health", 1, 5.0)
    assert "ana@laptop measure: one replica takes 3 requests at once\n" in audit(world)


def test_a_measurement_with_real_requests(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From what is published to the result: the replica is a server on loopback."""
    monkeypatch.setitem(LIMITS, "step_seconds", number(0.1, 60))
    order = Order(mode="development", limits=Limits(p95_seconds=60, most=8, step_seconds=0.2))
    with replica(places=2) as (target, handler):
        world.host.boxes[FIRST].networks["shop_edge"] = target.address
        world.publish([FIRST])
        members = Path(world.paths.current, "members.json")
        members.write_text(members.read_text("utf-8").replace("8000", str(target.port)), "utf-8")
        assert Site(world.paths, order).measure().safe == 2
    assert {asked["User-Agent"].partition("/")[0] for asked in handler.asked} == {
        "digiz-load-balancing-measure"
    }


def test_another_path_has_the_usual_statuses(world: World, loads: list[tuple[Any, ...]]) -> None:
    Site(world.paths, replace(CONFIRMED, path="/api/search?q=a")).measure()
    assert loads[0][1:3] == ("/api/search?q=a", HEALTHY_STATUSES)


def test_production_is_asked_first(world: World, loads: list[tuple[Any, ...]]) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        Site(world.paths, Order()).measure()
    assert str(refused.value) == (
        "measure_confirm: false is not allowed with mode=production: the stack shop serves users, "
        "and one of its replicas is loaded until it is slow. Set the variable measure_confirm to "
        "true."
    )
    assert loads == []
    assert Site(world.paths, Order(mode="development")).measure().safe == 3


def test_it_ends_when_the_keeper_takes_the_replica_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(*arguments: Any) -> list[Sent]:
        if arguments[3] == 4:
            world.publish([FIRST])
        return [Sent(0.0, 0.1, "")]

    monkeypatch.setattr(capacity_load, "load", fake)
    found = Site(world.paths, CONFIRMED).measure()
    assert found.safe == 2
    assert found.steps[-1].broke == "the keeper took the replica out"


def test_a_path_that_is_none(world: World) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        Site(world.paths, Order(path="health"))
    assert str(refused.value) == (
        "measure_path: 'health' is not allowed: a path that begins with /, in ASCII without "
        "spaces. Set the variable measure_path."
    )


def test_a_stack_without_members(world: World) -> None:
    world.publish([])
    with pytest.raises(LoadBalancingError) as refused:
        Site(world.paths, Order())
    assert str(refused.value) == (
        "The stack shop has no replica with traffic. Run the playbook verify."
    )


def test_the_only_member_is_not_loaded_in_production(
    world: World, loads: list[tuple[Any, ...]]
) -> None:
    world.publish([FIRST])
    for begin in (lambda: Site(world.paths, CONFIRMED), lambda: plan(world.paths, CONFIRMED)):
        with pytest.raises(LoadBalancingError) as refused:
            begin()
        assert str(refused.value) == (
            "The stack shop has one replica with traffic: loaded until it is slow, it would be "
            "slow for all users. Scale to two at least, or run the playbook verify if there should "
            "be more; then run this again."
        )
    assert loads == []
    assert Site(world.paths, Order(mode="development")).measure().safe == 3


def test_a_deploy_that_is_at_work(world: World, loads: list[tuple[Any, ...]]) -> None:
    site = Site(world.paths, CONFIRMED)
    DeployLock(world.paths).acquire("ben", "desk", "deploy", 30)
    for begin in (site.measure, lambda: Site(world.paths, CONFIRMED)):
        with pytest.raises(LoadBalancingError, match="The stack shop is being changed: deploy by"):
            cast(Callable[[], Any], begin)()
    assert loads == []


def test_nothing_holds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity_load, "load", lambda *_given: [Sent(0.0, 0.1, "404")])
    with pytest.raises(LoadBalancingError) as refused:
        Site(world.paths, CONFIRMED).measure()
    assert str(refused.value).startswith("Not even one request at a time holds the limits (1 at on")
    assert str(refused.value).endswith("or raise measure_p95_seconds.")


def test_what_it_would_do(world: World, tmp_path: Path) -> None:
    text = "GET /health of shop-app-3, up to 200 at once, 5 s each time"
    assert plan(world.paths, CONFIRMED) == (text, True)
    assert plan(world.paths, Order()) == (f"{text}; needs measure_confirm=true", True)
    nowhere = StackPaths("none", str(tmp_path))
    assert plan(nowhere, Order()) == ("there is no stack none yet that could be measured", False)
