# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of monitoring: what may stand in them, what they need of each other, and what the
role monitor gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    RefusedError,
    flag,
    list_of,
    number,
    seconds,
    text,
    whole,
)

PROMETHEUS_OFFSET = 21_000
ALERTMANAGER_OFFSET = 22_000
"""How far from the port of the application these answer, unless that is set."""

THRESHOLDS = (
    *("cpu_percent", "memory_percent", "error_percent", "p95_seconds", "first_byte_seconds"),
    *("disk_percent", "certificate_days", "restarts", "replica_seconds"),
)
_LAST_PORT = 65_535
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})?|\[[0-9A-Fa-f:.]{2,45}\]"
_HOST_PORT = rf"(?:{_HOST}):[1-9][0-9]{{0,4}}"
_PORTS = {
    "monitor_prometheus_port": PROMETHEUS_OFFSET,
    "monitor_alertmanager_port": ALERTMANAGER_OFFSET,
}
_OTHER_PORTS = (
    *("balancer_http_port", "balancer_status_port", "balancer_https_port", "keeper_port"),
    "monitor_prometheus_port",
)


def _hidden(field: Field) -> Field:
    """The same field; its errors show nothing of a value."""

    def read(value: object) -> object:
        try:
            return field.read(value)
        except RefusedError:
            raise RefusedError("this value", field.allowed) from None

    return Field(field.kind, field.allowed, read)


def _address() -> Field:
    return text(r'[^\s@\0,;<>"]{1,64}@[^\s@\0,;<>"]{1,190}', "an address such as ops@example.com")


def _host_port(example: str) -> Field:
    return text(_HOST_PORT, f"a host and a port, such as {example}")


FIELDS: dict[str, Field] = {
    "monitoring": flag(),
    "monitor_prometheus_port": whole(1, _LAST_PORT, "a port"),
    "monitor_alertmanager_port": whole(1, _LAST_PORT, "a port"),
    "monitor_retention": text(r"[1-9][0-9]{0,3}[hdwy]", "a time such as 12h, 15d, 8w or 1y"),
    "monitor_scrape_interval": seconds(1, 60),
    "monitor_targets": list_of(
        _host_port("app2.example.com:9100"), 'a list such as ["app2.example.com:9100"]'
    ),
    "monitor_webhook_urls": _hidden(
        list_of(
            text(r"https?://[A-Za-z0-9\[][^\s\0]{0,2000}", "URLs http://… or https://…"),
            "a list of URLs http://… or https://…",
        )
    ),
    "monitor_email_to": list_of(_address(), "a list of addresses"),
    "monitor_email_from": _address(),
    "monitor_email_smarthost": _host_port("mail.example.com:587"),
    "monitor_email_username": text(r"[^\0\r\n]{1,200}", "one line of text"),
    "monitor_email_password": _hidden(text(r"[^\0\r\n]{1,1000}", "one line of text")),
    "alert_cpu_percent": number(1, 1000),
    "alert_memory_percent": number(1, 100),
    "alert_error_percent": number(0, 100),
    "alert_p95_seconds": number(0.01, 60),
    "alert_first_byte_seconds": number(0.01, 60),
    "alert_disk_percent": number(1, 100),
    "alert_certificate_days": whole(1, 365),
    "alert_restarts": whole(1, 100),
    "alert_replica_seconds": seconds(0, 3600),
}
SECRET_FIELDS = frozenset({"monitor_webhook_urls", "monitor_email_password"})


def check(options: Mapping[str, Mapping[str, Any]], values: dict[str, Any]) -> list[str]:
    """What is wrong with the values against each other; sets ports that follow another."""
    if "monitoring" not in options or not values.get("monitoring"):
        return []
    faults = [*_ports(values), *_email(values)]
    if not values.get("keeper_enabled", True):
        faults.append(
            "monitoring: True is not allowed with keeper_enabled=false: what is watched are the "
            "keeper's metrics. Set the variable keeper_enabled or monitoring."
        )
    return faults


def _ports(values: dict[str, Any]) -> list[str]:
    if "balancer_http_port" not in values:
        return []
    faults = []
    for name, offset in _PORTS.items():
        port = values.setdefault(name, values["balancer_http_port"] + offset)
        if port > _LAST_PORT:
            faults.append(
                f"{name}: a value is needed: its default, balancer_http_port + {offset}, is above "
                f"{_LAST_PORT}. Set the variable {name}."
            )
        faults += [
            f"{name}: {port} is not allowed: another port than {other}. Set the variable {name}."
            for other in _OTHER_PORTS
            if other != name
            and port == values.get(other)
            and (other != "balancer_https_port" or values.get("tls_mode", "none") != "none")
        ]
    return faults


def _email(values: Mapping[str, Any]) -> list[str]:
    """An address needs a sender and a server; a user of the server needs a password."""
    faults = []
    if values.get("monitor_email_to"):
        faults = [
            f"{name}: a value is needed with monitor_email_to: {FIELDS[name].allowed}. "
            f"Set the variable {name}."
            for name in ("monitor_email_from", "monitor_email_smarthost")
            if name not in values
        ]
    named, told = "monitor_email_username", "monitor_email_password"
    for one, other in ((named, told), (told, named)):
        if values.get(one) and not values.get(other):
            faults.append(
                f"{other}: a value is needed with {one}: {FIELDS[other].allowed}. "
                f"Set the variable {other}."
            )
    return faults


def derived(values: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping ``monitor`` of the settings (monitor_spec.MonitorSpec), without secrets; empty
    without monitoring.
    """
    if not values.get("monitoring"):
        return {}
    email = {
        "to": values["monitor_email_to"],
        "sender": values.get("monitor_email_from", ""),
        "smarthost": values.get("monitor_email_smarthost", ""),
        "username": values.get("monitor_email_username", ""),
    }
    return {
        "keeper_port": values["keeper_port"],
        "prometheus_port": values["monitor_prometheus_port"],
        "alertmanager_port": values["monitor_alertmanager_port"],
        "retention": values["monitor_retention"],
        "scrape_interval": values["monitor_scrape_interval"],
        "targets": values["monitor_targets"],
        "thresholds": {name: values[f"alert_{name}"] for name in THRESHOLDS},
        "email": email if email["to"] else {},
    }
