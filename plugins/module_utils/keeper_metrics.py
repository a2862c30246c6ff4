# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper sees, for Prometheus: one scrape is one view of the last snapshot.

Nothing is counted here; traffic and load are those of keeper_traffic.py. A scrape costs the
counting of connections and the writing of some lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import (
    BLIND,
    DEGRADED,
    DOWN,
    OK,
    ReplicaSight,
    Snapshot,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import Sight
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic_metrics import (
    traffic_families,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    STARTING,
    STOPPED,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

try:
    import prometheus_client
    from prometheus_client import core

    HAS_PROMETHEUS = True
except ImportError:  # told in a sentence by make_registry(): only the keeper needs it
    HAS_PROMETHEUS = False

PREFIX = "load_balancing_"
STATES = (OK, DEGRADED, DOWN, BLIND)
REPLICA_STATES = (STARTING, HEALTHY, ILL, STOPPED)
STACK_LABELS = ("stack",)
REPLICA_LABELS = ("stack", "replica", "version")

OF_STACK: tuple[tuple[str, str, Callable[[Snapshot], float]], ...] = (
    ("replicas_wanted", "Replicas that the release in force wants.", lambda s: s.wanted),
    ("replicas_healthy", "Replicas that pass their probes.", lambda s: s.healthy),
    ("members", "Replicas that the balancer sends requests to.", lambda s: len(s.members)),
    ("generation", "Number of the published configuration.", lambda s: s.generation),
    (
        "generation_served",
        "1 if nginx runs with the published configuration.",
        lambda s: s.served,
    ),
    ("release", "Number of the release in force.", lambda s: s.release),
    ("balancer_running", "1 if the balancer's container runs.", lambda s: s.balancer_running),
    ("deploy_in_progress", "1 while a deploy holds the lock.", lambda s: bool(s.deploy)),
    (
        "maintenance",
        "1 while clients get status 503 by the playbook maintenance.",
        lambda s: s.maintenance,
    ),
    ("start_timestamp_seconds", "When the keeper started.", lambda s: s.started_at),
    ("last_round_timestamp_seconds", "When the keeper's last round ended.", lambda s: s.time),
    ("round_duration_seconds", "How long the last round took.", lambda s: s.round_seconds),
)
"""Gauges of a stack: name without the prefix, help, value."""

COUNTERS: tuple[tuple[str, str], ...] = (
    ("publishes", "Member lists that nginx has taken over since the keeper started."),
    ("publish_failures", "Member lists that could not be published since the keeper started."),
    ("repairs", "Repairs of replicas and of the balancer since the keeper started."),
    ("rounds", "Rounds that came to their end since the keeper started."),
)
"""Counters of a stack: name in Snapshot.counters, help."""

OF_REPLICA: tuple[tuple[str, str, Callable[[ReplicaSight], float]], ...] = (
    ("replica_up", "1 if the replica is healthy.", lambda r: r.state == HEALTHY),
    ("replica_member", "1 if the balancer sends requests to the replica.", lambda r: r.member),
    ("replica_current", "1 if the replica is of the release in force.", lambda r: r.current),
    (
        "replica_probe_duration_seconds",
        "How long the last probe of the health path took.",
        lambda r: r.probe_seconds,
    ),
    (
        "replica_state_since_timestamp_seconds",
        "When the replica came into the state that it is in.",
        lambda r: r.since,
    ),
)
"""Gauges of a replica: name without the prefix, help, value."""


def make_registry(
    snapshot: Callable[[], Snapshot | None],
    in_flight: Callable[[], Mapping[str, int]],
    sight: Callable[[], Sight | None],
    version: str = "",
) -> prometheus_client.CollectorRegistry:
    """A registry with the keeper's metrics and those of its process.

    :param snapshot: the last one; None before the first round has ended.
    :param in_flight: connections from the balancer by the id of the replica, called once per
        scrape. If it raises LoadBalancingError, this one metric is left out.
    :param sight: what is known of traffic and load, called once per scrape; None if nothing is.
    :param version: of the collection.
    :raises LoadBalancingError: without prometheus_client.
    """
    if not HAS_PROMETHEUS:
        raise LoadBalancingError(
            "prometheus_client for Python is missing on the host. "
            "The role keeper installs it (Debian's package python3-prometheus-client)."
        )
    registry = prometheus_client.CollectorRegistry()
    registry.register(KeeperCollector(snapshot, in_flight, sight, version))
    prometheus_client.ProcessCollector(registry=registry)
    return registry


def metrics_app(
    snapshot: Callable[[], Snapshot | None],
    in_flight: Callable[[], Mapping[str, int]],
    sight: Callable[[], Sight | None],
    version: str = "",
) -> WSGIApplication:
    """Answers GET with the metrics, in the format that the client accepts: Prometheus' own or
    OpenMetrics. Parameters and errors are those of :func:`make_registry`.
    """
    registry = make_registry(snapshot, in_flight, sight, version)
    app: WSGIApplication = prometheus_client.make_wsgi_app(registry)
    return app


class KeeperCollector:
    """What a registry asks for the keeper's metrics; parameters are those of
    :func:`make_registry`.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot | None],
        in_flight: Callable[[], Mapping[str, int]],
        sight: Callable[[], Sight | None],
        version: str = "",
    ) -> None:
        self._snapshot = snapshot
        self._in_flight = in_flight
        self._sight = sight
        self._version = version

    def collect(self) -> list[core.Metric]:
        """The metrics of this moment; those without a value are left out."""
        snapshot = self._snapshot()
        connections = None if snapshot is None else self._connections()
        sight = None if snapshot is None else self._sight()
        families = self._families(snapshot, connections, sight)
        return [family for family in families if family.samples]

    def describe(self) -> list[core.Metric]:
        """The metrics that there can be, without values: lets ``?name[]=`` select some."""
        return list(self._families(None, None, None))

    def _connections(self) -> Mapping[str, int] | None:
        try:
            return self._in_flight()
        except LoadBalancingError:
            return None

    def _families(
        self,
        snapshot: Snapshot | None,
        connections: Mapping[str, int] | None,
        sight: Sight | None,
    ) -> Iterable[core.Metric]:
        yield core.InfoMetricFamily(
            f"{PREFIX}build", "Version of the collection.", value={"version": self._version}
        )
        yield from _of_stack(snapshot)
        yield from _of_replicas(snapshot)
        family = _gauge(
            "replica_connections", "Connections from the balancer to the replica.", REPLICA_LABELS
        )
        if snapshot is not None and connections is not None:
            for replica in snapshot.replicas:
                family.add_metric(_labels(snapshot, replica), connections.get(replica.id, 0))
        yield family
        yield from traffic_families(PREFIX, snapshot, sight)


def _of_stack(snapshot: Snapshot | None) -> Iterable[core.Metric]:
    state = _gauge("state", "1 for the state that the stack is in.", (*STACK_LABELS, "state"))
    if snapshot is not None:
        _add_states(state, (snapshot.stack,), STATES, snapshot.state)
    yield state
    for name, text, value in OF_STACK:
        family = _gauge(name, text, STACK_LABELS)
        if snapshot is not None:
            family.add_metric((snapshot.stack,), value(snapshot))
        yield family
    for name, text in COUNTERS:
        family = core.CounterMetricFamily(PREFIX + name, text, labels=STACK_LABELS)
        if snapshot is not None:
            family.add_metric((snapshot.stack,), snapshot.counters.get(name, 0))
        yield family


def _of_replicas(snapshot: Snapshot | None) -> Iterable[core.Metric]:
    state = _gauge(
        "replica_state", "1 for the state that the replica is in.", (*REPLICA_LABELS, "state")
    )
    gauges = [(_gauge(name, text, REPLICA_LABELS), value) for name, text, value in OF_REPLICA]
    restarts = core.CounterMetricFamily(
        f"{PREFIX}replica_restarts",
        "Restarts of the replica by the keeper and by Docker's engine.",
        labels=REPLICA_LABELS,
    )
    if snapshot is not None:
        for replica in snapshot.replicas:
            labels = _labels(snapshot, replica)
            _add_states(state, labels, REPLICA_STATES, replica.state)
            restarts.add_metric(labels, replica.restarts)
            for family, value in gauges:
                family.add_metric(labels, value(replica))
    yield state
    yield from (family for family, _value in gauges)
    yield restarts


def _labels(snapshot: Snapshot, replica: ReplicaSight) -> tuple[str, str, str]:
    return snapshot.stack, replica.name, replica.version


def _gauge(name: str, text: str, labels: tuple[str, ...]) -> Any:
    return core.GaugeMetricFamily(PREFIX + name, text, labels=labels)


def _add_states(family: Any, labels: tuple[str, ...], known: tuple[str, ...], now: str) -> None:
    """One sample for each state: 1 for that of now, 0 for the others."""
    for one in dict.fromkeys((*known, now)):
        family.add_metric((*labels, one), one == now)
