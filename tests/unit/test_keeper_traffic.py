# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's sight of traffic and load over a stack's real files: what it tells to the status, to
the charts and to Prometheus.
"""

from __future__ import annotations

import calendar
import functools
import io
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_store,
    certificates,
    keeper_traffic,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.container_usage import (
    Usage,
    UsageMeter,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    write_json,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_metrics import (
    make_registry,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Snapshot
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import (
    REMEMBERED,
    Traffic,
    free_ratio,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from tests.unit.keeper_page import ILL, NOON, REPLICA, SNAPSHOT
from tests.unit.test_load_request import line

OTHER = replace(REPLICA, id="id2", name="chatbot-app-2", number=2, address="172.18.0.4")


class Usages:
    """Takes the place of the cgroups: what each container uses, by its process id."""

    def __init__(self) -> None:
        self.used = {1: Usage(0.0, 64), 2: Usage(0.0, 32)}

    def find(self, pid: int) -> Any:
        return type("Cgroup", (), {"read": lambda _cgroup: self.used[pid]})()


class Watched:
    """A stack with an access log, and the keeper's sight of it; the clock goes when told to."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.paths = StackPaths("chatbot", str(folder))
        self.paths.create()
        self.log = Path(self.paths.logs) / "access.log"
        self.log.touch()
        self.now = 5000.0
        self.snapshot: Snapshot | None = replace(SNAPSHOT, replicas=(REPLICA, OTHER))
        self.output = io.StringIO()
        self.usages = Usages()
        self.silent = False
        meter = functools.partial(UsageMeter, find=self.usages.find)
        patch.setattr(keeper_traffic, "UsageMeter", meter)
        self.traffic = Traffic(
            self.paths,
            Journal("chatbot", self.output),
            lambda: self.snapshot,
            self.inspect,
            lambda: ("chat.example.com", "www.example.com"),
            lambda: self.now,
        )
        self.traffic.round()

    def inspect(self, container: str) -> Mapping[str, Any]:
        if self.silent:
            raise LoadBalancingError("Docker's engine refused.")
        limits = {"NanoCpus": 10**9, "Memory": 128}
        return {"State": {"Pid": int(container[-1])}, "HostConfig": limits}

    def write(self, *lines: bytes) -> None:
        with self.log.open("ab") as handle:
            handle.write(b"".join(one + b"\n" for one in lines))

    def run(self, seconds: int = 1) -> None:
        for _unused in range(seconds):
            self.now += 1
            self.traffic.round()

    def told(self) -> list[str]:
        return [json.loads(one)["text"] for one in self.output.getvalue().splitlines()]

    def metrics(self) -> dict[str, float]:
        registry = make_registry(lambda: self.snapshot, dict, self.traffic.sight, "0.1.0")
        text = generate_openmetrics(registry).decode()
        assert list(read_openmetrics(text)), "it can be read again"
        pairs = [one.rpartition(" ") for one in generate_latest(registry).decode().splitlines()]
        return {
            name.removeprefix("load_balancing_"): float(value)
            for name, _space, value in pairs
            if name.startswith("load_balancing_")
        }


@pytest.fixture(name="watched")
def watched_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(tmp_path, monkeypatch)


def test_requests_are_those_of_the_log_by_the_names_of_replicas(watched: Watched) -> None:
    watched.write(line(), line(upstream_addr="172.18.0.4:8000"), line(status=500), b"damaged")
    watched.run()
    load = watched.traffic.load()
    assert load["requests"] == 3
    assert load["statuses"]["5xx"] == 1
    assert {name: one["requests"] for name, one in load["replicas"].items()} == {
        "chatbot-app-1": 2,
        "chatbot-app-2": 1,
    }
    assert watched.told() == []


def test_what_was_there_before_the_keeper_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Watched(tmp_path, monkeypatch)
    first.write(line(), line())
    second = Watched(tmp_path, monkeypatch)
    second.run(3)
    assert second.traffic.load()["requests"] == 0


def test_a_log_that_grows_fast_is_read_in_small_pieces(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No round takes long, and nothing is lost."""
    monkeypatch.setattr(keeper_traffic, "READS", 1)
    watched.write(*[line()] * 2000)
    seen = []
    for _unused in range(4):
        watched.run()
        seen.append(watched.traffic.load()["requests"])
    assert 0 < seen[0] < seen[1] <= seen[3] == 2000


def test_a_replica_that_was_replaced_keeps_its_late_requests(watched: Watched) -> None:
    """Its streams end after it has gone; for ten minutes its address is still its own."""
    watched.snapshot = replace(SNAPSHOT, replicas=(OTHER,))
    watched.write(line())
    watched.run()
    assert watched.traffic.load()["replicas"]["chatbot-app-1"]["requests"] == 1
    successor = replace(REPLICA, id="id3", name="chatbot-app-3", number=3)
    watched.snapshot = replace(SNAPSHOT, replicas=(OTHER, successor))
    watched.write(line())
    watched.run()
    assert watched.traffic.load()["replicas"]["chatbot-app-3"]["requests"] == 1
    watched.snapshot = replace(SNAPSHOT, replicas=(OTHER,))
    watched.now += REMEMBERED
    watched.write(line())
    watched.run()
    assert watched.traffic.sight().totals.replicas == {}


def test_processor_and_memory(watched: Watched) -> None:
    watched.snapshot = replace(
        SNAPSHOT, replicas=(REPLICA, OTHER, replace(ILL, container="exited"))
    )
    watched.run(5)
    watched.usages.used = {1: Usage(2.5, 96), 2: Usage(1.0, 32)}
    watched.run(5)
    load = watched.traffic.load()
    assert (load["cpu_percent"], load["memory_percent"]) == (35.0, 75.0)
    assert load["replicas"]["chatbot-app-1"]["cpu_percent"] == 50.0
    assert load["replicas"]["chatbot-app-2"]["memory_percent"] == 25.0


def test_the_series(watched: Watched) -> None:
    watched.write(*[line()] * 10)
    watched.run(5)
    watched.run(5)
    series = watched.traffic.series(NOON)
    assert series["times"] == [NOON - 5, NOON]
    assert series["totals"]["requests_per_second"] == [2.0, 0.0]
    assert series["totals"]["members"] == [2, 2]
    assert series["replicas"]["chatbot-app-1"]["memory_percent"] == [50.0, 50.0]
    assert series["deploys"] == []


def test_deploys(watched: Watched) -> None:
    lock = DeployLock(watched.paths, lambda: NOON)
    token = lock.acquire("ana", "laptop", "deploy")[0]
    assert watched.snapshot
    watched.snapshot = replace(watched.snapshot, deploy="deploy by ana from laptop")
    watched.run()
    assert [one["result"] for one in watched.traffic.deploys()] == ["running"]
    lock.release(token, "release 3 is out: 2 x version 7")
    watched.run()
    (one,) = watched.traffic.deploys()
    assert (one["time"], one["version"], one["replicas"], one["result"]) == (
        *(NOON, "7", 2, "succeeded"),
    )
    assert watched.traffic.series(NOON)["deploys"] == [one]


def test_before_the_first_round_of_the_keeper(watched: Watched) -> None:
    watched.snapshot = None
    watched.write(line())
    watched.run(5)
    assert watched.traffic.load()["requests"] == 1
    assert watched.traffic.series(NOON)["totals"]["members"] == [None]
    assert watched.metrics() == {'build_info{version="0.1.0"}': 1}


# what cannot be seen


def test_an_engine_that_does_not_answer_is_told_and_the_rest_goes_on(watched: Watched) -> None:
    watched.silent = True
    watched.write(line())
    watched.run(10)
    assert watched.told() == ["Docker's engine refused."]
    assert watched.traffic.load()["requests"] == 1
    assert watched.traffic.load()["cpu_percent"] is None
    watched.silent = False
    watched.run(10)
    assert watched.traffic.load()["memory_percent"] == 50.0


def test_a_disk_that_fails_is_told_and_the_rest_goes_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: str) -> Mapping[str, Any]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(keeper_traffic, "read_json", fail)
    watched.write(line())
    watched.run(10)
    assert watched.told() == ["[Errno 5] Input/output error"]
    assert watched.traffic.load()["requests"] == 1


def test_a_log_that_cannot_be_read_is_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_unused: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        watched.run()
    assert watched.told() == [f"{watched.log} cannot be read: Input/output error."]
    watched.write(line())
    watched.run()
    assert watched.traffic.load()["requests"] == 1


# certificate and disk


def serve_certificate(watched: Watched, name: str) -> None:
    os.makedirs(watched.paths.current, exist_ok=True)
    write_json(os.path.join(watched.paths.current, "members.json"), {"certificate": name})


def test_the_certificate_that_is_served(watched: Watched) -> None:
    pem, key = certificates.self_signed(["chat.example.com"], certificates.now_utc())
    stored = certificate_store.Stored(pem, key, {})
    serve_certificate(watched, certificate_store.store(watched.paths, stored))
    watched.run(5)
    ends = calendar.timegm(certificates.describe(pem).ends.timetuple())
    name = 'certificate_expiry_timestamp_seconds{name="chat.example.com",stack="chatbot"}'
    assert watched.metrics()[name] == ends
    serve_certificate(watched, "")
    watched.run(5)
    assert name not in watched.metrics()


@pytest.mark.parametrize("text", [None, b"damaged", b"\xff"])
def test_a_certificate_that_is_lost(watched: Watched, text: bytes | None) -> None:
    folder = Path(certificate_store.folder(watched.paths, "abc"))
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "certificate.pem").write_bytes(text)
    serve_certificate(watched, "abc")
    watched.run(20)
    assert len(watched.told()) == 1
    assert "cannot be read." in watched.told()[0]
    assert watched.traffic.sight().certificate is None


def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = free_ratio(str(tmp_path))
    assert found is not None
    assert 0 <= found <= 1
    assert free_ratio(str(tmp_path / "gone")) is None
    empty = os.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: empty)
    assert free_ratio(str(tmp_path)) is None


# for Prometheus


def test_the_metrics(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_traffic, "free_ratio", lambda _path: 0.75)
    DeployLock(watched.paths, lambda: NOON).audit("ana", "laptop", "deploy", "failed")
    watched.run(5)
    watched.usages.used[1] = Usage(2.5, 96)
    stream = {"request_time": 70.0, "upstream_response_time": "70.0"}
    watched.write(line(), line(status=429, upstream_addr=""), line(**stream))
    watched.run(5)
    found = watched.metrics()
    own = {key: value for key, value in found.items() if value and "bucket" not in key}
    assert {key: value for key, value in own.items() if "requests" in key} == {
        'requests_total{stack="chatbot",status_class="2xx"}': 2,
        'requests_total{stack="chatbot",status_class="429"}': 1,
        'replica_requests_total{replica="chatbot-app-1",stack="chatbot",status_class="2xx"}': 2,
    }
    labels = 'path_kind="{}",stack="chatbot"'
    name = "request_duration_seconds"
    assert found[f"{name}_sum{{{labels.format('request')}}}"] == 0.126
    assert found[f"{name}_count{{{labels.format('stream')}}}"] == 1
    assert found[f'{name}_bucket{{le="0.1",{labels.format("request")}}}'] == 0
    assert found[f'{name}_bucket{{le="0.25",{labels.format("request")}}}'] == 1
    assert found[f'{name}_bucket{{le="60.0",{labels.format("stream")}}}'] == 0
    assert found[f'{name}_bucket{{le="+Inf",{labels.format("stream")}}}'] == 1
    assert found[f"first_byte_seconds_sum{{{labels.format('stream')}}}"] == 0.12
    replica = 'replica="chatbot-app-1",stack="chatbot",version="2"'
    assert found[f"replica_cpu_ratio{{{replica}}}"] == 0.5
    assert found[f"replica_memory_ratio{{{replica}}}"] == 0.75
    assert found['deploys_total{result="failed",stack="chatbot"}'] == 1
    assert found['deploys_total{result="succeeded",stack="chatbot"}'] == 0
    assert found['last_deploy_timestamp_seconds{stack="chatbot"}'] == NOON
    path = watched.paths.root
    assert found[f'filesystem_free_ratio{{path="{path}",stack="chatbot"}}'] == 0.75
    assert found['access_log_skipped_bytes_total{stack="chatbot"}'] == 0


def test_what_nobody_knows_is_left_out(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_traffic, "free_ratio", lambda _path: None)
    watched.silent = True
    watched.run(5)
    names = {key.partition("{")[0] for key in watched.metrics()}
    assert not names & {
        *("replica_cpu_ratio", "replica_memory_ratio", "last_deploy_timestamp_seconds"),
        *("certificate_expiry_timestamp_seconds", "filesystem_free_ratio"),
    }


# the thread


def test_the_thread_ends_when_it_is_told_to(watched: Watched) -> None:
    stopped = threading.Event()
    rounds: list[int] = []

    def one_round() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            stopped.set()
        watched.now += 2

    watched.traffic.round = one_round  # type: ignore[method-assign]
    watched.traffic.run(stopped)
    assert len(rounds) == 3
