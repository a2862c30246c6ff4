# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of what there is one of on a host: the balancer, the keeper, Docker's engine.

Processes are real ones: programs of this test's own that wait. The engine's is a stand-in.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill_host_faults
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_host_faults import (
    BalancerKill,
    EngineRestart,
    KeeperKill,
    is_keeper,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.drill import BALANCER, World
from tests.unit.processes import Run, programs, state_of, until


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path) -> World:
    """A stack of three replicas."""
    return World(tmp_path)


@pytest.fixture(name="run")
def run_fixture() -> Iterator[Run]:
    """Starts a program of ours and gives its process id; it ends with the test."""
    with programs() as run:
        yield run


# balancer


def test_a_balancer_that_is_killed(world: World, run: Run) -> None:
    pid = run("/bin/sh", "-c", "echo ready; exec sleep 60")
    box = world.host.boxes[BALANCER]
    box.pid = pid
    fault = BalancerKill(world.scene)
    assert (fault.victim, fault.rotates) == ("shop-balancer-1", False)
    fault.inject()
    until(pid, "Z")
    assert not fault.is_mended({})
    box.status = "exited"
    assert not fault.is_mended({})
    fault.restore()
    fault.restore()
    assert world.host.calls == [("start", BALANCER)]
    box.pid = pid + 1
    assert fault.is_mended({})


def test_a_balancer_that_has_another_process_by_now(world: World, run: Run) -> None:
    pid = run("/bin/sh", "-c", "echo ready; exec sleep 60")
    world.host.boxes[BALANCER].pid = pid
    fault = BalancerKill(world.scene)
    world.host.boxes[BALANCER].pid = 5_100_000
    fault.inject()
    assert state_of(pid) in "SR"


def test_a_balancer_that_ends_by_itself(world: World) -> None:
    """Neither its process nor its container is there any more."""
    fault = BalancerKill(world.scene)
    fault.inject()  # the process of that number has ended
    del world.host.boxes[BALANCER]
    fault.inject()
    fault.restore()
    assert world.host.calls == []


def test_there_is_no_balancer(world: World) -> None:
    world.host.boxes[BALANCER].status = "exited"
    with pytest.raises(LoadBalancingError) as raised:
        BalancerKill(world.scene)
    assert str(raised.value) == "The stack shop has no running balancer. Run the playbook deploy."


# keeper

WAITS = "import time; print('ready', flush=True); time.sleep(60)"


def keeper(run: Run, stack: str = "shop", module: str = "module_utils.keeper") -> int:
    return run(sys.executable, "-c", WAITS, module, "--stack", stack)


def test_a_keeper_that_is_killed(world: World, run: Run) -> None:
    pid = keeper(run)
    world.state["pid"] = pid
    fault = KeeperKill(world.scene)
    assert (fault.victim, fault.rotates) == ("the keeper of shop", False)
    fault.inject()
    until(pid, "Z")
    assert not fault.is_mended({})
    assert not fault.is_mended({"pid": pid})
    assert fault.is_mended({"pid": pid + 1})


@pytest.mark.parametrize(
    ("stack", "module"),
    [("shop2", "module_utils.keeper"), ("shop", "module_utils.keeper_guard"), ("shop", "x")],
)
def test_another_program_is_not_killed(world: World, run: Run, stack: str, module: str) -> None:
    pid = keeper(run, stack, module)
    world.state["pid"] = pid
    with pytest.raises(LoadBalancingError) as raised:
        KeeperKill(world.scene)
    assert str(raised.value) == (
        f"The process {pid}, which the keeper of the stack shop says to be, is another program. "
        "Nothing was killed."
    )
    assert state_of(pid) in "SR"


def test_a_keeper_that_has_ended_meanwhile(world: World, run: Run) -> None:
    pid = keeper(run)
    world.state["pid"] = pid
    fault = KeeperKill(world.scene)
    os.kill(pid, signal.SIGKILL)
    until(pid, "Z")
    with pytest.raises(LoadBalancingError, match="is another program"):
        fault.inject()


@pytest.mark.parametrize("status", [{}, {"pid": None}, {"pid": 0}, {"pid": 5_100_000}])
def test_a_keeper_without_a_process(world: World, status: dict[str, Any]) -> None:
    world.state.update({"pid": None, **status})
    with pytest.raises(LoadBalancingError, match="is another program"):
        KeeperKill(world.scene)


@pytest.mark.parametrize(
    ("init", "command"),
    [
        ("systemd", ["systemctl", "start", "digiz-keeper-shop.service"]),
        ("sysv", ["/etc/init.d/digiz-keeper-shop", "start"]),
    ],
)
def test_the_service_of_a_silent_keeper_is_started(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch, init: str, command: list[str]
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(drill_host_faults, "init_system", lambda: init)
    monkeypatch.setattr(
        drill_host_faults.programs, "run", lambda words, *_unused: commands.append(words)
    )
    world.state["pid"] = keeper(run)
    fault = KeeperKill(world.scene)
    fault.restore()
    assert commands == []
    world.silent = True
    fault.restore()
    assert commands == [command]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python3 -m ansible_collections.d.l.plugins.module_utils.keeper --stack shop", True),
        ("python3 /opt/shop/keeper/current/keeper.py --stack=shop", True),
        ("python3 -m module_utils.keeper --stack shop2", False),
        ("python3 -m module_utils.keeper_guard --stack shop", False),
        ("bookkeeper --stack shop", False),
        ("vi keeper.py", False),
        ("", False),
    ],
)
def test_what_a_keeper_looks_like(line: str, expected: bool) -> None:
    assert is_keeper([*line.split(" "), ""], "shop") is expected


# engine


class EngineService:
    """Takes the place of the module engine_service and of the engine's process."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.pid = 77
        self.is_there = True
        self.hears = True

    def start(self, init: str, timeout: float) -> str:
        """Start it."""
        self.done.append(("start", init, timeout))
        self.is_there, self.pid = True, 78
        return init

    def answers(self) -> bool:
        """Whether it answers."""
        return self.is_there

    def kill(self, pid: int, number: int) -> None:
        """What ``os.kill`` does."""
        self.done.append(("kill", pid, number))
        self.pid = 0 if self.hears else self.pid

    def run(self, command: list[str], what: str, timeout: float) -> None:
        """What ``programs.run`` does."""
        self.done.append(command)


@pytest.fixture(name="engine")
def engine_fixture(monkeypatch: pytest.MonkeyPatch, world: World) -> EngineService:
    """The engine of a host without systemd."""
    service = EngineService()
    monkeypatch.setattr(drill_host_faults, "engine_service", service)
    monkeypatch.setattr(drill_host_faults, "engine_pid", lambda: service.pid)
    monkeypatch.setattr(drill_host_faults, "init_system", lambda: "none")
    monkeypatch.setattr(drill_host_faults.os, "kill", service.kill)
    monkeypatch.setattr(drill_host_faults.programs, "run", service.run)
    monkeypatch.setattr(drill_host_faults, "time", world.clock)
    return service


def test_the_engine_is_restarted(world: World, engine: EngineService) -> None:
    fault = EngineRestart(world.scene)
    assert (fault.victim, fault.rotates) == ("Docker's engine", False)
    fault.inject()
    assert engine.done == [("kill", 77, signal.SIGTERM), ("start", "none", 60)]
    fault.restore()
    engine.is_there = False
    fault.restore()
    assert engine.done[2:] == [("start", "none", 60)]


def test_the_engine_is_restarted_by_systemd(
    world: World, engine: EngineService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill_host_faults, "init_system", lambda: "systemd")
    EngineRestart(world.scene).inject()
    assert engine.done == [["systemctl", "restart", "docker.service"], ("start", "systemd", 60)]


def test_an_engine_that_would_end_all_containers(world: World) -> None:
    world.host.live_restore = False
    with pytest.raises(LoadBalancingError) as raised:
        EngineRestart(world.scene)
    assert str(raised.value) == (
        "fault: 'engine' is not allowed while live-restore is off in Docker's engine: its restart "
        "would end every container of this host. Run the playbook deploy, which sets it, or set "
        '"live-restore": true in /etc/docker/daemon.json.'
    )


def test_an_engine_that_does_not_end(world: World, engine: EngineService) -> None:
    engine.hears = False
    with pytest.raises(LoadBalancingError) as raised:
        EngineRestart(world.scene).inject()
    assert str(raised.value) == "Docker's engine did not end within 60 s of SIGTERM."


def test_an_engine_without_a_process(world: World, engine: EngineService) -> None:
    engine.pid = 0
    with pytest.raises(LoadBalancingError) as raised:
        EngineRestart(world.scene).inject()
    assert str(raised.value) == ("Docker's engine has no process on this host. Nothing was done.")
    assert engine.done == []
