# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's pages over a snapshot of two replicas, for tests that ask for them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from wsgiref.validate import validator

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_metrics import metrics_app
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import (
    Change,
    ReplicaSight,
    Snapshot,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_web import KeeperWeb

NOON = 1_795_000_000.0
LATER = NOON + 2.5
PAGES = ["/", "/status.json", "/series.json", "/metrics", "/healthz"]

REPLICA = ReplicaSight(
    id="id1",
    name="chatbot-app-1",
    number=1,
    version="2",
    revision="abc",
    address="172.18.0.3",
    state="healthy",
    container="running",
    current=True,
    member=True,
    since=NOON - 7200,
    probe_seconds=0.0031,
    restarts=4,
)
ILL = replace(
    REPLICA, id="id2", name="chatbot-app-2", state="ill", member=False, reason="timed out"
)
SNAPSHOT = Snapshot(
    stack="chatbot",
    time=NOON,
    started_at=NOON - 3600,
    state="degraded",
    text="1 of 2 replicas is healthy.",
    wanted=2,
    generation=7,
    served=True,
    balancer_running=True,
    deploy="",
    release=4,
    version="2",
    replicas=(REPLICA, ILL),
    changes=(
        Change(NOON - 60, "keeper", "The keeper starts."),
        Change(NOON - 5, "state", "chatbot-app-2 is ill.", "warning", "chatbot-app-2"),
    ),
    counters={"publishes": 5, "rounds": 3600},
)


LOAD = {"requests": 7}
DEPLOYS = [{"time": NOON - 90, "result": "succeeded", "version": "2", "replicas": 2}]


class StandInTraffic:
    """Takes the place of keeper_traffic.Traffic."""

    def load(self) -> dict[str, Any]:
        return dict(LOAD)

    def deploys(self) -> list[dict[str, Any]]:
        return list(DEPLOYS)

    def series(self, epoch: float) -> dict[str, Any]:
        return {"times": [epoch], "deploys": self.deploys()}


@dataclass
class Answer:
    """What came back."""

    status: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def data(self) -> Any:
        return json.loads(self.body)


class Page:
    """The application over one snapshot; counts how often connections are counted."""

    def __init__(self, snapshot: Snapshot | None = SNAPSHOT, now: float = LATER) -> None:
        self.snapshot = snapshot
        self.now = now
        self.connections: Mapping[str, int] | LoadBalancingError = {"id1": 12}
        self.counted = 0
        self.app = KeeperWeb(
            self.look,
            self.in_flight,
            StandInTraffic(),
            metrics_app(self.look, self.in_flight, lambda: None, "0.1.0"),
            lambda: self.now,
        )

    def look(self) -> Snapshot | None:
        return self.snapshot

    def in_flight(self) -> Mapping[str, int]:
        self.counted += 1
        if isinstance(self.connections, LoadBalancingError):
            raise self.connections
        return self.connections

    def ask(
        self, path: str, method: str = "GET", host: str | None = "127.0.0.1:9180", **more: str
    ) -> Answer:
        """One request, under the eyes of the checker of PEP 3333."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "waitress.invalid",
            "SERVER_PORT": "9180",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **({} if host is None else {"HTTP_HOST": host}),
            **more,
        }
        seen: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
            seen.append((status, headers))
            return lambda _data: None

        with closing(validator(self.app)(environ, start)) as chunks:  # type: ignore[type-var]
            body = b"".join(chunks)
        ((status, headers),) = seen
        assert len(dict(headers)) == len(headers)
        return Answer(status, dict(headers), body)
