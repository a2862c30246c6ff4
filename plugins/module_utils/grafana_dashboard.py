# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dashboard of a stack for Grafana, as data and as the JSON that Grafana imports. Pure.

It asks the data source and the stack that are chosen in it, so one dashboard serves all stacks.
The shape is that of Grafana's dashboard JSON model, schema version 38.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_rules import (
    NO_ERROR_RATE,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import PREFIX

TITLE, IDENTITY = "Load-balanced stack", "digiz-load-balancing"
WINDOW = "$__rate_interval"
"""Grafana puts a time here that holds some scrapes."""

_OF_STACK = 'stack=~"$stack"'
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH = 24
_HEIGHTS = {"stat": 4, "timeseries": 8}


@dataclass(frozen=True)
class Query:
    """One query in PromQL and how its curves are named."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel: ``kind`` is stat or timeseries, ``unit`` in Grafana's spelling, ``width`` out of
    24.
    """

    title: str
    kind: str
    unit: str
    width: int
    queries: tuple[Query, ...]


def _metric(name: str, *matchers: str) -> str:
    return f"{PREFIX}{name}{{{', '.join((_OF_STACK, *matchers))}}}"


def _rate(name: str, *matchers: str) -> str:
    return f"rate({_metric(name, *matchers)}[{WINDOW}])"


def _quantiles(histogram: str, path_kind: str) -> tuple[Query, ...]:
    buckets = f"sum by (le) ({_rate(f'{histogram}_bucket', _is('path_kind', path_kind))})"
    return tuple(
        Query(f"histogram_quantile({share:g}, {buckets})", f"p{share * 100:g}")
        for share in (0.5, 0.95, 0.99)
    )


def _is(label: str, value: str) -> str:
    return f'{label}="{value}"'


def _stat(title: str, unit: str, expr: str, legend: str = "") -> Panel:
    return Panel(title, "stat", unit, 4, (Query(expr, legend),))


def _graph(title: str, unit: str, *queries: Query) -> Panel:
    return Panel(title, "timeseries", unit, 8, queries)


_ERROR_PERCENT = (
    f"100 * sum({_rate('requests_total', _is('status_class', '5xx'))}) / "
    f"sum({_rate('requests_total', f'status_class!~{json.dumps(NO_ERROR_RATE)}')})"
)
_PER_SECOND = "reqps"

PANELS: tuple[Panel, ...] = (
    _stat("State", "none", f"{_metric('state')} == 1", "{{state}}"),
    _stat("Healthy replicas", "none", f"sum({_metric('replicas_healthy')})"),
    _stat("Wanted replicas", "none", f"sum({_metric('replicas_wanted')})"),
    _stat("Requests", _PER_SECOND, f"sum({_rate('requests_total')})"),
    _stat("Errors (5xx)", "percent", _ERROR_PERCENT),
    _stat("95 % answered within", "s", _quantiles("request_duration_seconds", "request")[1].expr),
    _graph(
        "Requests by status",
        _PER_SECOND,
        Query(f"sum by (status_class) ({_rate('requests_total')})", "{{status_class}}"),
    ),
    _graph("Time of requests", "s", *_quantiles("request_duration_seconds", "request")),
    _graph("First byte of streams", "s", *_quantiles("first_byte_seconds", "stream")),
    _graph(
        "Requests by replica",
        _PER_SECOND,
        Query(f"sum by (replica) ({_rate('replica_requests_total')})", "{{replica}}"),
    ),
    _graph(
        "CPU, share of the limit",
        "percentunit",
        Query(_metric("replica_cpu_ratio"), "{{replica}} ({{version}})"),
    ),
    _graph(
        "Memory, share of the limit",
        "percentunit",
        Query(_metric("replica_memory_ratio"), "{{replica}} ({{version}})"),
    ),
    _graph(
        "Members",
        "none",
        Query(f"sum({_metric('members')})", "get requests"),
        Query(f"sum({_metric('replicas_healthy')})", "healthy"),
        Query(f"sum({_metric('replicas_wanted')})", "wanted"),
    ),
    _graph(
        "Connections from the balancer",
        "none",
        Query(_metric("replica_connections"), "{{replica}}"),
    ),
    _graph(
        "Time of probes",
        "s",
        Query(_metric("replica_probe_duration_seconds"), "{{replica}}"),
    ),
    _graph(
        "Repairs and restarts in an hour",
        "none",
        Query(f"sum(increase({_metric('repairs_total')}[1h]))", "repairs"),
        Query(
            f"sum by (replica) (increase({_metric('replica_restarts_total')}[1h]))", "{{replica}}"
        ),
    ),
    _graph(
        "Deploys in an hour",
        "none",
        Query(f"sum by (result) (increase({_metric('deploys_total')}[1h]))", "{{result}}"),
        Query(f"max({_metric('deploy_in_progress')})", "in progress"),
    ),
    _graph(
        "Member lists in an hour",
        "none",
        Query(f"sum(increase({_metric('publishes_total')}[1h]))", "published"),
        Query(f"sum(increase({_metric('publish_failures_total')}[1h]))", "failed"),
    ),
    _graph("Disk, free share", "percentunit", Query(_metric("filesystem_free_ratio"), "{{path}}")),
    _graph(
        "Days until certificates expire",
        "d",
        Query(f"({_metric('certificate_expiry_timestamp_seconds')} - time()) / 86400", "{{name}}"),
    ),
    _graph(
        "Keeper",
        "s",
        Query(_metric("round_duration_seconds"), "length of a round"),
        Query(f"time() - {_metric('last_round_timestamp_seconds')}", "age of what it knows"),
    ),
)


def queries() -> list[str]:
    """Every query of the dashboard, each once."""
    return list(dict.fromkeys(one.expr for panel in PANELS for one in panel.queries))


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    return {
        "uid": IDENTITY,
        "title": TITLE,
        "tags": ["load_balancing"],
        "schemaVersion": 38,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                },
                {
                    "name": "stack",
                    "label": "Stack",
                    "type": "query",
                    "datasource": _SOURCE,
                    "query": f"label_values({PREFIX}replicas_wanted, stack)",
                    "refresh": 2,
                    "includeAll": True,
                    "multi": True,
                    "current": {"text": "All", "value": "$__all"},
                },
            ]
        },
        "panels": _placed(),
    }


def dashboard_json() -> str:
    """The file that Grafana imports."""
    return json.dumps(dashboard(), indent=2) + "\n"


def _placed() -> list[dict[str, Any]]:
    """The panels in rows from left to right, 24 columns wide."""
    placed = []
    column = row = height = 0
    for number, panel in enumerate(PANELS, 1):
        if column + panel.width > _WIDTH:
            column, row, height = 0, row + height, 0
        tall = _HEIGHTS[panel.kind]
        position = {"x": column, "y": row, "w": panel.width, "h": tall}
        placed.append(_panel(number, panel, position))
        column, height = column + panel.width, max(height, tall)
    return placed


def _panel(number: int, panel: Panel, position: dict[str, int]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": number,
        "title": panel.title,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": position,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                "range": panel.kind != "stat",
                "instant": panel.kind == "stat",
            }
            for index, query in enumerate(panel.queries)
        ],
    }
    if panel.title == "State":
        data["options"] = {"textMode": "name", "colorMode": "none", "graphMode": "none"}
    return data
