# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole verification, with the engine and the balancer played by the test."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import verification
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Replica
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification import Verifier
from tests.unit.test_verification import STACK, THREE

ALLOWED_AT_ONCE = 21


class Balancer(BaseHTTPRequestHandler):
    """The application, the status port and the access log of a balancer in one, and a keeper."""

    protocol_version = "HTTP/1.1"
    log: Path
    upstreams: Iterator[str]
    limited = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            status, body = self.answer()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self) -> tuple[int, bytes]:
        if self.path == "/status":
            return 200, b'{"stack": "shop", "generation": 7, "connections": {"writing": 1}}'
        if self.path == "/status.json":
            return 200, b'{"stack": "shop", "text": "3 of 3 replicas are healthy"}'
        if self.path == "/verify-rate-limit":
            Balancer.limited += 1
            return (200 if self.limited <= ALLOWED_AT_ONCE else 429), b""
        entry = {
            "user_agent": self.headers["User-Agent"],
            "upstream_addr": f"{next(self.upstreams)}:8000",
        }
        with self.log.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry, separators=(",", ":")) + "\n")
        return 200, b"well"

    def log_message(self, *words: Any) -> None:
        """Nothing is printed."""


class Engine:
    """An engine in which three replicas and the balancer run."""

    def __init__(self, paths: StackPaths) -> None:
        self.paths = paths

    def replicas(self, is_healthy: Callable[[str], bool]) -> tuple[Replica, ...]:
        return tuple(one if is_healthy(one.address) else replace(one, state="ill") for one in THREE)

    def containers(self) -> list[dict[str, Any]]:
        return [{"Names": [f"/{one.name}"], "Status": "Up (healthy)"} for one in THREE]

    def balancer(self) -> dict[str, Any]:
        return {"Image": "image"}

    def balancers(self) -> list[dict[str, Any]]:
        return []

    def image_id(self, reference: str) -> str:
        return "image"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    Balancer.log, Balancer.limited = tmp_path / "shop" / "logs" / "access.log", 0
    Balancer.upstreams = itertools.cycle(one.address for one in THREE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Balancer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    port = server.server_port
    yield replace(STACK, balancer_ports=(port,), status_port=port, keeper_port=port)
    server.shutdown()
    thread.join()
    server.server_close()


def verifier(stack: Stack, base: Path, requests: int = 60, **settings: Any) -> Verifier:
    """A verifier of a stack whose files, the published configuration with these settings above
    all, are in ``base``.
    """
    paths = StackPaths("shop", str(base))
    current, logs = Path(paths.current), Path(paths.logs)
    current.mkdir(parents=True)
    logs.mkdir()
    spec = BalancerSpec.from_mapping({"stack_name": "shop", "http_port": 8080, **settings})
    (current / "nginx.conf").write_text(render(spec)["nginx.conf"], encoding="utf-8")
    rows = [{"id": r.id, "name": r.name, "address": r.address, "port": 8000} for r in THREE]
    published = json.dumps({"generation": 7, "members": rows})
    (current / "members.json").write_text(published, encoding="utf-8")
    return Verifier(stack, cast(DockerHost, Engine(paths)), requests)


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Addresses whose probe fails: none at first."""
    found: set[str] = set()
    monkeypatch.setattr(verification, "is_healthy", lambda address, *_unused: address not in found)
    return found


@pytest.mark.usefixtures("ill")
def test_a_stack_that_is_as_wanted(stack: Stack, tmp_path: Path) -> None:
    port = stack.status_port
    assert verifier(stack, tmp_path).run().report == [
        "ok      containers: 3 of 3 replicas of version 2 are healthy",
        "ok      members: 3 published, nginx serves generation 7",
        f"ok      balancer: digiz/nginx:1.30 runs, its status is on 127.0.0.1:{port}/status",
        "ok      keeper: 3 of 3 replicas are healthy, its state is on "
        f"127.0.0.1:{port}/status.json",
        f"ok      health: GET /health on 127.0.0.1:{port} answers 200",
        "ok      spread: 20, 20, 20 of 60 requests",
        "ok      versions: version 2 in 60 of 60 answers",
        "ok      limits: 10r/s burst 20 on /: refused with 429 and Retry-After, "
        "the health path is not",
    ]


def test_an_ill_replica_that_still_gets_requests(
    stack: Stack, tmp_path: Path, ill: set[str]
) -> None:
    ill.add("10.0.0.2")
    assert verifier(stack, tmp_path).run().failures == [
        "containers: shop-app-2 is ill",
        "members: shop-app-2 is a member at 10.0.0.2 and should not be",
    ]


@pytest.mark.usefixtures("ill")
def test_a_replica_that_gets_no_requests_is_looked_at_twice(stack: Stack, tmp_path: Path) -> None:
    Balancer.upstreams = itertools.cycle(["10.0.0.1", "10.0.0.3"])
    [failure] = verifier(stack, tmp_path).run().failures
    assert failure == "spread: shop-app-2 answered 0 of 120, its fair share is 40"


@pytest.mark.usefixtures("ill")
def test_a_replica_that_paused_for_a_moment_is_not_short(stack: Stack, tmp_path: Path) -> None:
    others = itertools.islice(itertools.cycle(["10.0.0.1", "10.0.0.3"]), 60)
    all_three = itertools.cycle(one.address for one in THREE)
    Balancer.upstreams = itertools.chain(others, all_three)
    done = verifier(stack, tmp_path).run()
    assert done.failures == []
    assert "spread: 50, 20, 50 of 120 requests" in done.report[5]


@pytest.mark.usefixtures("ill")
def test_few_requests_would_say_nothing(stack: Stack, tmp_path: Path) -> None:
    assert "10, 10, 10 of 30 requests" in verifier(stack, tmp_path, 1).run().report[5]


@pytest.mark.usefixtures("ill")
def test_a_balancer_that_is_down(stack: Stack, tmp_path: Path) -> None:
    done = verifier(replace(stack, balancer_ports=(1,)), tmp_path).run()
    assert done.failures == [
        "health: GET /health on 127.0.0.1:1 fails: Connection refused",
        "spread: not tested: the balancer does not answer",
        "versions: not tested: the balancer does not answer",
        "limits: not tested: the balancer does not answer",
    ]


@pytest.mark.usefixtures("ill")
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"rate_limits": []}, "no rate limit is set"),
        ({"rate_limits_dry_run": True}, "not tested: rate_limits_dry_run only logs"),
        (
            {"rate_limits": [{"path": "/", "rate": "1r/s", "burst": 1000}]},
            "not tested: no limit can be reached with few requests",
        ),
        (
            {"rate_limit_exempt": ["127.0.0.0/8"]},
            "not tested: rate_limit_exempt has this machine in it",
        ),
    ],
)
def test_limits_that_cannot_be_provoked(
    stack: Stack, tmp_path: Path, settings: dict[str, Any], text: str
) -> None:
    done = verifier(stack, tmp_path, 1, **settings).run()
    assert (done.report[-1], done.failures) == (f"ok      limits: {text}", [])
    assert Balancer.limited == 0


@pytest.mark.usefixtures("ill")
def test_a_keeper_that_is_just_starting_is_waited_for(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([{}, {"stack": "shop", "text": "all is well"}])
    monkeypatch.setattr(verification, "get_json", lambda *_unused: next(answers))
    monkeypatch.setattr(verification, "KEEPER_PAUSE", 0.0)
    assert "keeper: all is well" in verifier(stack, tmp_path, 1).run().report[3]


def test_requests_that_take_too_long_one_at_a_time_go_together(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ill: set[str]
) -> None:
    assert not ill
    at_once: list[int] = []
    real = verification.send

    def send(target: Any, path: str, count: int, **options: Any) -> Any:
        at_once.append(options["at_once"])
        if len(at_once) > 1:
            return real(target, path, count, **options)
        few = real(target, path, count // 10, **options)  # as if its time was up then
        return replace(few, wanted=count, seconds=options["seconds"])

    monkeypatch.setattr(verification, "send", send)
    done = verifier(stack, tmp_path).run()
    assert at_once[:2] == [1, 9], "six took a third of the time, there are 54 more"
    assert "20, 20, 20 of 60 requests" in done.report[5]
    assert done.failures == []
