# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deploy with monitoring leaves on a host: two services that know the stack, and alerts."""

from __future__ import annotations

import pytest

from tests.hosts.deployed import Deployed

PROMETHEUS = "http://127.0.0.1:21080/api/v1"
SERVICES = {"digiz-prometheus-chatbot": 21080, "digiz-alertmanager-chatbot": 22080}
ALERTS = {
    *("StackDown", "BalancerDown", "KeeperAbsent", "KeeperStalled", "ErrorsHigh"),
    *("ReplicaUnhealthy", "MembersMissing", "ReplicaCrashLoop", "ConfigurationNotServed"),
    *("CpuHigh", "MemoryHigh", "ResponsesSlow", "FirstByteSlow", "DiskFull"),
}


@pytest.mark.parametrize(("name", "port"), SERVICES.items())
def test_a_service_runs_for_this_machine_alone_and_comes_back(
    stack: Deployed, name: str, port: int
) -> None:
    service = stack.there.service(name)
    assert service.is_running
    assert service.is_enabled
    listening = stack.there.check_output("ss -ltnH").split()
    assert [word for word in listening if word.endswith(f":{port}")] == [f"127.0.0.1:{port}"]


@pytest.mark.parametrize("name", ["prometheus", "prometheus-alertmanager"])
def test_those_of_the_packages_do_not_run(stack: Deployed, name: str) -> None:
    assert not stack.there.service(name).is_running


def test_the_keeper_is_asked_each_second(stack: Deployed) -> None:
    targets = stack.get(f"{PROMETHEUS}/targets")["data"]["activeTargets"]
    assert {one["health"] for one in targets} == {"up"}
    keeper = [one for one in targets if "20080" in one["scrapeUrl"]]
    assert [one["scrapeInterval"] for one in keeper] == ["1s"]


def test_all_alerts_are_there_and_none_of_them_fires(stack: Deployed) -> None:
    groups = stack.get(f"{PROMETHEUS}/rules?type=alert")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= ALERTS
    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_the_figures_are_those_of_the_stack(stack: Deployed) -> None:
    found = stack.get(f"{PROMETHEUS}/query?query=load_balancing_replicas_healthy")["data"]["result"]
    assert [one["value"][1] for one in found] == ["3"]
