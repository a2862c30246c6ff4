# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Monitoring of a whole stack: what fails is told, and that it is well again is told, too."""

from __future__ import annotations

import functools
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    grafana_dashboard,
    monitor_service,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from tests.e2e import faults
from tests.e2e.stack import Stack, deployed
from tests.integration.monitor_ends import Receiver

NAME, PORT, RESTART_AFTER = "lbtest-alerts", 18109, 45
LIGHT = {"closed": 10, "think_time": 0.05, "sse": 2, "websockets": 0}
WITHOUT_DATA = ("certificate_expiry",)
"""Parts of queries about what this stack does not have."""

pytestmark = pytest.mark.rollout


@dataclass
class Watched:
    """A stack with a monitor, and who is told."""

    stack: Stack
    receiver: Receiver

    @property
    def prometheus_port(self) -> int:
        return int(self.stack.variables["monitor_prometheus_port"])

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The result of a query; an error of it is an error of the request."""
        query = urllib.parse.urlencode({"query": expr})
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/query?{query}"
        with urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["data"]["result"]
        return found

    def told(self, name: str, status: str, replica: str) -> list[dict[str, Any]]:
        """What the receiver was told about a replica."""
        alerts = self.receiver.alerts(name, status)
        return [alert for alert in alerts if alert["labels"].get("replica") == replica]


@pytest.fixture(name="watched", scope="module")
def watched_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Three replicas of the demo; what is ill stays so for longer than it takes to tell it."""
    receiver = Receiver()
    variables = {
        "replicas": 3,
        "keeper_restart_after": RESTART_AFTER,
        "monitoring": True,
        "monitor_prometheus_port": PORT + 3_000,
        "monitor_alertmanager_port": PORT + 4_000,
        "monitor_scrape_interval": 1,
        "monitor_webhook_urls": [receiver.url],
        "alert_replica_seconds": 3,
    }
    try:
        with deployed(NAME, PORT, tmp_path_factory.mktemp("alerts"), **variables) as stack:
            yield Watched(stack, receiver)
    finally:
        receiver.close()


def test_a_second_deploy_changes_nothing_of_it_and_shows_no_secret(watched: Watched) -> None:
    paths = StackPaths(NAME)
    before = [service.pid() for service in monitor_service.services_there(paths)]
    done = watched.stack.must("deploy", "--diff", "-vvv")
    assert [service.pid() for service in monitor_service.services_there(paths)] == before
    assert len(before) == 2
    assert watched.receiver.url.rpartition("/")[2] not in done.output


def test_the_dashboard_has_data_of_a_real_keeper(watched: Watched) -> None:
    with watched.stack.traffic(**LIGHT) as traffic:
        for expr in grafana_dashboard.queries():
            if not any(part in expr for part in WITHOUT_DATA):
                asked = expr.replace("$stack", NAME).replace(grafana_dashboard.WINDOW, "30s")
                faults.wait_for(functools.partial(watched.query, asked), 90)
        traffic.stop()


def test_a_hung_replica_is_told_and_that_it_is_healed(watched: Watched) -> None:
    faults.wait_for(lambda: watched.stack.status().get("state") == "ok", 90)
    (victim,) = faults.replicas(watched.stack, 1)
    faults.hang(victim)()
    faults.wait_for(lambda: watched.told("ReplicaUnhealthy", "firing", victim.name), 60)
    (alert, *_again) = watched.told("ReplicaUnhealthy", "firing", victim.name)
    assert alert["labels"]["stack"] == NAME
    assert alert["annotations"]["summary"] == f"{NAME}: the replica {victim.name} is not healthy"
    faults.wait_for(lambda: watched.receiver.alerts("MembersMissing", "firing"), 60)
    faults.wait_for(lambda: watched.stack.status().get("state") == "ok", 2 * RESTART_AFTER)
    faults.wait_for(lambda: watched.told("ReplicaUnhealthy", "resolved", victim.name), 150)
    faults.wait_for(lambda: watched.receiver.alerts("MembersMissing", "resolved"), 150)


def test_without_monitoring_nothing_of_it_runs(watched: Watched) -> None:
    """The last test: it takes the monitor away."""
    paths = StackPaths(NAME)
    pids = [service.pid() for service in monitor_service.services_there(paths)]
    watched.stack.must("deploy", monitoring=False)
    assert monitor_service.services_there(paths) == []
    assert not any(monitor_service.command_of(pid) for pid in pids)
