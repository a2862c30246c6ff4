# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's sight on 127.0.0.1. ``/`` is for people, ``/status.json`` and ``/series.json``, the
last ten minutes, for programs, ``/metrics`` for Prometheus, ``/healthz`` for whoever watches the
keeper. It only shows: nothing can be changed.

A page that a browser has open may send requests to the loopback address, too. That is why every
answer is for names of this host only (DNS rebinding), and nothing may be embedded or cached.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_metrics import metrics_app
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_page import (
    PAGE,
    SCRIPT,
    STYLE,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Snapshot
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import Traffic

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

try:
    from waitress import wasyncore
    from waitress.server import create_server

    HAS_WAITRESS = True
except ImportError:  # told in a sentence by serve(): only the keeper needs it
    HAS_WAITRESS = False

HOST = "127.0.0.1"
FRESH = 10.0
"""Seconds for which a snapshot says that the keeper works."""

CLOSE_TIMEOUT = 2.0
"""Seconds that requests in flight may take when the server is closed."""

LIMITS: dict[str, Any] = {
    "threads": 2,
    "connection_limit": 32,
    "channel_timeout": 10,
    "cleanup_interval": 5,
    "backlog": 16,
    "max_request_header_size": 8192,
    "max_request_body_size": 1024,
    "clear_untrusted_proxy_headers": True,
}
"""Of waitress: nothing here needs much, a body least of all."""

_OWN_NAME = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_JSON, _TEXT, _HTML = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"
_NOTHING_YET = "The keeper has just started: no round has ended yet."


def _allowed(text: str) -> str:
    """What allows this very script or style, and no other one (Content Security Policy 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = [
    (
        "Content-Security-Policy",
        f"default-src 'none'; script-src {_allowed(SCRIPT)}; style-src {_allowed(STYLE)}; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]
"""Go with every answer."""

Answer = tuple[str, str, bytes]
"""Status, content type, body."""


class Load(Protocol):
    """What is asked of keeper_traffic.Traffic."""

    def load(self) -> dict[str, Any]:
        """The key ``load`` of the status."""

    def deploys(self) -> list[dict[str, Any]]:
        """The key ``deploys`` of the status."""

    def series(self, epoch: float) -> dict[str, Any]:
        """The last ten minutes; ``epoch``: now, in seconds of it."""


def application(
    snapshot: Callable[[], Snapshot | None],
    in_flight: Callable[[], Mapping[str, int]],
    traffic: Traffic,
    version: str = "",
) -> KeeperWeb:
    """The WSGI application with the keeper's metrics.

    :param snapshot: the last one; None before the first round has ended.
    :param in_flight: connections from the balancer by the id of the replica, called once per
        request that shows them. If it raises LoadBalancingError, they are shown as unknown.
    :param traffic: what is known of traffic and load.
    :param version: of the collection.
    :raises LoadBalancingError: without prometheus_client.
    """
    metrics = metrics_app(snapshot, in_flight, traffic.sight, version)
    return KeeperWeb(snapshot, in_flight, traffic, metrics)


class KeeperWeb:
    """Answers the requests. Parameters are those of :func:`application`, and the application that
    answers for ``/metrics``, and the clock, which gives seconds of the epoch.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot | None],
        in_flight: Callable[[], Mapping[str, int]],
        traffic: Load,
        metrics: WSGIApplication,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._snapshot = snapshot
        self._in_flight = in_flight
        self._traffic = traffic
        self._metrics = metrics
        self._clock = clock
        self._paths: dict[str, Callable[[], Answer]] = {
            "/": _page,
            "/healthz": self._health,
            "/series.json": self._series,
            "/status.json": self._status,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        status, headers, body = self._answer(environ)
        start_response(status, [*headers, *HEADERS, ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        path = environ.get("PATH_INFO", "")
        more: list[tuple[str, str]] = []
        if not _OWN_NAME.fullmatch(environ.get("HTTP_HOST", "")):
            answer = _refusal(
                "421 Misdirected Request", "Ask for 127.0.0.1, localhost or [::1], nothing else."
            )
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            answer = _refusal("405 Method Not Allowed", "There is only GET and HEAD here.")
            more = [("Allow", "GET, HEAD")]
        elif path == "/metrics":
            return self._of_prometheus(environ)
        elif path in self._paths:
            answer = self._paths[path]()
        else:
            known = ", ".join(sorted((*self._paths, "/metrics")))
            answer = _refusal("404 Not Found", f"There is only {known} here.")
        status, kind, body = answer
        return status, [("Content-Type", kind), *more], body

    def _of_prometheus(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        """What prometheus_client answers, which knows GET only."""
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
            begun.append((status, headers))

        body = b"".join(self._metrics({**environ, "REQUEST_METHOD": "GET"}, start))
        status, headers = begun[-1]
        return status, headers, body

    def _health(self) -> Answer:
        snapshot = self._snapshot()
        if snapshot is None:
            return "503 Service Unavailable", _TEXT, f"{_NOTHING_YET}\n".encode()
        age = self._clock() - snapshot.time
        text = f"The keeper's last round ended {age:.1f} s ago.\n".encode()
        # An age far below zero is no good sign either: the clock was set back, and no round since.
        return "200 OK" if abs(age) < FRESH else "503 Service Unavailable", _TEXT, text

    def _status(self) -> Answer:
        snapshot = self._snapshot()
        if snapshot is None:
            return _refusal("503 Service Unavailable", _NOTHING_YET)
        data = snapshot.as_dict()
        connections = self._connections()
        for replica in data["replicas"]:
            replica["in_flight"] = _of(connections, replica["id"])
        data["load"] = self._traffic.load()
        data["deploys"] = self._traffic.deploys()
        data["pid"] = os.getpid()
        data["age"] = round(self._clock() - snapshot.time, 3)
        return "200 OK", _JSON, _json(data)

    def _series(self) -> Answer:
        return "200 OK", _JSON, _json(self._traffic.series(self._clock()))

    def _connections(self) -> Mapping[str, int] | None:
        try:
            return self._in_flight()
        except LoadBalancingError:
            return None


def _page() -> Answer:
    """The same for every stack: its script asks for what it shows."""
    return "200 OK", _HTML, PAGE.encode()


def _of(connections: Mapping[str, int] | None, replica: str) -> int | None:
    return None if connections is None else connections.get(replica, 0)


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data) + "\n").encode()


def _refusal(status: str, text: str) -> Answer:
    return status, _JSON, _json({"error": text})


class Server:
    """A server that runs in a thread of its own; made by :func:`serve`."""

    def __init__(self, app: WSGIApplication, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self._sockets: dict[int, Any] = {}
        self._server: Any = create_server(
            app, map=self._sockets, sockets=[listener], ident=None, **LIMITS
        )
        self._thread = threading.Thread(target=self._server.run, name="keeper-web", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it: requests in flight are finished, then the port is free. May be called twice."""
        if not self._thread.is_alive():
            return
        self._server.task_dispatcher.shutdown(timeout=CLOSE_TIMEOUT)
        # In the thread of the server, which waits for its sockets until it has none.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets, True))
        self._thread.join(CLOSE_TIMEOUT)


def serve(app: WSGIApplication, port: int) -> Server:
    """Serve an application on 127.0.0.1, in the background.

    :param port: where; 0 for one that is free.
    :raises LoadBalancingError: when the port is taken, may not be used, or without waitress.
    """
    if not HAS_WAITRESS:
        raise LoadBalancingError(
            "waitress for Python is missing on the host. "
            "The role keeper installs it (Debian's package python3-waitress)."
        )
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise LoadBalancingError(
            f"keeper_port: the keeper cannot listen on {HOST}:{port}: "
            f"{os.strerror(error.errno or 0)}. "
            "Set the variable keeper_port to a port that is free."
        ) from error
    return Server(app, listener)
