# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The alerts as data, and Prometheus' rule file made of them. Pure.

An alert says what is wrong (``summary``), what that means and what to do (``description``). Status
429 (limited) and 499 (the client went away) count in no error rate, neither as errors nor as
requests: a client could raise or hide the rate with them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    PREFIX,
    MonitorSpec,
    Thresholds,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.yaml_text import dump

CRITICAL, WARNING = "critical", "warning"
NO_ERROR_RATE = "429|499"
"""Classes of statuses that no error rate counts, as a regular expression."""

HOSTS_JOB = "hosts"
_VALUE = '{{ $value | printf "%.1f" }}'
_STACK = "{{ $labels.stack }}"
_REPLICA = "{{ $labels.replica }}"
_MINUTE = 60


@dataclass(frozen=True)
class Rule:
    """One alert: it fires when ``expr`` has had a result for ``seconds``."""

    name: str
    expr: str
    seconds: int
    severity: str
    summary: str
    description: str

    def data(self) -> dict[str, Any]:
        """As it stands in a rule file."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": f"{self.seconds}s",
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.description},
        }


def rules(spec: MonitorSpec) -> list[Rule]:
    """All alerts of a stack."""
    limits = spec.thresholds
    return [
        *_availability(limits),
        *_keeper(spec),
        *_load(limits),
        *_traffic(limits),
        *_host(limits),
    ]


def rules_yaml(spec: MonitorSpec) -> str:
    """The rule file."""
    group = {"name": "load_balancing", "rules": [rule.data() for rule in rules(spec)]}
    return dump({"groups": [group]})


def error_percent(window: str) -> str:
    """The query for the share of 5xx among the requests of a stack, by which ErrorsHigh fires."""
    total = f"{PREFIX}requests_total"
    errors = f'sum by (stack) (rate({total}{{status_class="5xx"}}[{window}]))'
    counted = f'sum by (stack) (rate({total}{{status_class!~"{NO_ERROR_RATE}"}}[{window}]))'
    return f"100 * {errors} / {counted}"


def quantile(share: float, histogram: str, path_kind: str, window: str) -> str:
    """The query for a quantile of a histogram of a stack, of one kind of paths."""
    buckets = f'{PREFIX}{histogram}_bucket{{path_kind="{path_kind}"}}'
    return (
        f"histogram_quantile({share:g}, sum by (stack, path_kind, le) (rate({buckets}[{window}])))"
    )


def _availability(limits: Thresholds) -> list[Rule]:
    patience = limits.replica_seconds
    no_deploy = f"unless on (stack) {PREFIX}deploy_in_progress == 1"
    return [
        Rule(
            "StackDown",
            f"{PREFIX}replicas_healthy == 0 and {PREFIX}replicas_wanted > 0",
            30,
            CRITICAL,
            f"{_STACK}: no replica is healthy",
            "Clients get errors, or whatever the replicas still answer. Look at what the keeper "
            f"says (journalctl --unit digiz-keeper-{_STACK}) and at the replicas' own logs (docker "
            "logs). If it began with a deploy, go back: ansible-playbook playbooks/rollback.yml.",
        ),
        Rule(
            "BalancerDown",
            f"{PREFIX}balancer_running == 0",
            30,
            CRITICAL,
            f"{_STACK}: the balancer does not run",
            "Nobody reaches the application. The keeper starts the balancer again; that it is "
            "still down means that it cannot start. docker logs of the container balancer says "
            "why; a deploy brings it up anew.",
        ),
        Rule(
            "ReplicaUnhealthy",
            f"{PREFIX}replica_up == 0 {no_deploy}",
            patience,
            WARNING,
            f"{_STACK}: the replica {_REPLICA} is not healthy",
            f"It gets no requests; the others serve. The keeper restarts it. If that does not "
            f"help, docker logs {_REPLICA} shows why its health path fails.",
        ),
        Rule(
            "MembersMissing",
            f"{PREFIX}members < {PREFIX}replicas_wanted {no_deploy}",
            patience,
            WARNING,
            f"{_STACK}: only {{{{ $value }}}} replicas get requests, fewer than wanted",
            "The others carry their load and may become slow. The keeper's page says which replica "
            "is missing and why. A deploy, or playbooks/scale.yml, starts what is missing.",
        ),
        Rule(
            "ReplicaCrashLoop",
            f"increase({PREFIX}replica_restarts_total[15m]) > {limits.restarts}",
            0,
            WARNING,
            f"{_STACK}: the replica {_REPLICA} was restarted "
            '{{ $value | printf "%.0f" }} times in 15 minutes',
            f"It ends or falls ill again and again. docker logs {_REPLICA} shows its last words; "
            "often its memory limit is too low (app_memory) or something that it needs does not "
            "answer. If it began with a deploy, go back: ansible-playbook playbooks/rollback.yml.",
        ),
    ]


def _keeper(spec: MonitorSpec) -> list[Rule]:
    last_round = f"{PREFIX}last_round_timestamp_seconds"
    service = f"digiz-keeper-{spec.stack}"
    return [
        Rule(
            "KeeperAbsent",
            f"absent({last_round}{{stack={json.dumps(spec.stack)}}})",
            _MINUTE,
            CRITICAL,
            f"{_STACK}: the keeper does not answer",
            "The service goes on with the members of last time, but nothing that fails is noticed "
            f"or mended, and no other alert of this stack can fire. systemctl status {service} (or "
            f"/etc/init.d/{service} status) says how it is; a deploy installs it anew.",
        ),
        Rule(
            "KeeperStalled",
            f"time() - {last_round} > 60",
            _MINUTE,
            CRITICAL,
            f"{_STACK}: the keeper has not looked at the replicas for {_VALUE} s",
            "It answers, but its rounds do not end: mostly Docker's engine does not answer. Try "
            f"docker ps; journalctl --unit {service} says what it waits for.",
        ),
        Rule(
            "ConfigurationNotServed",
            f"{PREFIX}generation_served == 0",
            2 * _MINUTE,
            WARNING,
            f"{_STACK}: nginx does not run with the published configuration",
            "Changes of members do not reach clients. docker logs of the container balancer says "
            "why nginx refuses it; a deploy publishes it anew.",
        ),
    ]


def _load(limits: Thresholds) -> list[Rule]:
    return [
        Rule(
            "CpuHigh",
            f"100 * avg by (stack) ({PREFIX}replica_cpu_ratio) > {limits.cpu_percent:g}",
            5 * _MINUTE,
            WARNING,
            f"{_STACK}: the replicas use {_VALUE} % of their CPU limits",
            "Answers become slow soon. Add replicas (ansible-playbook playbooks/scale.yml -e "
            "replicas=N) if the host has CPU left, else give it more, or raise app_cpus.",
        ),
        Rule(
            "MemoryHigh",
            f"100 * {PREFIX}replica_memory_ratio > {limits.memory_percent:g}",
            5 * _MINUTE,
            WARNING,
            f"{_STACK}: the replica {_REPLICA} uses {_VALUE} % of its memory limit",
            "At 100 % the kernel ends it, with all requests that it serves. Raise app_memory and "
            "deploy, or add replicas so that each holds less; if it only ever grows, the "
            "application leaks.",
        ),
    ]


def _traffic(limits: Thresholds) -> list[Rule]:
    p95 = quantile(0.95, "request_duration_seconds", "request", "5m")
    first = quantile(0.95, "first_byte_seconds", "stream", "5m")
    in_maintenance = f"unless on (stack) max_over_time({PREFIX}maintenance[10m]) == 1"
    return [
        Rule(
            "ErrorsHigh",
            f"{error_percent('5m')} > {limits.error_percent:g} {in_maintenance}",
            5 * _MINUTE,
            CRITICAL,
            f"{_STACK}: {_VALUE} % of the requests fail with status 5xx",
            "500 comes from the application: see docker logs of its replicas. 502, 503 and 504 "
            "mean that replicas do not answer, or not in time. The access log in "
            f"/opt/{_STACK}/logs names path and replica of each. If it began with a deploy, go "
            "back: ansible-playbook playbooks/rollback.yml.",
        ),
        Rule(
            "ResponsesSlow",
            f"{p95} > {limits.p95_seconds:g}",
            5 * _MINUTE,
            WARNING,
            f'{_STACK}: one request of twenty takes more than {{{{ $value | printf "%.2f" }}}} s',
            "See whether the replicas' CPU is at its limit: then add replicas "
            "(playbooks/scale.yml). Else they wait for something: a database, a language model, "
            "another service.",
        ),
        Rule(
            "FirstByteSlow",
            f"{first} > {limits.first_byte_seconds:g}",
            5 * _MINUTE,
            WARNING,
            f'{_STACK}: one stream of twenty begins only after {{{{ $value | printf "%.2f" }}}} s',
            "People see nothing until the first token comes. Mostly the language model is slow or "
            "overloaded; if the replicas' CPU is at its limit, add replicas (playbooks/scale.yml).",
        ),
    ]


def _host(limits: Thresholds) -> list[Rule]:
    expiry = f"{PREFIX}certificate_expiry_timestamp_seconds"
    return [
        Rule(
            "CertificateExpires",
            f"({expiry} - time()) / 86400 < {limits.certificate_days}",
            10 * _MINUTE,
            CRITICAL,
            f"{_STACK}: the certificate of {{{{ $labels.name }}}} expires in {_VALUE} days",
            "Clients refuse it then. With tls_mode=acme it should have been renewed by itself: "
            "ansible-playbook playbooks/certificate.yml tries now and says what is in the way. "
            "With tls_mode=provided get a new one and deploy.",
        ),
        Rule(
            "DiskFull",
            f"100 * (1 - {PREFIX}filesystem_free_ratio) > {limits.disk_percent:g}",
            5 * _MINUTE,
            WARNING,
            f"{_STACK}: the file system of {{{{ $labels.path }}}} is {_VALUE} % full",
            "When it is full, deploys fail and the database stops. docker system df says what "
            "images and volumes take, du -xh --max-depth=2 / what else does.",
        ),
        Rule(
            "HostDown",
            f'up{{job="{HOSTS_JOB}"}} == 0',
            2 * _MINUTE,
            CRITICAL,
            "{{ $labels.instance }} does not answer",
            "The host is down, cannot be reached from here, or the exporter on it does not run.",
        ),
    ]
