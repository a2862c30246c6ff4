# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A monitor with the real Prometheus and Alertmanager, from its installation to its removal.

They run as services of a host without systemd whose folders are the test's own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_state,
    grafana_dashboard,
    keeper_init,
    monitor_config,
    monitor_install,
    monitor_rules,
    monitor_service,
    monitor_units,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_install import Change
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    PREFIX,
    MonitorSpec,
    Secrets,
    Thresholds,
)
from tests.integration.monitor_ends import Exporter, Receiver, need_packages, wait_for

pytestmark = [
    pytest.mark.skipif(not shutil.which("start-stop-daemon"), reason="needs start-stop-daemon"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as the role does"),
]
PATIENCE = 90.0
SELECTORS = sorted(
    {
        selector
        for rule in monitor_rules.rules(MonitorSpec("shop", 1, 2, 3))
        for selector in re.findall(rf"{PREFIX}\w+(?:{{[^}}]*}})?", rule.expr)
    }
)


@dataclass
class Watched:
    """A monitor that runs, and both its ends."""

    paths: StackPaths
    spec: MonitorSpec
    exporter: Exporter = field(default_factory=Exporter)
    receiver: Receiver = field(default_factory=Receiver)

    @property
    def secrets(self) -> Secrets:
        return Secrets((self.receiver.url,))

    def bring(self, check: bool = False, **changes: Any) -> Change:
        self.spec = dataclasses.replace(self.spec, **changes)
        return monitor_install.present(self.paths, self.spec, self.secrets, check)

    def pids(self) -> list[int]:
        return [service.pid() for service in monitor_service.services_there(self.paths)]

    def ask(self, path: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{self.spec.prometheus_port}{path}"
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The result of a query; an error of it is an error of the request."""
        return list(self.ask("/api/v1/query", query=expr)["result"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(name="watched", scope="module")
def watched_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    need_packages()
    folder = tmp_path_factory.mktemp("monitor")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("UNITS", "SCRIPTS", "LINKS", "RUN_DIRECTORY"):
            (folder / name.lower()).mkdir()
            patch.setattr(keeper_init, name, str(folder / name.lower()))
        real = shutil.which
        patch.setattr(shutil, "which", lambda name: None if name == "update-rc.d" else real(name))
        patch.setattr(engine_state, "init_system", lambda: "none")
        patch.setattr(monitor_units, "USER", "root")  # nobody else gets into the test's folders
        patch.setattr(monitor_config, "GROUP_WAIT", "1s")
        patch.setattr(monitor_config, "GROUP_INTERVAL", "1s")
        paths = StackPaths("shop", str(folder / "opt"))
        paths.create()
        exporter = Exporter()
        thresholds = Thresholds(replica_seconds=0)
        spec = MonitorSpec(
            *("shop", exporter.port, free_port(), free_port()),
            scrape_interval=1,
            thresholds=thresholds,
        )
        watched = Watched(paths, spec, exporter)
        try:
            first = watched.bring()
            assert first.changed
            wait_for(lambda: exporter.scrapes >= 3, PATIENCE)
            yield watched
        finally:
            monitor_service.stop(paths)
            exporter.close()
            watched.receiver.close()


def everything(paths: StackPaths) -> str:
    """All that the monitor has written to its folder and that others may read."""
    folder = Path(monitor_units.folder(paths))
    files = [path for path in folder.iterdir() if path.is_file()]
    return "".join(path.read_text() for path in files if path.stat().st_mode & 0o077)


def test_a_second_run_changes_nothing(watched: Watched) -> None:
    pids = watched.pids()
    for check in (True, False):
        again = watched.bring(check)
        assert (again.changed, again.diff) == (False, [])
    assert watched.pids() == pids


def test_they_listen_on_loopback_alone(watched: Watched) -> None:
    pids = set(map(str, watched.pids()))
    inodes = set()
    for pid in pids:
        for name in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(name)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = row.split()
            if words[9] in inodes and (words[3] == "0A" or table.startswith("udp")):
                listening.append(words[1])
    ports = {watched.spec.prometheus_port, watched.spec.alertmanager_port}
    assert {one for one in listening if not one.startswith("0100007F:")} == set()
    assert {int(one.partition(":")[2], 16) for one in listening} == ports


@pytest.mark.parametrize("expr", grafana_dashboard.queries())
def test_a_query_of_the_dashboard_gives_data(watched: Watched, expr: str) -> None:
    asked = expr.replace("$stack", "shop").replace(grafana_dashboard.WINDOW, "30s")
    wait_for(lambda: watched.query(asked), PATIENCE)
    for one in watched.query(asked):
        assert one["value"][1] != "NaN", expr


def test_the_choice_of_stacks_has_this_one(watched: Watched) -> None:
    variable = grafana_dashboard.dashboard()["templating"]["list"][1]["query"]
    metric = variable.partition("(")[2].partition(",")[0]
    assert {one["metric"]["stack"] for one in watched.query(metric)} == {"shop"}


def test_prometheus_evaluates_every_rule(watched: Watched) -> None:
    def states() -> dict[str, tuple[str, str]]:
        groups = watched.ask("/api/v1/rules")["groups"]
        return {r["name"]: (r["health"], r["state"]) for g in groups for r in g["rules"]}

    names = [rule.name for rule in monitor_rules.rules(watched.spec)]
    wait_for(lambda: states() == dict.fromkeys(names, ("ok", "inactive")), PATIENCE)


@pytest.mark.parametrize("name", SELECTORS)
def test_a_rule_has_data(watched: Watched, name: str) -> None:
    """Every metric that a rule speaks of is there, with the labels that it wants."""
    wait_for(lambda: watched.query(name), PATIENCE)


def test_an_alert_reaches_the_receiver_and_resolves(watched: Watched) -> None:
    watched.exporter.ill = {"shop-app-2"}
    wait_for(lambda: watched.receiver.alerts("ReplicaUnhealthy", "firing"), PATIENCE)
    told = watched.receiver.alerts("ReplicaUnhealthy", "firing")[0]
    assert told["labels"]["replica"] == "shop-app-2"
    assert told["labels"]["severity"] == "warning"
    assert told["annotations"]["summary"] == "shop: the replica shop-app-2 is not healthy"
    watched.exporter.ill = set()
    wait_for(lambda: watched.receiver.alerts("ReplicaUnhealthy", "resolved"), PATIENCE)


def test_other_limits_are_loaded_without_a_restart(watched: Watched) -> None:
    pids = watched.pids()
    done = watched.bring(thresholds=Thresholds(cpu_percent=33, replica_seconds=0))
    assert done.changed
    assert watched.pids() == pids
    rules = watched.ask("/api/v1/rules")["groups"][0]["rules"]
    assert any(rule["query"].endswith("> 33") for rule in rules if rule["name"] == "CpuHigh")
    assert not watched.bring().changed


def test_secrets_are_in_files_that_nobody_else_reads(watched: Watched) -> None:
    assert "T0P-53CR3T" not in everything(watched.paths)
    other = Secrets((watched.receiver.url, "http://127.0.0.1:9/another"))
    change = monitor_install.present(watched.paths, watched.spec, other, True)
    shown = json.dumps(change.diff)
    assert change.changed
    assert "T0P-53CR3T" not in shown
    assert 'another"' not in shown.replace("another secret", "")
    assert "(secret)" in shown


def test_a_refused_configuration_changes_nothing(watched: Watched) -> None:
    pids, spec = watched.pids(), watched.spec
    with pytest.raises(LoadBalancingError, match=r"checking prometheus\.yml failed \(1\)"):
        watched.bring(targets=("no port/",))
    watched.spec = spec
    assert watched.pids() == pids
    assert not watched.bring().changed


def test_a_taken_port_is_told_and_what_was_is_put_back(watched: Watched) -> None:
    spec = watched.spec
    taken = watched.exporter.port
    with pytest.raises(LoadBalancingError) as caught:
        watched.bring(prometheus_port=taken)
    assert str(caught.value) == (
        f"monitor_prometheus_port: {taken} is not possible here: something else listens there. "
        "Set the variable monitor_prometheus_port.\nWhat was before is put back."
    )
    watched.spec = spec
    wait_for(lambda: all(watched.pids()), PATIENCE)
    wait_for(lambda: watched.bring(check=True).changed is False, PATIENCE)


def test_one_that_was_killed_is_started(watched: Watched) -> None:
    before = watched.pids()
    os.kill(before[0], 9)
    wait_for(lambda: 0 in watched.pids(), PATIENCE)
    done = watched.bring()
    assert done.changed
    after = watched.pids()
    assert all(after)
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)


def test_removal_leaves_what_was_measured(watched: Watched) -> None:
    """The last test: it takes the monitor away."""
    pids = watched.pids()
    would = monitor_install.absent(watched.paths, True)
    assert watched.pids() == pids
    done = monitor_install.absent(watched.paths, False)
    assert (would.changed, done.changed, would.diff == done.diff) == (True, True, True)
    assert not any(monitor_service.command_of(pid) for pid in pids)
    folder = Path(monitor_units.folder(watched.paths))
    assert sorted(path.name for path in folder.iterdir()) == ["data", "secrets"]
    assert list((folder / "data" / "prometheus").iterdir())
    assert not list((folder / "secrets").iterdir())
    assert not monitor_install.absent(watched.paths, False).changed
