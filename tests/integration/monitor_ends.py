# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands at both ends of a monitor in tests: a keeper's metrics, and a receiver of alerts."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import monitor_packages
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import PREFIX

REPLICAS = ("shop-app-1", "shop-app-2", "shop-app-3")
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "429", "499")
BOUNDS = (0.005, 0.1, 0.5, 1, 2.5, 5, 10, 60)
DAY = 86400
STACK = {"stack": "shop"}
Sample = tuple[str, dict[str, str], float]


def need_packages() -> None:
    """Prometheus and Alertmanager, installed as the role does it where they are missing."""
    missing = monitor_packages.missing()
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        pytest.skip(f"needs the packages {' and '.join(missing)}: install them")
    monitor_packages.install(missing)


class Server:
    """An HTTP server of a test's own on a port of loopback."""

    def __init__(self) -> None:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            """Hands requests to the owner."""

            def do_GET(self) -> None:
                self._answer(owner.get())

            def do_POST(self) -> None:
                owner.post(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer("")

            def _answer(self, text: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_unused: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def get(self) -> str:
        """What a GET gets."""
        return ""

    def post(self, body: bytes) -> None:
        """What comes by POST."""

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


class Exporter(Server):
    """Metrics as a keeper of the stack ``shop`` has them, under steady load. ``ill`` replicas are
    not healthy; ``scrapes`` counts how often somebody has looked.
    """

    def __init__(self) -> None:
        self.ill: set[str] = set()
        self.scrapes = 0
        super().__init__()

    def get(self) -> str:
        self.scrapes += 1
        lines = []
        for name, labels, value in self._samples():
            inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
            lines.append(f"{PREFIX}{name}{{{inside}}} {float(value)!r}\n")
        return "".join(lines)

    def _samples(self) -> Iterator[Sample]:
        well = len(REPLICAS) - len(self.ill)
        for name, value in {
            "replicas_wanted": len(REPLICAS),
            "replicas_healthy": well,
            "members": well,
            "generation": 3,
            "generation_served": 1,
            "release": 2,
            "balancer_running": 1,
            "deploy_in_progress": 0,
            "maintenance": 0,
            "last_round_timestamp_seconds": time.time(),
            "round_duration_seconds": 0.01,
            "publishes_total": 4,
            "publish_failures_total": 0,
            "repairs_total": 1,
            "rounds_total": self.scrapes,
            "last_deploy_timestamp_seconds": time.time() - DAY,
        }.items():
            yield name, STACK, value
        for state in ("ok", "degraded", "down", "blind"):
            yield "state", {**STACK, "state": state}, state == ("degraded" if self.ill else "ok")
        yield "deploys_total", {**STACK, "result": "ok"}, 2
        certificate = {**STACK, "name": "shop"}
        yield "certificate_expiry_timestamp_seconds", certificate, time.time() + 60 * DAY
        yield "filesystem_free_ratio", {**STACK, "path": "/opt/shop"}, 0.5
        yield from self._of_traffic()
        yield from self._of_replicas()

    def _of_traffic(self) -> Iterator[Sample]:
        for kind in CLASSES:
            count = {"2xx": 1000, "429": 10}.get(kind, 0)
            yield "requests_total", {**STACK, "status_class": kind}, count * self.scrapes
        for histogram in ("request_duration_seconds", "first_byte_seconds"):
            for kind in ("request", "stream"):
                labels = {**STACK, "path_kind": kind}
                for bound in BOUNDS:
                    count = 0 if bound < 0.1 else 100 * self.scrapes
                    yield f"{histogram}_bucket", {**labels, "le": f"{bound:g}"}, count
                yield f"{histogram}_bucket", {**labels, "le": "+Inf"}, 100 * self.scrapes
                yield f"{histogram}_count", labels, 100 * self.scrapes
                yield f"{histogram}_sum", labels, 5.0 * self.scrapes

    def _of_replicas(self) -> Iterator[Sample]:
        for replica in REPLICAS:
            labels = {**STACK, "replica": replica, "version": "1"}
            up = replica not in self.ill
            for name, value in {
                "replica_up": up,
                "replica_member": up,
                "replica_cpu_ratio": 0.3,
                "replica_memory_ratio": 0.4,
                "replica_connections": 5,
                "replica_probe_duration_seconds": 0.002,
                "replica_restarts_total": 0,
            }.items():
                yield name, labels, value
            for kind in CLASSES:
                inside = {**STACK, "replica": replica, "status_class": kind}
                yield "replica_requests_total", inside, 300 * self.scrapes * (kind == "2xx")


class Receiver(Server):
    """A webhook that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []
        super().__init__()

    @property
    def url(self) -> str:
        """Where it listens; the path is as secret as that of a real one."""
        return f"http://127.0.0.1:{self.port}/hooks/T0P-53CR3T"

    def post(self, body: bytes) -> None:
        self.notes.append(json.loads(body))

    def alerts(self, name: str, status: str) -> list[dict[str, Any]]:
        """The alerts of a name that it was told of as firing or as resolved."""
        listed = [alert for note in list(self.notes) for alert in note["alerts"]]
        return [a for a in listed if (a["labels"]["alertname"], a["status"]) == (name, status)]


def wait_for(condition: Any, seconds: float) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
