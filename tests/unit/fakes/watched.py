# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A keeper that answers on loopback what a test wants, and a stack that has it."""

from __future__ import annotations

import copy
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from tests.unit.fakes.host import STACK

NOON = 1_795_000_000.0
HOSTILE = "a\x1b]0;owned\x07<script>alert(1)</script>[red]\u202e"


def replica(number: int, **other: Any) -> dict[str, Any]:
    """A replica as the status has it."""
    return {
        "id": f"id{number}",
        "name": f"shop-app-{number}",
        "number": number,
        "version": "2",
        "state": "healthy",
        "container": "running",
        "member": True,
        "since": NOON - 3600,
        "restarts": number,
        "in_flight": 2,
        "reason": "",
        **other,
    }


def load_of(**other: Any) -> dict[str, Any]:
    """The load of a replica as the status has it."""
    return {
        "requests": 300,
        "share_percent": 50.0,
        "error_percent": 0.2,
        "response_p95": 0.25,
        "cpu_percent": 12.0,
        "memory_percent": 40.0,
        **other,
    }


STATUS: dict[str, Any] = {
    "stack": "shop",
    "time": NOON,
    "age": 0.4,
    "state": "ok",
    "text": "2 of 2 replicas are healthy",
    "wanted": 2,
    "members": ["shop-app-1", "shop-app-2"],
    "release": 4,
    "version": "2",
    "generation": 9,
    "served": True,
    "balancer_running": True,
    "deploy": "",
    "maintenance": False,
    "replicas": [replica(1), replica(2)],
    "changes": [
        {"time": NOON - 60, "event": "members", "text": "In: shop-app-2", "level": "info"},
        {"time": NOON - 90, "event": "repair", "text": "shop-app-2 restarts", "level": "warning"},
    ],
    "deploys": [
        {"time": NOON - 4000, "what": "deploy", "result": "failed", "release": 0},
        {
            "time": NOON - 300,
            "what": "deploy",
            "result": "succeeded",
            "release": 4,
            "version": "2",
            "replicas": 2,
        },
    ],
    "load": {
        "window_seconds": 300.0,
        "covered_seconds": 300.0,
        "requests": 600,
        "requests_per_minute": 120.0,
        "response_p50": 0.05,
        "response_p95": 0.25,
        "response_mean": 0.08,
        "first_byte_p95": 0.2,
        "error_percent": 0.2,
        "statuses": {"2xx": 598, "5xx": 1, "429": 1},
        "limited": 1,
        "retried": 3,
        "cpu_percent": 12.0,
        "memory_percent": 41.0,
        "replicas": {
            "shop-app-1": load_of(),
            "shop-app-2": load_of(memory_percent=41.0),
        },
    },
}

_STEPS = 120
SERIES: dict[str, Any] = {
    "step_seconds": 5.0,
    "times": [NOON - 5 * (_STEPS - step) for step in range(_STEPS)],
    "totals": {
        "requests_per_second": [float(step % 7) for step in range(_STEPS)],
        "error_percent": [0.0] * _STEPS,
        "response_p95": [None if step % 10 == 0 else 0.2 for step in range(_STEPS)],
        "members": [2] * _STEPS,
    },
    "replicas": {
        name: {
            "requests_per_second": [1.0] * _STEPS,
            "response_p95": [0.2] * _STEPS,
            "cpu_percent": [10.0] * _STEPS,
            "memory_percent": [40.0] * _STEPS,
        }
        for name in ("shop-app-1", "shop-app-2")
    },
}


def status(**other: Any) -> dict[str, Any]:
    """The status of a stack that is well, with other values."""
    return {**copy.deepcopy(STATUS), **other}


def loaded(**other: Any) -> dict[str, Any]:
    """The same with another load."""
    return status(load={**copy.deepcopy(STATUS["load"]), **other})


def hostile() -> dict[str, Any]:
    """The same with texts that want to take hold of whoever shows them."""
    data = loaded(replicas={HOSTILE: load_of()})
    data["replicas"] = [replica(1, name=HOSTILE, version=HOSTILE, state=HOSTILE, reason=HOSTILE)]
    for key in ("stack", "state", "text", "version", "deploy"):
        data[key] = HOSTILE
    data["changes"] = [{"time": NOON, "text": HOSTILE, "level": HOSTILE}]
    data["deploys"] = [
        {"time": 1e300, "what": HOSTILE, "result": HOSTILE, "version": HOSTILE, "replicas": 2}
    ]
    return data


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def mixed(draw: st.DrawFn, data: Any) -> Any:
    """The same with anything in some of its places."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ANYTHING)
    if isinstance(data, dict):
        return {key: draw(mixed(value)) for key, value in data.items()}
    if isinstance(data, list):
        return [draw(mixed(value)) for value in data[:4]]
    return data


class FakeKeeper:
    """Answers ``pages`` by path; ``answers`` has the status of HTTP, where it is not 200."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {"/status.json": status(), "/series.json": SERIES}
        self.answers: dict[str, int] = {}
        self.asked: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def fake_keeper() -> Iterator[FakeKeeper]:
    """One on a port that is free."""
    keeper = FakeKeeper()

    class Handler(BaseHTTPRequestHandler):
        """Of one request."""

        def do_GET(self) -> None:
            keeper.asked.append(self.path)
            page = keeper.pages[self.path]
            body = page if isinstance(page, bytes) else json.dumps(page).encode()
            self.send_response(keeper.answers.get(self.path, 200))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_unused: object) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    keeper.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield keeper
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def deployed(base: Path, port: int, **other: Any) -> StackPaths:
    """The stack ``shop``, whose keeper should answer on this port."""
    paths = StackPaths("shop", str(base))
    os.makedirs(paths.release)
    os.makedirs(paths.state)
    described = {**STACK.as_dict(), "name": "shop", "keeper_port": port, **other}
    Path(paths.release, "stack.json").write_text(json.dumps(described), encoding="utf-8")
    return paths
