# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of monitoring: defaults, values against each other, secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    monitor_spec,
    settings_monitor,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import resolve
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import (
    SECRET_FIELDS,
)

ROLE = Path(__file__).resolve().parents[2] / "roles" / "settings"
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
ON = {"monitoring": True, "balancer_http_port": 8080}


def deploy(**given_values: Any) -> dict[str, Any]:
    return resolve("deploy", SPECS["deploy"]["options"], given_values)


def fault(**given_values: Any) -> str:
    with pytest.raises(LoadBalancingError) as error:
        deploy(**given_values)
    return str(error.value)


def test_nothing_is_watched_by_default() -> None:
    assert deploy()["monitor"] == {}


def test_the_defaults() -> None:
    monitor = deploy(**ON)["monitor"]
    assert monitor == {
        "keeper_port": 28080,
        "prometheus_port": 29080,
        "alertmanager_port": 30080,
        "retention": "15d",
        "scrape_interval": 15,
        "targets": [],
        "thresholds": {
            "cpu_percent": 80.0,
            "memory_percent": 80.0,
            "error_percent": 1.0,
            "p95_seconds": 2.0,
            "first_byte_seconds": 2.0,
            "disk_percent": 90.0,
            "certificate_days": 14,
            "restarts": 3,
            "replica_seconds": 60,
        },
        "email": {},
    }
    spec = monitor_spec.MonitorSpec.from_mapping("chatbot", monitor)
    assert spec == monitor_spec.MonitorSpec("chatbot", 28080, 29080, 30080)


def test_every_limit_has_its_variable() -> None:
    names = {name for name in settings_monitor.FIELDS if name.startswith("alert_")}
    assert names == {f"alert_{name}" for name in settings_monitor.THRESHOLDS}


def test_texts_of_surveys_are_taken() -> None:
    monitor = deploy(
        **ON,
        monitor_prometheus_port="9090",
        monitor_targets="app2.example.com:9100, [2001:db8::2]:9100",
        alert_cpu_percent="70",
        monitor_email_to="ops@example.com, dev@example.com",
        monitor_email_from="shop@example.com",
        monitor_email_smarthost="localhost:25",
    )["monitor"]
    assert monitor["prometheus_port"] == 9090
    assert monitor["targets"] == ["app2.example.com:9100", "[2001:db8::2]:9100"]
    assert monitor["thresholds"]["cpu_percent"] == 70.0
    assert monitor["email"] == {
        "to": ["ops@example.com", "dev@example.com"],
        "sender": "shop@example.com",
        "smarthost": "localhost:25",
        "username": "",
    }


def test_secrets_are_in_no_result() -> None:
    settings = deploy(
        **ON,
        monitor_webhook_urls=["https://example.com/T0P-53CR3T"],
        monitor_email_to="ops@example.com",
        monitor_email_from="shop@example.com",
        monitor_email_smarthost="mail.example.com:587",
        monitor_email_username="shop",
        monitor_email_password="53CR3T",
    )
    assert "53CR3T" not in json.dumps(settings)
    assert settings["monitor"]["email"]["username"] == "shop"
    assert settings_monitor.SECRET_FIELDS < SECRET_FIELDS


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"monitor_webhook_urls": ["53CR3T"]},
            "monitor_webhook_urls: this value is not allowed: a list of URLs http://… or "
            "https://…. Set the variable monitor_webhook_urls.",
        ),
        (
            {"monitor_retention": "long"},
            "monitor_retention: 'long' is not allowed: a time such as 12h, 15d, 8w or 1y. "
            "Set the variable monitor_retention.",
        ),
        (
            {"monitor_targets": ["app2"]},
            "monitor_targets: 'app2' is not allowed: a host and a port, such as "
            "app2.example.com:9100. Set the variable monitor_targets.",
        ),
        (
            {"alert_restarts": 0},
            "alert_restarts: 0 is not allowed: a whole number from 1 to 100. "
            "Set the variable alert_restarts.",
        ),
        (
            {"keeper_enabled": False},
            "monitoring: True is not allowed with keeper_enabled=false: what is watched are the "
            "keeper's metrics. Set the variable keeper_enabled or monitoring.",
        ),
        (
            {"monitor_prometheus_port": 28080},
            "monitor_prometheus_port: 28080 is not allowed: another port than keeper_port. "
            "Set the variable monitor_prometheus_port.",
        ),
        (
            {"monitor_alertmanager_port": 29080},
            "monitor_alertmanager_port: 29080 is not allowed: another port than "
            "monitor_prometheus_port. Set the variable monitor_alertmanager_port.",
        ),
        (
            {"balancer_http_port": 44000},
            "monitor_alertmanager_port: a value is needed: its default, balancer_http_port + "
            "22000, is above 65535. Set the variable monitor_alertmanager_port.",
        ),
        (
            {"monitor_email_to": "ops@example.com", "monitor_email_from": "shop@example.com"},
            "monitor_email_smarthost: a value is needed with monitor_email_to: a host and a port, "
            "such as mail.example.com:587. Set the variable monitor_email_smarthost.",
        ),
        (
            {"monitor_email_username": "shop"},
            "monitor_email_password: a value is needed with monitor_email_username: one line of "
            "text. Set the variable monitor_email_password.",
        ),
        (
            {"monitor_email_password": "53CR3T"},
            "monitor_email_username: a value is needed with monitor_email_password: one line of "
            "text. Set the variable monitor_email_username.",
        ),
    ],
)
def test_what_is_refused(values: dict[str, Any], text: str) -> None:
    said = fault(**{**ON, **values})
    assert said == text
    assert "53CR3T" not in said


def test_a_port_of_https_counts_only_with_tls() -> None:
    values = {**ON, "monitor_prometheus_port": 443}
    assert deploy(**values)["monitor"]["prometheus_port"] == 443
    assert "another port than balancer_https_port" in fault(**values, tls_mode="self_signed")


def test_a_port_that_is_no_port_is_the_only_fault() -> None:
    said = fault(monitoring=True, balancer_http_port="none")
    assert said.count("\n") == 0
    assert said.startswith("balancer_http_port: 'none' is not allowed: ")
