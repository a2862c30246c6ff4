# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's metrics, as Prometheus reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper_metrics
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_metrics import (
    make_registry,
    metrics_app,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import (
    ReplicaSight,
    Snapshot,
)

NOON = 1_795_000_000.5
Samples = dict[str, float]


def sight(number: int, state: str = "healthy", version: str = "2") -> ReplicaSight:
    return ReplicaSight(
        id=f"id{number}",
        name=f"chatbot-app-{number}",
        number=number,
        version=version,
        revision="abc",
        address=f"172.18.0.{number}",
        state=state,
        container="running",
        current=version == "2",
        member=state == "healthy",
        since=NOON - 60 * number,
        probe_seconds=number / 1000,
        restarts=number - 1,
    )


SNAPSHOT = Snapshot(
    stack="chatbot",
    time=NOON,
    started_at=NOON - 3600,
    state="degraded",
    text="2 of 3 replicas are healthy.",
    wanted=3,
    generation=7,
    served=True,
    balancer_running=True,
    deploy="",
    release=4,
    version="2",
    replicas=(sight(1), sight(2, version="1"), sight(3, "ill")),
    changes=(),
    counters={"publishes": 5, "publish_failures": 1, "repairs": 2, "rounds": 3600},
    round_seconds=0.0125,
)


def registry(
    snapshot: Snapshot | None = SNAPSHOT, connections: Mapping[str, int] | None = None
) -> CollectorRegistry:
    return make_registry(lambda: snapshot, lambda: connections or {}, lambda: None, "0.1.0")


def samples(one: CollectorRegistry) -> Samples:
    """The keeper's samples as they are written, without those of the process."""
    lines = generate_latest(one).decode().splitlines()
    pairs = [line.rpartition(" ") for line in lines if line.startswith("load_balancing_")]
    return {name.removeprefix("load_balancing_"): float(value) for name, _space, value in pairs}


def of(name: str, found: Samples) -> Samples:
    return {key: value for key, value in found.items() if key.partition("{")[0] == name}


def test_the_stack() -> None:
    found = samples(registry())
    assert {key: value for key, value in found.items() if "replica=" not in key} == {
        'build_info{version="0.1.0"}': 1,
        'state{stack="chatbot",state="ok"}': 0,
        'state{stack="chatbot",state="degraded"}': 1,
        'state{stack="chatbot",state="down"}': 0,
        'state{stack="chatbot",state="blind"}': 0,
        'replicas_wanted{stack="chatbot"}': 3,
        'replicas_healthy{stack="chatbot"}': 2,
        'members{stack="chatbot"}': 2,
        'generation{stack="chatbot"}': 7,
        'generation_served{stack="chatbot"}': 1,
        'release{stack="chatbot"}': 4,
        'balancer_running{stack="chatbot"}': 1,
        'deploy_in_progress{stack="chatbot"}': 0,
        'maintenance{stack="chatbot"}': 0,
        'start_timestamp_seconds{stack="chatbot"}': NOON - 3600,
        'last_round_timestamp_seconds{stack="chatbot"}': NOON,
        'round_duration_seconds{stack="chatbot"}': 0.0125,
        'publishes_total{stack="chatbot"}': 5,
        'publish_failures_total{stack="chatbot"}': 1,
        'repairs_total{stack="chatbot"}': 2,
        'rounds_total{stack="chatbot"}': 3600,
    }


def test_a_replica() -> None:
    found = samples(registry(connections={"id3": 12}))
    own = {key: value for key, value in found.items() if 'replica="chatbot-app-3"' in key}
    labels = 'replica="chatbot-app-3",stack="chatbot"'
    assert own == {
        f'replica_state{{{labels},state="starting",version="2"}}': 0,
        f'replica_state{{{labels},state="healthy",version="2"}}': 0,
        f'replica_state{{{labels},state="ill",version="2"}}': 1,
        f'replica_state{{{labels},state="stopped",version="2"}}': 0,
        f'replica_up{{{labels},version="2"}}': 0,
        f'replica_member{{{labels},version="2"}}': 0,
        f'replica_current{{{labels},version="2"}}': 1,
        f'replica_probe_duration_seconds{{{labels},version="2"}}': 0.003,
        f'replica_state_since_timestamp_seconds{{{labels},version="2"}}': NOON - 180,
        f'replica_restarts_total{{{labels},version="2"}}': 2,
        f'replica_connections{{{labels},version="2"}}': 12,
    }


def test_each_replica_has_its_version_and_its_values() -> None:
    found = samples(registry(connections={"id1": 3}))
    assert list(of("replica_up", found).items()) == [
        ('replica_up{replica="chatbot-app-1",stack="chatbot",version="2"}', 1),
        ('replica_up{replica="chatbot-app-2",stack="chatbot",version="1"}', 1),
        ('replica_up{replica="chatbot-app-3",stack="chatbot",version="2"}', 0),
    ]
    assert list(of("replica_current", found).values()) == [1, 0, 1]
    assert list(of("replica_connections", found).values()) == [3, 0, 0]


def test_what_is_otherwise() -> None:
    other = replace(
        SNAPSHOT, served=False, balancer_running=False, deploy="deploy by ann", counters={}
    )
    found = samples(registry(other))
    assert found['generation_served{stack="chatbot"}'] == 0
    assert found['balancer_running{stack="chatbot"}'] == 0
    assert found['deploy_in_progress{stack="chatbot"}'] == 1
    assert found['rounds_total{stack="chatbot"}'] == 0


def test_a_state_that_is_not_known_is_a_sample_of_its_own() -> None:
    found = samples(registry(replace(SNAPSHOT, state="puzzled")))
    assert list(of("state", found).values()) == [0, 0, 0, 0, 1]
    assert found['state{stack="chatbot",state="puzzled"}'] == 1


def test_before_the_first_round_there_is_only_the_build() -> None:
    def not_asked() -> Mapping[str, int]:
        raise AssertionError("there is nothing to count yet")

    one = make_registry(lambda: None, not_asked, lambda: None, "0.1.0")
    assert samples(one) == {'build_info{version="0.1.0"}': 1}
    assert "replica" not in generate_latest(one).decode()


def test_without_replicas_nothing_is_said_of_them() -> None:
    text = generate_latest(registry(replace(SNAPSHOT, replicas=()))).decode()
    assert "load_balancing_replica_" not in text
    assert 'load_balancing_replicas_healthy{stack="chatbot"} 0.0' in text


def test_without_connections_only_they_are_left_out() -> None:
    def blind() -> Mapping[str, int]:
        raise LoadBalancingError("Docker's engine does not answer.")

    found = samples(make_registry(lambda: SNAPSHOT, blind, lambda: None, "0.1.0"))
    expected = samples(registry())
    assert set(expected) - set(found) == set(of("replica_connections", expected))
    assert set(found) < set(expected)


def test_one_scrape_is_one_look() -> None:
    """Connections are counted once, and all lines are of the same snapshot."""
    asked: list[str] = []

    def snapshot() -> Snapshot:
        asked.append("snapshot")
        return SNAPSHOT

    def in_flight() -> Mapping[str, int]:
        asked.append("in_flight")
        return {}

    one = make_registry(snapshot, in_flight, lambda: asked.append("sight"))
    assert asked == []  # to register asks for nothing
    generate_latest(one)
    assert asked == ["snapshot", "in_flight", "sight"]


def test_the_process_is_there_and_nothing_of_the_library() -> None:
    names = {family.name for family in registry().collect()}
    assert {name for name in names if not name.startswith("load_balancing_")} == {
        "process_virtual_memory_bytes",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_cpu_seconds",
        "process_open_fds",
        "process_max_fds",
    }


def test_two_registries_do_not_meet() -> None:
    assert samples(registry()) == samples(registry())


def test_names_follow_the_conventions() -> None:
    """prometheus.io/docs/practices/naming: base units, unit in the name, _total for counters."""
    for family in registry().collect():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        assert not re.search(r"_(ms|milliseconds|minutes|percent|total|count)(_|$)", family.name)
        assert family.documentation.endswith(".")
        if "timestamp" in family.name:
            assert family.name.endswith("_timestamp_seconds")
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")


def test_both_formats_can_be_read_and_say_the_same() -> None:
    one = registry(connections={"id1": 1})
    own = "load_balancing_"
    plain = {
        sample[:3]
        for family in text_string_to_metric_families(generate_latest(one).decode())
        for sample in ((s.name, tuple(sorted(s.labels.items())), s.value) for s in family.samples)
        if sample[0].startswith(own)
    }
    opened = {
        (s.name, tuple(sorted(s.labels.items())), s.value)
        for family in read_openmetrics(generate_openmetrics(one).decode())
        for s in family.samples
        if s.name.startswith(own)
    }
    assert plain == opened
    assert len(plain) == len(samples(one))


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=5))
def test_any_name_and_version_can_be_read_again(name: str, version: str) -> None:
    one = replace(sight(1), name=name, version=version.encode("utf-8", "replace").decode())
    text = generate_latest(registry(replace(SNAPSHOT, replicas=(one,)))).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (sample,) = families["load_balancing_replica_up"].samples
    assert sample.labels["replica"] == name
    assert sample.labels["version"] == one.version


def test_some_can_be_selected_by_name() -> None:
    """As Prometheus' ``params: {name[]: …}`` does."""
    one = registry().restricted_registry(["load_balancing_replica_restarts_total"])
    assert [family.name for family in one.collect()] == ["load_balancing_replica_restarts"]


def test_without_the_library_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_metrics, "HAS_PROMETHEUS", False)
    for make in (make_registry, metrics_app):
        with pytest.raises(LoadBalancingError) as caught:
            make(lambda: None, dict, lambda: None)
        assert str(caught.value) == (
            "prometheus_client for Python is missing on the host. "
            "The role keeper installs it (Debian's package python3-prometheus-client)."
        )
