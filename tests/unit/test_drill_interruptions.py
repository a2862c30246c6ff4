# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drill that cannot go on, or is told to end: what it broke is put right, whatever the moment."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill import (
    Drill,
    Interruption,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.drill import CRASH, FIRST, DrillTraffic, World
from tests.unit.fakes.host import STACK

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A stack that is whole, with a keeper that mends it."""
    world = World(tmp_path)
    world.stand_in(monkeypatch)
    return world


# what the engine refuses


def test_a_fault_that_cannot_be_injected(world: World) -> None:
    world.host.failing["signal"] = LoadBalancingError("Docker's engine refused: no.")
    with pytest.raises(LoadBalancingError) as raised:
        Drill(world.paths, CRASH).run()
    assert str(raised.value) == "Docker's engine refused: no."
    assert world.traffic[0].done == ["start", "stop"]


def test_what_cannot_be_undone_is_told(world: World) -> None:
    world.restart_after = world.whole_after = float("inf")
    world.host.failing["start"] = LoadBalancingError("Docker's engine refused: no.")
    with pytest.raises(LoadBalancingError) as raised:
        Drill(world.paths, CRASH).run()
    assert str(raised.value) == (
        "What the drill did to shop-app-1 could not be undone: Docker's engine refused: no."
    )
    assert world.traffic[0].done == ["start", "stop"]


# a deploy, a signal


def test_a_deploy_begins_meanwhile(world: World) -> None:
    world.state["deploy"] = "deploy by ana from laptop"
    world.restart_after = float("inf")
    with pytest.raises(LoadBalancingError) as raised:
        Drill(world.paths, CRASH).run()
    assert str(raised.value) == (
        "A deploy has begun during the drill: deploy by ana from laptop. The drill is ended, and "
        "what it broke is put right."
    )
    assert world.host.calls == [("signal", FIRST, "KILL"), ("start", FIRST)]


@pytest.fixture(name="heard")
def heard_fixture() -> Iterator[None]:
    """No signal is ignored, as some are below nohup or in the background of a script."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", [1.0, 5.0, 12.0])
def test_a_drill_that_is_told_to_end(world: World, number: signal.Signals, moment: float) -> None:
    """At any moment, and again and again while it puts things right."""
    end = world.clock.now + moment

    def tick() -> None:
        world.tick()
        if world.clock.now >= end:
            os.kill(os.getpid(), number)

    world.clock.on_sleep = tick
    world.host.on_call = lambda: (world.broken(), world.clock.sleep(0.1))
    one = Drill(world.paths, CRASH)
    before = signal.getsignal(number)
    with pytest.raises(LoadBalancingError) as raised:
        one.run()
    assert str(raised.value) == (
        f"The drill was ended by {number.name}. What it broke is put right."
    )
    assert one.injected == (moment > drill.WARM_UP)
    done = [("signal", FIRST, "KILL"), ("start", FIRST)]
    assert world.host.calls == (done if one.injected else [])
    assert world.traffic[0].done == ["start", "stop"]
    assert signal.getsignal(number) == before


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            interruption.ignore()
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# an injection that takes its time


def test_an_injection_that_goes_on_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica may take its whole grace to stop; it is watched meanwhile, undone afterwards."""
    monkeypatch.undo()
    monkeypatch.setattr(drill, "Traffic", DrillTraffic)
    monkeypatch.setattr(drill, "keeper_status", lambda _port: world.status())
    monkeypatch.setattr(DockerHost, "connect", lambda _paths: world.host)
    monkeypatch.setattr(drill, "WARM_UP", 0.0)
    monkeypatch.setattr(drill, "COOL_DOWN", 0.0)
    monkeypatch.setattr(drill, "PATIENCE", 0.2)
    stack = replace(STACK, restart_after=0.0, start_timeout=-20.0)
    Path(world.paths.release, "stack.json").write_text(json.dumps(stack.as_dict()), "utf-8")
    order: list[str] = []

    def stop() -> None:
        if "begun" not in order:
            order.append("begun")
            time.sleep(0.5)
            order.append("done")
        else:
            order.append("undone")

    world.host.on_call = stop
    report = Drill(world.paths, replace(CRASH, fault="stop")).run()
    assert not report.mended
    assert order == ["begun", "done", "undone"]
