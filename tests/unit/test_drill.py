# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole drill on a simulated stack: what it measures, and whether somebody mends."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import drill
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill import Drill
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_faults import FAULTS
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_host_faults import (
    EngineRestart,
)
from tests.unit.fakes.drill import CRASH, FIRST, QUIET, World
from tests.unit.fakes.host import STACK


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A stack that is whole, with a keeper that mends it."""
    world = World(tmp_path)
    world.stand_in(monkeypatch)
    return world


def audit(world: World) -> list[str]:
    """The audit log without its times."""
    lines = Path(world.paths.state, "audit.log").read_text("utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines]


# a drill that goes well


def test_a_crash(world: World) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    one = Drill(world.paths, CRASH)
    report = one.run()
    assert one.injected
    assert report.mended
    assert report.text == (
        "crash: shop-app-1 out of rotation after 4.1 s, whole again after 17.3 s; "
        "0 of 1,204 requests failed, longest pause 0.4 s"
    )
    assert report.as_dict() == {
        "fault": "crash",
        "victim": "shop-app-1",
        "mended": True,
        "out_seconds": pytest.approx(4.1, abs=0.06),
        "whole_seconds": pytest.approx(17.3, abs=0.3),
        "fault_at": drill.WARM_UP,
        "requests": {**QUIET.as_dict(), "failed": 0},
    }
    assert world.host.calls == [("signal", FIRST, "KILL")]
    assert world.traffic[0].done == ["start", "stop"]
    assert audit(world) == [
        "ana@laptop drill: crash of shop-app-1",
        f"ana@laptop drill: {report.text}",
    ]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_what_is_asked_for(world: World) -> None:
    Drill(world.paths, CRASH).run()
    Drill(world.paths, replace(CRASH, rate=7, path="/api")).run()
    assert [(one.target.port, one.rate, one.path) for one in world.traffic] == [
        (8080, 50, "/health"),
        (8080, 7, "/api"),
    ]
    assert world.traffic[0].target.host == "127.0.0.1"
    assert world.traffic[0].target.agent.startswith("digiz-load-balancing-drill/")
    assert world.traffic[0].target.agent != world.traffic[1].target.agent


def test_the_health_path_has_statuses_of_its_own(world: World) -> None:
    stack = replace(STACK, health_statuses=((204, 204),))
    Path(world.paths.release, "stack.json").write_text(json.dumps(stack.as_dict()), "utf-8")
    Drill(world.paths, CRASH).run()
    Drill(world.paths, replace(CRASH, path="/")).run()
    assert [one.statuses for one in world.traffic] == [((204, 204),), ((200, 399),)]


def test_a_sick_replica_is_well_after_its_restart(world: World) -> None:
    mark = Path(world.paths.state, "drill.json")
    seen: list[tuple[float, bool]] = []
    begun = world.clock.now

    def look() -> None:
        if mark.exists():
            world.broken()
        world.tick()
        seen.append((world.clock.now - begun, mark.exists()))

    world.clock.on_sleep = look
    report = Drill(world.paths, replace(CRASH, fault="sick")).run()
    assert report.mended
    sick = [moment for moment, there in seen if there]
    assert max(sick) == pytest.approx(drill.WARM_UP + world.restart_after, abs=0.5)
    assert not mark.exists()


@pytest.mark.parametrize("fault", ["stop", "network"])
def test_other_faults_of_a_replica(world: World, fault: str) -> None:
    report = Drill(world.paths, replace(CRASH, fault=fault)).run()
    assert report.healing == (
        f"{fault}: shop-app-1 out of rotation after 4.1 s, whole again after 17.3 s"
    )
    assert len(world.host.calls) == 1


def test_a_fault_without_rotation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole only by what the keeper has seen since, and only when the victim itself is back."""
    backs: list[float] = []
    injected: list[float] = []

    class Engine(EngineRestart):
        def inject(self) -> None:
            injected.append(world.clock.now)

        def restore(self) -> None:
            """The machine's own engine is left alone, running or not."""

        def is_mended(self, status: dict[str, Any]) -> bool:
            backs.append(world.clock.now - injected[0])
            return backs[-1] >= 2.45

    monkeypatch.setitem(FAULTS, "engine", Engine)
    world.state["time"] = 0.0
    world.clock.on_sleep = lambda: (
        world.state.pop("time", None) if injected and world.clock.now - injected[0] > 1 else None
    )
    report = Drill(world.paths, replace(CRASH, fault="engine")).run()
    assert min(backs) > 1
    assert report.course.whole == pytest.approx(2.6, abs=0.2)
    assert report.healing.startswith("engine: Docker's engine whole again after 2.")
    assert report.as_dict()["out_seconds"] is None


# a drill after which something is still broken


def test_nobody_mends(world: World) -> None:
    world.restart_after = world.whole_after = float("inf")
    started = world.clock.now
    report = Drill(world.paths, CRASH).run()
    assert not report.mended
    assert report.healing == (
        "crash: shop-app-1 out of rotation after 4.1 s, not whole again within 90 s "
        "(degraded: 2 of 3 replicas are healthy)"
    )
    assert world.clock.now - started == pytest.approx(94, abs=0.1)
    assert world.host.calls == [("signal", FIRST, "KILL"), ("start", FIRST)]
    assert world.traffic[0].done == ["start", "stop"]


def test_nobody_notices(world: World) -> None:
    world.out_after = world.restart_after = world.whole_after = float("inf")
    report = Drill(world.paths, CRASH).run()
    assert report.healing == (
        "crash: shop-app-1 never out of rotation, not whole again within 90 s"
    )
    assert report.as_dict()["out_seconds"] is None
    assert world.host.calls[-1] == ("start", FIRST)


def test_the_keeper_is_silent_in_the_end(world: World) -> None:
    world.clock.on_sleep = lambda: (world.tick(), setattr(world, "silent", True))
    report = Drill(world.paths, CRASH).run()
    assert report.healing.endswith("not whole again within 90 s (no keeper answers)")


@pytest.mark.parametrize(
    ("restart_after", "start_timeout", "expected"),
    [(10.0, 60.0, 90.0), (10.0, 1.0, 90.0), (60.0, 120.0, 200.0), (3600.0, 60.0, 240.0)],
)
def test_slow_stacks_get_more_time(
    world: World, restart_after: float, start_timeout: float, expected: float
) -> None:
    stack = replace(STACK, restart_after=restart_after, start_timeout=start_timeout)
    Path(world.paths.release, "stack.json").write_text(json.dumps(stack.as_dict()), "utf-8")
    world.restart_after = world.whole_after = float("inf")
    report = Drill(world.paths, CRASH).run()
    assert f"not whole again within {expected:.0f} s" in report.healing


def test_fewer_members_than_wanted_are_not_whole(world: World) -> None:
    world.state["wanted"] = 4
    assert not Drill(world.paths, CRASH).run().mended
