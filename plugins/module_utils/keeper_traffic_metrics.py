# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic, load, deploys, certificate and disk, for Prometheus: one scrape is one view of what the
keeper has counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Snapshot
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import Sight
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_request import CLASSES
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_totals import (
    KINDS,
    Buckets,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import UNKNOWN

try:
    from prometheus_client import core
except ImportError:  # told in a sentence by keeper_metrics.make_registry()
    core = None  # type: ignore[assignment]

STACK = "stack"


def traffic_families(prefix: str, snapshot: Snapshot | None, sight: Sight | None) -> Iterable[Any]:
    """The families, with values if both a snapshot and a sight are given."""
    known = (snapshot, sight) if snapshot and sight else None
    for families in (_requests, _usage, _rest):
        yield from families(prefix, known)


def _requests(prefix: str, known: tuple[Snapshot, Sight] | None) -> Iterable[Any]:
    whole = core.CounterMetricFamily(
        f"{prefix}requests",
        "Requests that have ended since the keeper started; 429 and 499 are classes of their own.",
        labels=(STACK, "status_class"),
    )
    each = core.CounterMetricFamily(
        f"{prefix}replica_requests",
        "Requests that the replica has answered since the keeper started.",
        labels=(STACK, "replica", "status_class"),
    )
    durations = _histogram(
        f"{prefix}request_duration_seconds",
        "From the first byte of a request to the last one of its answer; without 429 and 499.",
    )
    first_bytes = _histogram(
        f"{prefix}first_byte_seconds", "Until a replica began its answer; without 429 and 499."
    )
    if known:
        snapshot, sight = known
        for kind, count in zip(CLASSES, sight.totals.classes):
            whole.add_metric((snapshot.stack, kind), count)
        for one in snapshot.replicas:
            for kind, count in zip(CLASSES, sight.totals.replicas.get(one.name, ())):
                each.add_metric((snapshot.stack, one.name, kind), count)
        for kind in KINDS:
            _add_buckets(durations, (snapshot.stack, kind), sight.totals.durations[kind])
            _add_buckets(first_bytes, (snapshot.stack, kind), sight.totals.first_bytes[kind])
    yield from (whole, durations, first_bytes, each)


def _usage(prefix: str, known: tuple[Snapshot, Sight] | None) -> Iterable[Any]:
    labels = (STACK, "replica", "version")
    cpu = core.GaugeMetricFamily(
        f"{prefix}replica_cpu_ratio",
        "Processor time used; 1 is the replica's limit.",
        labels=labels,
    )
    memory = core.GaugeMetricFamily(
        f"{prefix}replica_memory_ratio", "Memory in use; 1 is the replica's limit.", labels=labels
    )
    if known:
        snapshot, sight = known
        for one in snapshot.replicas:
            sample = sight.samples.get(one.name, UNKNOWN)
            for family, value in ((cpu, sample.cpu), (memory, sample.memory)):
                if value is not None:
                    family.add_metric((snapshot.stack, one.name, one.version), value)
    yield from (cpu, memory)


def _rest(prefix: str, known: tuple[Snapshot, Sight] | None) -> Iterable[Any]:
    deploys = core.CounterMetricFamily(
        f"{prefix}deploys",
        "Deploys, rollbacks and scalings that the audit log tells of, by how they ended.",
        labels=(STACK, "result"),
    )
    last = core.GaugeMetricFamily(
        f"{prefix}last_deploy_timestamp_seconds", "When the last deploy ended.", labels=(STACK,)
    )
    expiry = core.GaugeMetricFamily(
        f"{prefix}certificate_expiry_timestamp_seconds",
        "When the certificate that is served ends.",
        labels=(STACK, "name"),
    )
    free = core.GaugeMetricFamily(
        f"{prefix}filesystem_free_ratio",
        "Free part of the file system that has the stack's folder.",
        labels=(STACK, "path"),
    )
    skipped = core.CounterMetricFamily(
        f"{prefix}access_log_skipped_bytes",
        "Bytes of the access log that were left out, since they came faster than they are read.",
        labels=(STACK,),
    )
    if known:
        snapshot, sight = known
        for result, count in sight.deploys.items():
            deploys.add_metric((snapshot.stack, result), count)
        if sight.last_deploy is not None:
            last.add_metric((snapshot.stack,), sight.last_deploy)
        if sight.certificate:
            name, end = sight.certificate
            expiry.add_metric((snapshot.stack, name), end)
        if sight.free_ratio is not None:
            free.add_metric((snapshot.stack, sight.path), sight.free_ratio)
        skipped.add_metric((snapshot.stack,), sight.skipped)
    yield from (deploys, last, expiry, free, skipped)


def _histogram(name: str, text: str) -> Any:
    return core.HistogramMetricFamily(name, text, labels=(STACK, "path_kind"))


def _add_buckets(family: Any, labels: tuple[str, str], buckets: Buckets) -> None:
    family.add_metric(labels, buckets.cumulative(), buckets.sum)
