# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of replicas: what each one breaks, and that it can be undone at any time, twice.

Processes are real ones: programs of this test's own that wait.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill_faults
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_faults import (
    FAULTS,
    Hang,
    Sick,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.drill import FIRST, World
from tests.unit.processes import Run, programs, state_of, until

REPLICA_FAULTS = ["crash", "stop", "hang", "sick", "network"]


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path) -> World:
    """A stack of three replicas."""
    return World(tmp_path)


@pytest.fixture(name="run")
def run_fixture() -> Iterator[Run]:
    """Starts a program of ours and gives its process id; it ends with the test."""
    with programs() as run:
        yield run


def children(pid: int) -> list[int]:
    done = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in done.stdout.split()]


def container(run: Run, folder: Path, first: str) -> tuple[int, list[int]]:
    """Processes as of a container: the first one under that name, two below it, one beside them (of
    a health check, say). Gives the first one and all of them.
    """
    program = folder / first
    program.symlink_to("/bin/sh")
    pid = run(str(program), "-c", "sleep 60 & sleep 60 & echo ready; wait")
    other = run("/bin/sh", "-c", "echo ready; sleep 60")
    return pid, [pid, *children(pid), other]


# who is the victim


def test_there_are_as_many_faults_as_promised() -> None:
    assert list(FAULTS) == [*REPLICA_FAULTS, "balancer", "keeper", "engine"]


@pytest.mark.parametrize("name", REPLICA_FAULTS)
def test_the_victim_is_the_member_with_the_lowest_number(world: World, name: str) -> None:
    fault = FAULTS[name](world.scene)
    assert (fault.name, fault.victim, fault.rotates) == (name, "shop-app-1", True)
    assert world.host.calls == []
    world.publish([f"{2:064x}", f"{3:064x}"])
    assert FAULTS[name](world.scene).victim == "shop-app-2"


def test_the_victim_is_not_one_that_was_repaired_lately(world: World) -> None:
    rows = [{"id": f"{number:064x}", "repair_at": 90.0 - number} for number in (1, 2)]
    world.state = {"replicas": rows}
    assert FAULTS["crash"](world.scene).victim == "shop-app-3"
    world.state = {"replicas": [*rows, {"id": f"{3:064x}", "repair_at": 100.0}]}
    assert FAULTS["crash"](world.scene).victim == "shop-app-2", "its turn is next"


@pytest.mark.parametrize("name", REPLICA_FAULTS)
def test_one_replica_is_not_enough(tmp_path: Path, name: str) -> None:
    with pytest.raises(LoadBalancingError) as raised:
        FAULTS[name](World(tmp_path, count=1).scene)
    assert str(raised.value) == (
        f"fault: '{name}' is not allowed with 1 of the replicas in the traffic: at least 2, so "
        "that another one serves meanwhile. Set the variable replicas and run the playbook scale."
    )


def test_a_replica_that_does_not_run_serves_nobody(tmp_path: Path) -> None:
    world = World(tmp_path, count=2)
    world.host.boxes[FIRST].status = "exited"
    with pytest.raises(LoadBalancingError, match="with 1 of the replicas"):
        FAULTS["crash"](world.scene)


@pytest.mark.parametrize("name", REPLICA_FAULTS)
def test_when_a_replica_has_left(world: World, name: str) -> None:
    fault = FAULTS[name](world.scene)
    assert not fault.has_left(world.scene.members())
    assert fault.has_left({})
    assert fault.has_left({FIRST: "10.0.0.77"})


# crash and stop


@pytest.mark.parametrize(
    ("name", "call"),
    [("crash", ("signal", FIRST, "KILL")), ("stop", ("stop", FIRST, 30))],
)
def test_a_replica_that_ends(world: World, name: str, call: tuple[Any, ...]) -> None:
    fault = FAULTS[name](world.scene)
    fault.inject()
    assert world.host.calls == [call]
    fault.restore()
    fault.restore()
    assert world.host.calls == [call, ("start", FIRST)]


@pytest.mark.parametrize("name", ["crash", "stop"])
def test_nothing_is_undone_where_the_keeper_was_first(world: World, name: str) -> None:
    fault = FAULTS[name](world.scene)
    fault.inject()
    world.host.boxes[FIRST].status = "running"
    fault.restore()
    del world.host.boxes[FIRST]  # replaced by another one
    fault.restore()
    assert len(world.host.calls) == 1


# network


def test_a_replica_that_is_cut_off(world: World) -> None:
    fault = FAULTS["network"](world.scene)
    fault.inject()
    assert list(world.host.boxes[FIRST].networks) == ["shop_data"]
    fault.restore()
    fault.restore()
    assert world.host.calls == [("disconnect", FIRST, "edge"), ("connect", FIRST, "edge")]


@pytest.mark.parametrize("gone", [False, True])
def test_a_replica_that_the_keeper_has_connected(world: World, gone: bool) -> None:
    fault = FAULTS["network"](world.scene)
    fault.inject()
    world.host.boxes[FIRST].networks["shop_edge"] = "10.0.0.9"
    if gone:
        del world.host.boxes[FIRST]
    fault.restore()
    assert len(world.host.calls) == 1


# hang


@pytest.mark.parametrize(
    ("first", "stays"), [("docker-init", True), ("tini", True), ("python3", False)]
)
def test_only_the_application_is_frozen(
    world: World, run: Run, tmp_path: Path, first: str, stays: bool
) -> None:
    pid, everybody = container(run, tmp_path, first)
    box = world.host.boxes[FIRST]
    box.pid, box.processes = pid, everybody
    fault = Hang(world.scene)
    fault.inject()
    for frozen in children(pid):
        until(frozen, "T")
    until(pid, "SR" if stays else "T")
    assert state_of(everybody[-1]) in "SR"
    fault.restore()
    for one in everybody:
        until(one, "SR")
    fault.restore()
    assert world.host.calls == []


def test_processes_that_have_ended_meanwhile(world: World, run: Run, tmp_path: Path) -> None:
    pid, everybody = container(run, tmp_path, "docker-init")
    box = world.host.boxes[FIRST]
    box.pid, box.processes = pid, [*everybody, 5_100_000]
    fault = Hang(world.scene)
    fault.inject()
    os.killpg(pid, signal.SIGKILL)
    until(pid, "Z")
    fault.restore()


def test_a_later_process_of_the_same_number_is_left_alone(
    world: World, run: Run, tmp_path: Path
) -> None:
    pid, everybody = container(run, tmp_path, "python3")
    box = world.host.boxes[FIRST]
    box.pid, box.processes = pid, everybody[:1]
    fault = Hang(world.scene)
    fault.inject()
    until(pid, "T")
    proc = tmp_path / "proc" / str(pid)
    proc.mkdir(parents=True)
    fields = ["T", "1", *["0"] * 17, "99"]
    (proc / "stat").write_text(f"{pid} (other) {' '.join(fields)}\n", encoding="utf-8")
    object.__setattr__(fault._scene, "proc", str(tmp_path / "proc"))
    fault.restore()
    assert state_of(pid) == "T"


def test_a_replica_without_processes(world: World) -> None:
    with pytest.raises(LoadBalancingError) as raised:
        Hang(world.scene).inject()
    assert str(raised.value) == "shop-app-1 has no process that could be stopped."


# sick


def mark(world: World) -> dict[str, Any]:
    """What the keeper reads."""
    path = Path(world.paths.state, "drill.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def test_a_sick_replica_is_named_to_the_keeper(world: World) -> None:
    fault = FAULTS["sick"](world.scene)
    before = time.time()
    fault.inject()
    found = mark(world)
    assert found.keys() == {"replica", "until"}
    assert found["replica"] == FIRST
    assert before + drill_faults.SICK_SECONDS <= found["until"]
    assert found["until"] <= time.time() + drill_faults.SICK_SECONDS
    assert Path(world.paths.state, "drill.json").stat().st_mode & 0o777 == 0o600
    fault.restore()
    fault.restore()
    assert mark(world) == {}


def test_a_restart_cures_a_sick_replica(world: World) -> None:
    fault = Sick(world.scene)
    fault.inject()
    for status in ({}, {"replicas": []}, {"replicas": [{"id": FIRST, "restarts": 0}]}):
        fault.watch(status)
    fault.watch({"replicas": [{"id": "another", "restarts": 5}]})
    assert mark(world)
    fault.watch({"replicas": [{"id": FIRST, "restarts": 1}]})
    assert mark(world) == {}
    fault.watch({"replicas": [{"id": FIRST, "restarts": 1}]})
