# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts, configurations and dashboard as data: what stands in them, and what is never shown."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    grafana_dashboard,
    keeper_metrics,
    monitor_config,
    monitor_rules,
    monitor_spec,
    monitor_units,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    Email,
    MonitorSpec,
    Secrets,
    Thresholds,
)

SPEC = MonitorSpec("shop", 28080, 29080, 30080)
EMAIL = Email(("ops@example.com", "dev@example.com"), "shop@example.com", "mail:587", "shop")
SHOP = StackPaths("shop")
PROGRAMS = monitor_units.programs_of(SHOP, SPEC)
PROSE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
DATA: dict[str, Any] = {
    "keeper_port": 28080,
    "prometheus_port": "29080",
    "alertmanager_port": 30080,
    "retention": "15d",
    "scrape_interval": 15,
    "targets": ["app2:9100"],
    "thresholds": {"cpu_percent": 90, "restarts": "5"},
}


def exprs() -> str:
    return "\n".join(
        [rule.expr for rule in monitor_rules.rules(SPEC)] + grafana_dashboard.queries()
    )


# alerts


def test_the_rule_file_has_all_rules() -> None:
    groups = yaml.safe_load(monitor_rules.rules_yaml(SPEC))["groups"]
    assert [group["name"] for group in groups] == ["load_balancing"]
    assert groups[0]["rules"] == [rule.data() for rule in monitor_rules.rules(SPEC)]
    assert groups[0]["rules"][0]["for"] == "30s"
    assert groups[0]["rules"][0]["labels"] == {"severity": "critical"}


@pytest.mark.parametrize("rule", monitor_rules.rules(SPEC), ids=lambda rule: rule.name)
def test_an_alert_tells_what_is_wrong_and_what_to_do(rule: monitor_rules.Rule) -> None:
    assert rule.severity in (monitor_rules.CRITICAL, monitor_rules.WARNING)
    assert rule.summary.startswith(("{{ $labels.stack }}: ", "{{ $labels.instance }} "))
    assert len(rule.summary) < 120
    assert len(rule.description) > 60
    assert rule.description.endswith(".")


@pytest.mark.parametrize(
    ("limit", "name", "text"),
    [
        ("cpu_percent", "CpuHigh", "> 71"),
        ("memory_percent", "MemoryHigh", "> 71"),
        ("error_percent", "ErrorsHigh", "> 71 unless"),
        ("p95_seconds", "ResponsesSlow", "> 71"),
        ("first_byte_seconds", "FirstByteSlow", "> 71"),
        ("disk_percent", "DiskFull", "> 71"),
        ("certificate_days", "CertificateExpires", "< 71"),
        ("restarts", "ReplicaCrashLoop", "> 71"),
    ],
)
def test_a_limit_is_that_of_one_alert(limit: str, name: str, text: str) -> None:
    changes: dict[str, Any] = {limit: 71}
    spec = MonitorSpec("shop", 1, 2, 3, thresholds=Thresholds(**changes))
    changed = {
        new.name: new.expr
        for new, old in zip(monitor_rules.rules(spec), monitor_rules.rules(SPEC))
        if new != old
    }
    assert list(changed) == [name]
    assert text in changed[name]


def test_patience_with_replicas_is_settable() -> None:
    spec = MonitorSpec("shop", 1, 2, 3, thresholds=Thresholds(replica_seconds=7))
    waits = {rule.name: rule.seconds for rule in monitor_rules.rules(spec)}
    assert (waits["ReplicaUnhealthy"], waits["MembersMissing"]) == (7, 7)


def test_statuses_429_and_499_count_in_no_error_rate() -> None:
    errors = monitor_rules.error_percent("5m")
    assert errors.count('status_class="5xx"') == errors.count('status_class!~"429|499"') == 1
    rates = re.findall(r"[^\n]*status_class=\"5xx\"[^\n]*", exprs())
    assert rates
    assert all('status_class!~"429|499"' in rate for rate in rates)


def test_queries_speak_of_metrics_that_a_keeper_has() -> None:
    assert keeper_metrics.PREFIX == monitor_spec.PREFIX
    pytest.importorskip("prometheus_client")
    collector = keeper_metrics.KeeperCollector(lambda: None, dict, lambda: None)
    names = {sample for family in collector.describe() for sample in samples(family)}
    used = set(re.findall(rf"{monitor_spec.PREFIX}\w+", exprs()))
    assert used - names == set()


def samples(family: Any) -> list[str]:
    """Names of the series that a family of metrics gives."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return [family.name + suffix for suffix in suffixes.get(family.type, ("",))]


# Prometheus and Alertmanager


def test_prometheus_looks_at_the_keeper_and_at_other_hosts() -> None:
    data = yaml.safe_load(monitor_config.prometheus_yaml(SPEC))
    assert data["scrape_configs"] == [
        {"job_name": "keeper", "static_configs": [{"targets": ["127.0.0.1:28080"]}]}
    ]
    assert data["global"]["scrape_timeout"] == "10s"
    assert data["rule_files"] == ["rules.yml"]
    found = data["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert found == ["127.0.0.1:30080"]
    spec = MonitorSpec("shop", 1, 2, 3, scrape_interval=2, targets=("app2:9100",))
    data = yaml.safe_load(monitor_config.prometheus_yaml(spec))
    assert data["global"]["scrape_timeout"] == data["global"]["scrape_interval"] == "2s"
    assert data["scrape_configs"][1] == {
        "job_name": "hosts",
        "static_configs": [{"targets": ["app2:9100"]}],
    }


def receiver(spec: MonitorSpec, secrets: Secrets, folder: str | None) -> dict[str, Any]:
    data = yaml.safe_load(monitor_config.alertmanager_yaml(spec, secrets, folder))
    (found,) = data["receivers"]
    assert data["route"]["receiver"] == found.pop("name")
    return dict(found)


def test_nobody_is_told_by_default() -> None:
    assert receiver(SPEC, Secrets(), "/secrets") == {}
    assert monitor_config.secret_files(SPEC, Secrets()) == {}


def test_receivers_with_files_and_without() -> None:
    spec = MonitorSpec("shop", 1, 2, 3, email=EMAIL)
    secrets = Secrets(("https://a/1", "https://b/2"), "p4ss")
    told = receiver(spec, secrets, "/secrets")
    assert told["webhook_configs"] == [
        {"send_resolved": True, "url_file": "/secrets/webhook-1"},
        {"send_resolved": True, "url_file": "/secrets/webhook-2"},
    ]
    assert [one["to"] for one in told["email_configs"]] == list(EMAIL.to)
    assert told["email_configs"][0] == {
        "send_resolved": True,
        "to": "ops@example.com",
        "from": "shop@example.com",
        "smarthost": "mail:587",
        "require_tls": True,
        "auth_username": "shop",
        "auth_password_file": "/secrets/email-password",
    }
    assert monitor_config.secret_files(spec, secrets) == {
        "webhook-1": "https://a/1",
        "webhook-2": "https://b/2",
        "email-password": "p4ss",
    }
    inline = receiver(spec, secrets, None)
    assert inline["webhook_configs"][1] == {"send_resolved": True, "url": "https://b/2"}
    assert inline["email_configs"][1]["auth_password"] == "p4ss"


def test_a_server_on_the_host_needs_no_tls_and_no_user() -> None:
    spec = MonitorSpec("shop", 1, 2, 3, email=Email(("a@b.c",), "d@e.f", "localhost:25"))
    (told,) = receiver(spec, Secrets(), "/secrets")["email_configs"]
    assert told["require_tls"] is False
    assert not [key for key in told if key.startswith("auth_")]
    assert monitor_config.secret_files(spec, Secrets()) == {}


@given(urls=st.lists(PROSE, max_size=3), password=PROSE, name=PROSE)
def test_secrets_stand_where_they_should_and_nowhere_else(
    urls: list[str], password: str, name: str
) -> None:
    """Whatever is in them; what is shown is the same whether they lie in files or not."""
    secrets = Secrets(tuple(f"https://h/{url}" for url in urls), f"\0{password}")
    spec = MonitorSpec("shop", 1, 2, 3, email=Email(("a@b.c",), name, "mail:25", name))
    inline = monitor_config.alertmanager_yaml(spec, secrets, None)
    hooks = receiver(spec, secrets, None).get("webhook_configs", [])
    assert [hook["url"] for hook in hooks] == list(secrets.webhook_urls)
    assert receiver(spec, secrets, None)["email_configs"][0]["auth_password"] == f"\0{password}"
    filed = monitor_config.alertmanager_yaml(spec, secrets, "/secrets")
    shown = monitor_config.without_secrets(inline)
    assert shown == monitor_config.without_secrets(filed)
    assert "https://h/" not in shown
    yaml.safe_load(shown)


def test_secrets_are_hidden_the_longest_first() -> None:
    secrets = Secrets(("https://a", "https://a/longer"), "")
    assert secrets.hide("x https://a/longer y https://a z") == "x (secret) y (secret) z"


# the spec


def test_a_spec_of_the_settings() -> None:
    spec = MonitorSpec.from_mapping("shop", DATA)
    assert (spec.prometheus_port, spec.targets, spec.email) == (29080, ("app2:9100",), None)
    assert spec.thresholds == Thresholds(cpu_percent=90.0, restarts=5)
    email = {"to": ["a@b.c"], "sender": "d@e.f", "smarthost": "mail:25", "username": ""}
    told = MonitorSpec.from_mapping("shop", {**DATA, "email": email}).email
    assert told == Email(("a@b.c",), "d@e.f", "mail:25")


@pytest.mark.parametrize(
    "change",
    [
        {"keeper_port": None},
        {"retention": None, "thresholds": {"cpu": 1}},
        {"thresholds": []},
        {"email": {"to": []}},
        {"scrape_interval": "often"},
    ],
)
def test_a_spec_that_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(LoadBalancingError, match="monitor_settings: no monitor can be made of it"):
        MonitorSpec.from_mapping("shop", {**DATA, **change})
    with pytest.raises(LoadBalancingError, match="KeyError"):
        MonitorSpec.from_mapping("shop", {})


def test_secrets_are_read_and_never_shown() -> None:
    assert Secrets.read("https://a/1, https://b/2", "pw") == Secrets(
        ("https://a/1", "https://b/2"), "pw"
    )
    assert Secrets.read([], "") == Secrets.read(None, None) == Secrets()
    for urls in ("T0P-53CR3T", ["ftp://T0P-53CR3T"], {"T0P-53CR3T": 1}):
        with pytest.raises(LoadBalancingError) as caught:
            Secrets.read(urls, None)
        assert "T0P" not in str(caught.value)
        assert str(caught.value).startswith("monitor_webhook_urls: this value is not allowed: ")
    with pytest.raises(LoadBalancingError) as caught:
        Secrets.read(None, "T0P\n53CR3T")
    assert str(caught.value) == (
        "monitor_email_password: this value is not allowed: one line of text. "
        "Set the variable monitor_email_password."
    )


# services


def test_units_and_scripts_run_the_same_command() -> None:
    alertmanager, prometheus = PROGRAMS
    assert prometheus.command == (
        "/usr/bin/prometheus",
        "--config.file=/opt/shop/monitor/prometheus.yml",
        "--storage.tsdb.path=/opt/shop/monitor/data/prometheus",
        "--storage.tsdb.retention.time=15d",
        "--web.listen-address=127.0.0.1:29080",
        "--log.level=warn",
    )
    assert "--cluster.listen-address=" in alertmanager.command
    assert "--web.listen-address=127.0.0.1:30080" in alertmanager.command
    for program in (alertmanager, prometheus):
        unit = monitor_units.unit(SHOP, program)
        assert f"\nExecStart={' '.join(program.command)}\n" in unit
        assert "\nUser=prometheus\n" in unit
        assert "\nReadWritePaths=/opt/shop/monitor/data\n" in unit
        script = monitor_units.script(SHOP, program, "/run/x.pid")
        assert f'\nARGUMENTS="{" ".join(program.arguments)}"\n' in script
        assert "--chuid prometheus" in script
    assert monitor_units.service_name("prometheus", "shop") == "digiz-prometheus-shop"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="there is no shellcheck here")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_the_script_is_sound(tmp_path: Path, program: monitor_units.Program) -> None:
    path = tmp_path / program.name
    path.write_text(monitor_units.script(SHOP, program, "/run/x.pid"), encoding="utf-8")
    done = subprocess.run(["shellcheck", str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_systemd_understands_every_line_of_the_unit(
    tmp_path: Path, program: monitor_units.Program
) -> None:
    path = tmp_path / f"digiz-{program.name}-shop.service"
    path.write_text(monitor_units.unit(SHOP, program), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if path.name in line]
    # The program itself need not be on this machine.
    assert [line for line in ours if "is not executable" not in line] == []


# the dashboard


def test_the_dashboard_is_whole() -> None:
    data = json.loads(grafana_dashboard.dashboard_json())
    assert [variable["name"] for variable in data["templating"]["list"]] == ["datasource", "stack"]
    panels = data["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == len(grafana_dashboard.PANELS)
    for panel in panels:
        assert panel["targets"]
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert 'stack=~"$stack"' in target["expr"]


def test_panels_lie_beside_each_other_and_not_upon_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in grafana_dashboard.dashboard()["panels"]:
        position = panel["gridPos"]
        cells = {
            (position["x"] + column, position["y"] + row)
            for column in range(position["w"])
            for row in range(position["h"])
        }
        assert not cells & taken
        assert max(column for column, _row in cells) < 24
        taken |= cells
    assert len(taken) == 24 * (1 + max(row for _column, row in taken))
