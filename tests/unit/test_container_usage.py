# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containers use, from cgroup files of both versions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import container_usage
from ansible_collections.digiz.load_balancing.plugins.module_utils.container_usage import (
    BLIND,
    Cgroup,
    Limits,
    Usage,
    UsageMeter,
    find_cgroup,
    limits_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import Sample

MIB = 1 << 20
PID = 4711
#: What /proc/<pid>/cgroup says, and below which folders of /sys/fs/cgroup the files are.
V2 = "0::/system.slice/docker-abc.scope\n"
V1 = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n"
V1_ALONE = "5:memory:/docker/abc\n4:cpuacct:/docker/abc\n"


class Host:
    """A tree of proc and one of cgroups."""

    def __init__(self, folder: Path, lines: str) -> None:
        self.proc, self.root = folder / "proc", folder / "cgroup"
        (self.proc / str(PID)).mkdir(parents=True)
        (self.proc / str(PID) / "cgroup").write_text(lines, encoding="ascii")
        self.root.mkdir()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")

    def v2(self, cpu: int, memory: int, cache: int) -> None:
        folder = "system.slice/docker-abc.scope"
        self.write(f"{folder}/cpu.stat", f"usage_usec {cpu}\nuser_usec 1\nsystem_usec 2\n")
        self.write(f"{folder}/memory.current", f"{memory}\n")
        self.write(f"{folder}/memory.stat", f"anon 5\nfile 7\ninactive_file {cache}\n")

    def v1(self, cpu: int, memory: int, cache: int, controller: str = "cpu,cpuacct") -> None:
        self.write(f"{controller}/docker/abc/cpuacct.usage", f"{cpu}\n")
        self.write("memory/docker/abc/memory.usage_in_bytes", f"{memory}\n")
        text = f"inactive_file 1\ntotal_inactive_file {cache}\nhierarchical_memory_limit 99\n"
        self.write("memory/docker/abc/memory.stat", text)

    def find(self, pid: int = PID) -> Cgroup | None:
        return find_cgroup(pid, str(self.proc), str(self.root))


def read(host: Host) -> Usage:
    found = host.find()
    assert found
    return found.read()


def test_version_2(tmp_path: Path) -> None:
    host = Host(tmp_path, V2)
    host.v2(2_500_000, 100 * MIB, 30 * MIB)
    assert read(host) == Usage(2.5, 70 * MIB)


@pytest.mark.parametrize(
    ("lines", "controller"), [(V1, "cpu,cpuacct"), (V1, "cpuacct"), (V1_ALONE, "cpuacct")]
)
def test_version_1(tmp_path: Path, lines: str, controller: str) -> None:
    host = Host(tmp_path, lines)
    host.v1(2_500_000_000, 100 * MIB, 30 * MIB, controller)
    assert read(host) == Usage(2.5, 70 * MIB)


def test_both_versions_with_the_controllers_in_version_2(tmp_path: Path) -> None:
    host = Host(tmp_path, "1:name=systemd:/docker/abc\n0::/docker/abc\n")
    host.write("unified/docker/abc/cpu.stat", "usage_usec 1000000\n")
    host.write("unified/docker/abc/memory.current", "5\n")
    (host.root / "name=systemd/docker/abc").mkdir(parents=True)
    assert read(host) == Usage(1.0, 5)


def test_a_cache_that_is_more_than_all(tmp_path: Path) -> None:
    """The files are not read at the same moment."""
    host = Host(tmp_path, V2)
    host.v2(1, 10, 20)
    assert read(host).memory == 0


@pytest.mark.parametrize("lines", ["", "nonsense\n", "0::/../../elsewhere\n", "0::/gone\n"])
def test_a_cgroup_that_is_not_to_be_seen(tmp_path: Path, lines: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    if lines in ("", "nonsense\n"):
        host = Host(tmp_path / "a" / "b", lines)
        found = host.find()
        assert found is None or found.read() == Usage(None, None)
    else:
        assert Host(tmp_path / "a" / "b", lines).find() is None


def test_a_process_that_has_ended(tmp_path: Path) -> None:
    assert Host(tmp_path, V2).find(PID + 1) is None


def test_damaged_files(tmp_path: Path) -> None:
    host = Host(tmp_path, V2)
    host.v2(1, 1, 1)
    host.write("system.slice/docker-abc.scope/cpu.stat", "usage_usec many\n")
    host.write("system.slice/docker-abc.scope/memory.current", "max\n")
    assert read(host) == Usage(None, None)


def test_this_process_has_a_cgroup_or_none() -> None:
    """Whatever this machine is, nothing is raised."""
    found = find_cgroup(1)
    assert found is None or isinstance(found.read(), Usage)


# limits


@pytest.mark.parametrize(
    ("host", "limits"),
    [
        ({"NanoCpus": 1_500_000_000, "Memory": 256 * MIB}, Limits(1.5, 256 * MIB)),
        ({"CpuQuota": 50_000, "CpuPeriod": 100_000, "Memory": MIB}, Limits(0.5, MIB)),
        ({"CpuQuota": 50_000, "CpuPeriod": 0, "Memory": MIB}, Limits(0.5, MIB)),
        ({"NanoCpus": 0, "CpuQuota": -1, "Memory": 0}, Limits(4.0, 8 * MIB)),
        (None, Limits(4.0, 8 * MIB)),
    ],
)
def test_limits(monkeypatch: pytest.MonkeyPatch, host: Any, limits: Limits) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(container_usage, "_all_memory", lambda: 8 * MIB)
    assert limits_of({"HostConfig": host}) == limits


def test_the_memory_of_this_machine() -> None:
    assert limits_of({}).memory > 64 * MIB


# samples


class Metered:
    """A meter over a tree of version 2, and an engine that knows one container."""

    def __init__(self, folder: Path) -> None:
        self.host = Host(folder, V2)
        self.host.v2(0, 64 * MIB, 0)
        self.now = 100.0
        self.asked: list[str] = []
        self.pid = PID
        self.meter = UsageMeter(self.inspect, self.host.find, lambda: self.now)

    def inspect(self, container: str) -> Mapping[str, Any]:
        self.asked.append(container)
        if container == "silent":
            raise LoadBalancingError("Docker's engine does not answer.")
        limits = {"NanoCpus": 500_000_000, "Memory": 256 * MIB}
        return {"State": {"Pid": self.pid}, "HostConfig": limits} if container == "abc" else {}

    def sample(self, seconds: float = 0.0) -> Sample:
        self.now += seconds
        return self.meter.sample({"abc": "shop-app-1"})["shop-app-1"]


@pytest.fixture(name="metered")
def metered_fixture(tmp_path: Path) -> Metered:
    return Metered(tmp_path)


def test_processor_time_is_that_since_the_sample_before(metered: Metered) -> None:
    assert metered.sample() == Sample(None, 0.25)
    metered.host.v2(1_000_000, 128 * MIB, 0)
    busy = metered.sample(5)
    assert (busy.cpu, busy.memory) == (pytest.approx(0.4), 0.5)
    assert metered.sample(5) == Sample(0.0, 0.5)
    assert metered.asked == ["abc"], "the engine is asked once"


def test_a_container_that_was_started_again(metered: Metered) -> None:
    metered.host.v2(9_000_000, 64 * MIB, 0)
    metered.sample()
    metered.host.v2(1_000, 64 * MIB, 0)
    assert metered.sample(5).cpu is None
    metered.host.v2(1_001_000, 64 * MIB, 0)
    assert metered.sample(4).cpu == pytest.approx(0.5)


def test_a_container_whose_files_are_gone_is_looked_up_again(metered: Metered) -> None:
    metered.sample()
    folder = metered.host.root / "system.slice"
    folder.rename(metered.host.root / "gone")
    assert metered.sample(5) == Sample(None, None)
    (metered.host.root / "gone").rename(folder)
    assert metered.sample(5) == Sample(None, 0.25)
    assert metered.asked == ["abc", "abc"]


def test_containers_that_nobody_knows_and_that_do_not_run(metered: Metered) -> None:
    assert metered.meter.sample({"other": "shop-app-2"}) == {}
    metered.pid = 0
    assert metered.meter.sample({"abc": "shop-app-1"}) == {}
    metered.pid = PID
    assert metered.sample().memory == 0.25


def test_a_cgroup_that_is_not_to_be_seen_is_not_looked_for_each_time(metered: Metered) -> None:
    """As on a host that is a container itself."""
    metered.pid = PID + 1
    for _unused in range(5):
        metered.now += 5
        assert metered.meter.sample({"abc": "shop-app-1"}) == {}
    assert metered.asked == ["abc"]
    metered.pid = PID
    metered.now += BLIND
    assert metered.sample().memory == 0.25


def test_an_engine_that_does_not_answer(metered: Metered) -> None:
    with pytest.raises(LoadBalancingError, match="does not answer"):
        metered.meter.sample({"silent": "shop-app-1"})


@given(st.lists(st.tuples(st.floats(0.1, 60), st.integers(0, 10**9)), min_size=2, max_size=10))
def test_shares_are_never_negative(steps: list[tuple[float, int]]) -> None:
    """Whatever the counter does."""
    now, used = 0.0, 0
    cgroup = Cgroup(True, "", "")
    meter = UsageMeter(
        lambda _one: {"State": {"Pid": 1}, "HostConfig": {"NanoCpus": 10**9, "Memory": MIB}},
        lambda _pid: cgroup,
        lambda: now,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cgroup, "read", lambda _cgroup: Usage(used / 10**6, MIB))
        for pause, counter in steps:
            now, used = now + pause, counter
            sample = meter.sample({"a": "a"})["a"]
            assert sample.cpu is None or sample.cpu >= 0
            assert sample.memory == 1.0
