# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verification sends, and what it reads: the log, the configuration in force."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import (
    NO_LIMITS,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_config import (
    read_served,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    AccessLog,
    Answer,
    Client,
    Target,
    get_once,
    send,
    upstream_of,
)
from tests.unit.examples import examples

# the configuration, read back


PATHS = st.from_regex(r"/([a-z0-9][a-z0-9.()+*-]{0,7}/)?", fullmatch=True)
LIMIT = st.fixed_dictionaries(
    {
        "path": PATHS,
        "rate": st.sampled_from(["1r/s", "90r/m", 5]),
        "burst": st.integers(0, 100),
        "delay": st.sampled_from(["nodelay", 0]),
    }
)
SPEC = st.fixed_dictionaries(
    {
        "rate_limits": st.lists(LIMIT, max_size=3, unique_by=lambda limit: limit["path"]).map(
            lambda found: [{**one, "name": f"limit_{n}"} for n, one in enumerate(found)]
        ),
        "rate_limits_enabled": st.booleans(),
        "rate_limits_dry_run": st.booleans(),
        "api_key_header": st.sampled_from(["Authorization", "X-API-Key"]),
        "api_key_tiers": st.dictionaries(
            st.sampled_from(["default", "gold", "key"]),
            st.builds(
                lambda limit, most: {**limit, "connections": most},
                LIMIT.map(lambda limit: {k: v for k, v in limit.items() if k != "path"}),
                st.integers(0, 50),
            ),
        ),
        "connection_limit": st.integers(0, 50),
        "rate_limit_exempt": st.lists(st.sampled_from(["10.0.0.0/8", "2001:db8::/32"]), max_size=2),
        "health_path": PATHS,
    }
)


@settings(max_examples=examples(60))
@given(SPEC)
def test_what_is_rendered_is_read_back(given_spec: dict[str, Any]) -> None:
    spec = BalancerSpec.from_mapping({"stack_name": "shop", "http_port": 8080, **given_spec})
    served = read_served(render(spec)["nginx.conf"])
    assert served.limits == (spec.limits if spec.limits else NO_LIMITS)


@pytest.mark.parametrize(
    ("names", "host"),
    [
        ([], "127.0.0.1"),
        (["shop.example.com", "*.example.com"], "shop.example.com"),
        (["*.example.com"], "verify.example.com"),
        (["_"], "127.0.0.1"),
        (["localhost"], "127.0.0.1"),
    ],
)
def test_the_host_that_is_asked_for_is_served(names: list[str], host: str) -> None:
    spec = BalancerSpec.from_mapping(
        {"stack_name": "shop", "http_port": 8080, "server_names": names}
    )
    assert read_served(render(spec)["nginx.conf"]).host == host


def test_nothing_published() -> None:
    assert read_served("").limits == NO_LIMITS


# requests and the log


class Handler(BaseHTTPRequestHandler):
    """Answers with the Host header; refuses every third request."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers['Host']} {self.client_address[0]}")
        refused = self.path == "/limited" and len(self.asked) % 3 == 0
        self.send_response(429 if refused else 200)
        if refused:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.close_connection = self.path == "/reloading" and len(self.asked) % 5 == 0

    def log_message(self, *words: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.asked = []
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def test_as_many_requests_as_asked_for(server: ThreadingHTTPServer) -> None:
    target = Target(server.server_port, "shop.example.com", "verify/1")
    done = send(target, "/health", 50, at_once=4, connections=2, seconds=5)
    assert done.counts == Counter({"200": 50})
    assert (done.total, done.answered, done.wanted) == (50, 50, 50)
    assert set(Handler.asked) == {"/health shop.example.com 127.0.0.1"}


def test_connections_that_a_reload_closed_fail_no_request(server: ThreadingHTTPServer) -> None:
    client = Client(Target(server.server_port, "shop", "verify/1"))
    for _unused in range(20):
        assert client.get("/reloading") == Answer(200)
        time.sleep(0.01)
    client.close()


def test_requests_end_with_the_first_that_is_refused(server: ThreadingHTTPServer) -> None:
    target = Target(server.server_port, "shop", "verify/1")
    done = send(
        target,
        "/limited",
        50,
        at_once=1,
        seconds=5,
        source="127.0.0.77",
        until=lambda answer: bool(answer.retry_after),
    )
    assert done.counts == Counter({"200": 2, "429": 1})
    assert set(Handler.asked) == {"/limited shop 127.0.0.77"}


def test_no_request_begins_after_the_time(server: ThreadingHTTPServer) -> None:
    target = Target(server.server_port, "shop", "verify/1")
    assert send(target, "/", 50, at_once=2, seconds=0).total == 0


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    answer = get_once(Target(port, "shop", "verify/1"), "/health")
    assert answer == Answer(0, reason="Connection refused")


def line(agent: str, upstream: str = "10.0.0.1:8000", status: str = "200") -> str:
    entry = {"user_agent": agent, "upstream_addr": upstream, "status": status}
    return json.dumps(entry, separators=(",", ":"))


def test_only_new_entries_of_ours_are_found(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(line("verify/1") + "\n", encoding="utf-8")
    log = AccessLog(str(path), "verify/1")
    with path.open("a", encoding="utf-8") as handle:
        handle.write(f"{line('verify/1')}\n{line('other')}\n{line('verify/1-burst')}\n")
        handle.write(line("verify/1")[:20])
    assert len(log.entries('verify/1"', 1)) == 1
    assert log.entries('verify/1"', 1, timeout=0) == []
    log.close()


def test_answers_to_others_are_counted(tmp_path: Path) -> None:
    """Neither ours, nor those of nginx itself, nor failures."""
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "verify/1")
    rows = [line("verify/1"), line("verify/1-burst"), line("other"), line("another verify/1")]
    rows += [line("other", "10.0.0.2:8000, 10.0.0.3:8000", "404"), line("other", "")]
    rows += [line("other", status="502"), line("other", status="504"), "damaged"]
    rows += [line("other", status="499"), line("other", status="")]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert len(log.entries('verify/1"', 1)) == 2
    assert log.others == {"10.0.0.1": 2, "10.0.0.3": 1}
    log.close()


def test_the_log_may_be_rotated_emptied_or_begun_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "verify/1")
    path.write_text(line("verify/1") + "\n", encoding="utf-8")
    assert len(log.entries('verify/1"', 1)) == 1
    with path.open("a", encoding="utf-8") as handle:
        handle.write(line("verify/1") + "\n")
    os.rename(path, tmp_path / "access.log.1")
    path.write_text(line("verify/1") + "\n", encoding="utf-8")
    assert len(log.entries('verify/1"', 2)) == 2
    path.write_text("", encoding="utf-8")
    assert log.entries('verify/1"', 1, timeout=0) == []
    path.write_text(line("verify/1") + "\n", encoding="utf-8")
    assert len(log.entries('verify/1"', 1)) == 1
    log.close()


@pytest.mark.parametrize(
    ("logged", "address"),
    [
        ("10.0.0.1:8000", "10.0.0.1"),
        ("10.0.0.1:8000, 10.0.0.2:8000", "10.0.0.2"),
        ("10.0.0.1:8000 : 10.0.0.3:8000", "10.0.0.3"),
        ("", ""),
        ("app", ""),
    ],
)
def test_who_answered(logged: str, address: str) -> None:
    assert upstream_of({"upstream_addr": logged}) == address
