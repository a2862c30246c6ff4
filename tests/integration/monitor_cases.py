# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases of each alert: series as promtool's unit tests write them, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field

STACK = 'stack="shop"'
REPLICA = f'{STACK}, replica="shop-app-2", version="1"'
LE = (0.5, 1, 2.5, 5, 10)
DAY = 86400


@dataclass(frozen=True)
class Case:
    """One course of things, sampled every 15 s from the time 0 on.

    ``series`` are names without the prefix (or whole ones that begin with ``up``) and values in
    promtool's notation, ``at`` is when the alert is looked for, ``labels`` and ``summary`` are
    those that it has; a ``summary`` of "" means that it does not fire.
    """

    alert: str
    what: str
    series: dict[str, str]
    at: str
    summary: str = ""
    labels: dict[str, str] = field(default_factory=lambda: {"stack": "shop"})

    def __str__(self) -> str:
        return f"{self.alert}-{'fires' if self.summary else 'silent'}-{self.what}"


def replica() -> dict[str, str]:
    return {"stack": "shop", "replica": "shop-app-2", "version": "1"}


def statuses(**per_sample: int) -> dict[str, str]:
    """Counters that grow by this much every 15 s; ``s5xx`` is the class 5xx."""
    return {
        f'requests_total{{{STACK}, status_class="{name[1:]}"}}': f"0+{count}x80"
        for name, count in per_sample.items()
    }


def histogram(name: str, kind: str, fast: int, slow: int) -> dict[str, str]:
    """Every 15 s so many observations of at most 0.5 s, and so many of 2.5 to 5 s."""
    grown = {bound: fast if bound < 5 else fast + slow for bound in LE}
    bounds = {**{f"{bound:g}": count for bound, count in grown.items()}, "+Inf": fast + slow}
    return {
        f'{name}_bucket{{{STACK}, path_kind="{kind}", le="{bound}"}}': f"0+{count}x80"
        for bound, count in bounds.items()
    }


AVAILABILITY = [
    Case(
        "StackDown",
        "none healthy",
        {f"replicas_healthy{{{STACK}}}": "3x4 0x20", f"replicas_wanted{{{STACK}}}": "3x30"},
        "3m",
        "shop: no replica is healthy",
    ),
    Case(
        "StackDown",
        "one healthy",
        {f"replicas_healthy{{{STACK}}}": "1x30", f"replicas_wanted{{{STACK}}}": "3x30"},
        "3m",
    ),
    Case(
        "BalancerDown",
        "ended",
        {f"balancer_running{{{STACK}}}": "0x30"},
        "3m",
        "shop: the balancer does not run",
    ),
    Case("BalancerDown", "started again", {f"balancer_running{{{STACK}}}": "0 1x30"}, "1m"),
    Case(
        "ReplicaUnhealthy",
        "ill for two minutes",
        {f"replica_up{{{REPLICA}}}": "1x4 0x30", f"deploy_in_progress{{{STACK}}}": "0x40"},
        "3m",
        "shop: the replica shop-app-2 is not healthy",
        replica(),
    ),
    Case(
        "ReplicaUnhealthy",
        "mended soon",
        {f"replica_up{{{REPLICA}}}": "1x4 0 0 1x30", f"deploy_in_progress{{{STACK}}}": "0x40"},
        "2m",
    ),
    Case(
        "ReplicaUnhealthy",
        "new one of a deploy",
        {f"replica_up{{{REPLICA}}}": "0x30", f"deploy_in_progress{{{STACK}}}": "1x40"},
        "5m",
    ),
    Case(
        "MembersMissing",
        "two of three",
        {f"members{{{STACK}}}": "2x30", f"replicas_wanted{{{STACK}}}": "3x30"},
        "3m",
        "shop: only 2 replicas get requests, fewer than wanted",
    ),
    Case(
        "MembersMissing",
        "all",
        {f"members{{{STACK}}}": "3x30", f"replicas_wanted{{{STACK}}}": "3x30"},
        "3m",
    ),
    Case(
        "ReplicaCrashLoop",
        "six restarts",
        {f"replica_restarts_total{{{REPLICA}}}": "0x20 1x9 2x9 3x9 4x9 5x9 6x20"},
        "20m",
        "shop: the replica shop-app-2 was restarted 6 times in 15 minutes",
        replica(),
    ),
    Case(
        "ReplicaCrashLoop",
        "one restart",
        {f"replica_restarts_total{{{REPLICA}}}": "7x20 8x70"},
        "20m",
    ),
]

KEEPER = [
    Case(
        "KeeperAbsent",
        "ended",
        {f"last_round_timestamp_seconds{{{STACK}}}": "0+15x8 stale"},
        "6m",
        "shop: the keeper does not answer",
    ),
    Case(
        "KeeperAbsent",
        "never there",
        {'last_round_timestamp_seconds{stack="other"}': "0+15x40"},
        "6m",
        "shop: the keeper does not answer",
    ),
    Case(
        "KeeperAbsent",
        "answers",
        {f"last_round_timestamp_seconds{{{STACK}}}": "0+15x40"},
        "6m",
    ),
    Case(
        "KeeperStalled",
        "no round since",
        {f"last_round_timestamp_seconds{{{STACK}}}": "0x40"},
        "5m",
        "shop: the keeper has not looked at the replicas for 300.0 s",
    ),
    Case(
        "KeeperStalled",
        "rounds go on",
        {f"last_round_timestamp_seconds{{{STACK}}}": "0+15x40"},
        "5m",
    ),
    Case(
        "ConfigurationNotServed",
        "refused",
        {f"generation_served{{{STACK}}}": "0x40"},
        "5m",
        "shop: nginx does not run with the published configuration",
    ),
    Case("ConfigurationNotServed", "reload", {f"generation_served{{{STACK}}}": "1 0 1x40"}, "5m"),
]

LOAD = [
    Case(
        "CpuHigh",
        "mean of 85 %",
        {
            f'replica_cpu_ratio{{{STACK}, replica="a", version="1"}}': "0.95x40",
            f'replica_cpu_ratio{{{STACK}, replica="b", version="1"}}': "0.75x40",
        },
        "6m",
        "shop: the replicas use 85.0 % of their CPU limits",
    ),
    Case(
        "CpuHigh",
        "one of two busy",
        {
            f'replica_cpu_ratio{{{STACK}, replica="a", version="1"}}': "0.95x40",
            f'replica_cpu_ratio{{{STACK}, replica="b", version="1"}}': "0.2x40",
        },
        "6m",
    ),
    Case(
        "MemoryHigh",
        "90 %",
        {f"replica_memory_ratio{{{REPLICA}}}": "0.9x40"},
        "6m",
        "shop: the replica shop-app-2 uses 90.0 % of its memory limit",
        replica(),
    ),
    Case("MemoryHigh", "half", {f"replica_memory_ratio{{{REPLICA}}}": "0.5x40"}, "6m"),
]

TRAFFIC = [
    Case(
        "ErrorsHigh",
        "2 %",
        statuses(s2xx=98, s5xx=2),
        "12m",
        "shop: 2.0 % of the requests fail with status 5xx",
    ),
    Case(
        "ErrorsHigh",
        "429 and 499 do not hide it",
        statuses(s2xx=98, s5xx=2, s429=5000, s499=5000),
        "12m",
        "shop: 2.0 % of the requests fail with status 5xx",
    ),
    Case("ErrorsHigh", "429 and 499 are none", statuses(s2xx=98, s429=500, s499=500), "12m"),
    Case("ErrorsHigh", "half a percent", statuses(s2xx=995, s5xx=5), "12m"),
    Case("ErrorsHigh", "no requests", statuses(s2xx=0, s5xx=0), "12m"),
    Case(
        "ErrorsHigh",
        "maintenance",
        {**statuses(s5xx=100), f"maintenance{{{STACK}}}": "1x80"},
        "12m",
    ),
    Case(
        "ResponsesSlow",
        "a tenth takes 2.5 to 5 s",
        histogram("request_duration_seconds", "request", 90, 10),
        "12m",
        "shop: one request of twenty takes more than 3.75 s",
        {"stack": "shop", "path_kind": "request"},
    ),
    Case(
        "ResponsesSlow",
        "a hundredth",
        histogram("request_duration_seconds", "request", 99, 1),
        "12m",
    ),
    Case(
        "ResponsesSlow",
        "streams may last",
        histogram("request_duration_seconds", "stream", 0, 100),
        "12m",
    ),
    Case(
        "FirstByteSlow",
        "a tenth begins after 2.5 to 5 s",
        histogram("first_byte_seconds", "stream", 90, 10),
        "12m",
        "shop: one stream of twenty begins only after 3.75 s",
        {"stack": "shop", "path_kind": "stream"},
    ),
    Case(
        "FirstByteSlow",
        "a hundredth",
        histogram("first_byte_seconds", "stream", 99, 1),
        "12m",
    ),
]

HOST = [
    Case(
        "CertificateExpires",
        "10 days",
        {f'certificate_expiry_timestamp_seconds{{{STACK}, name="shop"}}': f"{10 * DAY}x80"},
        "15m",
        "shop: the certificate of shop expires in 10.0 days",
        {"stack": "shop", "name": "shop"},
    ),
    Case(
        "CertificateExpires",
        "30 days",
        {f'certificate_expiry_timestamp_seconds{{{STACK}, name="shop"}}': f"{30 * DAY}x80"},
        "15m",
    ),
    Case(
        "DiskFull",
        "5 % free",
        {f'filesystem_free_ratio{{{STACK}, path="/opt/shop"}}': "0.05x40"},
        "6m",
        "shop: the file system of /opt/shop is 95.0 % full",
        {"stack": "shop", "path": "/opt/shop"},
    ),
    Case(
        "DiskFull",
        "half",
        {f'filesystem_free_ratio{{{STACK}, path="/opt/shop"}}': "0.5x40"},
        "6m",
    ),
    Case(
        "HostDown",
        "another host",
        {'up{job="hosts", instance="app2:9100"}': "1x4 0x30"},
        "5m",
        "app2:9100 does not answer",
        {"job": "hosts", "instance": "app2:9100"},
    ),
    Case("HostDown", "answers", {'up{job="hosts", instance="app2:9100"}': "1x30"}, "5m"),
]

CASES = [*AVAILABILITY, *KEEPER, *LOAD, *TRAFFIC, *HOST]
