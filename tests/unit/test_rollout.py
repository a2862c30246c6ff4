# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observe, join, drain and stop: what each step does, what it says, and when it does nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import probe
from ansible_collections.digiz.load_balancing.plugins.module_utils import replicas as planner
from ansible_collections.digiz.load_balancing.plugins.module_utils import rollout as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    Desired,
    make_plan,
)
from tests.unit.fakes.engine import NEVER_HEALTHY, ONE_OFF, Behaviour
from tests.unit.fakes.host import IMAGE, SimulatedHost, names
from tests.unit.fakes.steps import calls, rollout, serving, step


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    return SimulatedHost(tmp_path, monkeypatch)


# observe


def test_what_is_wanted_and_what_is_there(there: SimulatedHost) -> None:
    first, second = serving(there, 2)
    there.replica(Behaviour(hung=True), "old")
    there.replica(NEVER_HEALTHY, age=5)
    there.replica(status="exited")
    there.replica(labels={ONE_OFF: "True"})
    assert rollout(there).desired() == Desired(3, "new", IMAGE, 1)
    found = rollout(there).observe()
    assert [(r.name, r.state) for r in found.replicas] == [
        ("shop-app-1", "healthy"),
        ("shop-app-2", "healthy"),
        ("shop-app-3", "ill"),
        ("shop-app-4", "starting"),
        ("shop-app-5", "stopped"),
    ]
    assert found.members == {first.id: first.address, second.id: second.address}
    assert found.served
    there.nginx.generation = 0
    assert not rollout(there).observe().served


@pytest.mark.parametrize("fall", [1, 4])
def test_health_is_what_the_stack_says(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch, fall: int
) -> None:
    serving(there, 1)
    monkeypatch.setattr(module, "is_healthy", probe.is_healthy)
    asked = []

    def refused(*arguments: object) -> probe.Probe:
        asked.append(arguments)
        return probe.Probe(False, 0.0, "answered 200")

    monkeypatch.setattr(probe, "probe", refused)
    changes = {"health_path": "/up", "health_timeout": 0.3, "health_statuses": ((204, 204),)}
    found = rollout(there, health_fall=fall, **changes).observe()
    assert [r.state for r in found.replicas] == ["ill"]
    assert asked == [(found.replicas[0].address, 8000, "/up", 0.3, ((204, 204),))] * fall


# join


def test_a_join_publishes_the_healthy_ones_and_takes_the_others_out(there: SimulatedHost) -> None:
    first, second = serving(there, 2, "old")
    new = there.replica()
    done = rollout(there, count=2).carry_out(step(planner.JOIN, first))
    assert done.text == "in: shop-app-3; out: shop-app-1; 2 members, generation 2"
    assert done.details == {"generation": 2, "joined": ["shop-app-3"], "left": ["shop-app-1"]}
    assert there.serving() == names([second, new])
    assert there.nginx.reloads == 1


def test_a_join_that_holds_already_does_nothing(there: SimulatedHost) -> None:
    serving(there, 2)
    done = rollout(there, count=2).carry_out(step(planner.JOIN))
    assert (done.text, done.changed) == ("2 members, generation 1", False)
    assert there.nginx.reloads == 0


def test_nobody_is_taken_out_who_is_needed(there: SimulatedHost) -> None:
    """The new one died between its start and this step."""
    first, second = serving(there, 2, "old")
    there.replica(Behaviour(hung=True))
    done = rollout(there, count=2).carry_out(step(planner.JOIN, first))
    assert (done.text, done.changed, done.stale) == (
        "shop-app-1 must stay: plan again",
        False,
        True,
    )
    assert there.serving() == names([first, second])


def test_members_are_not_emptied(there: SimulatedHost) -> None:
    there.replica(Behaviour(hung=True))
    there.start_balancer()
    done = rollout(there).carry_out(step(planner.JOIN))
    assert (done.text, done.changed, done.stale) == ("nobody is healthy: plan again", False, True)


# drain


def test_a_drain_waits_for_the_last_request(there: SimulatedHost) -> None:
    first, second = serving(there, 2)
    there.nginx.request_seconds = 3.0
    run = rollout(there, count=1)
    run.carry_out(step(planner.JOIN, second))
    done = run.carry_out(step(planner.DRAIN, second))
    assert done.text == "shop-app-2 drained of 1 connections in 3.2 s"
    assert done.details == {"connections": 1, "left": 0, "seconds_to_drain": 3.2}
    assert not there.nginx.holds(second.address)
    assert there.nginx.holds(first.address)


def test_a_drain_waits_for_idle_clients_of_old_workers(there: SimulatedHost) -> None:
    """Their next request would go by the old member list."""
    _unused, second = serving(there, 2)
    there.nginx.idle_seconds = 10.0
    run = rollout(there, count=1)
    run.carry_out(step(planner.JOIN, second))
    assert run.carry_out(step(planner.DRAIN, second)).details["seconds_to_drain"] >= 10


def test_two_quiet_looks_are_needed(there: SimulatedHost) -> None:
    _unused, second = serving(there, 2)
    run = rollout(there, count=1)
    run.carry_out(step(planner.JOIN, second))
    assert run.carry_out(step(planner.DRAIN, second)).details["seconds_to_drain"] == 0.4


def test_a_drain_has_a_limit(there: SimulatedHost) -> None:
    _unused, second = serving(there, 2)
    there.nginx.request_seconds = 10_000.0
    run = rollout(there, count=1, drain_timeout=30.0)
    run.carry_out(step(planner.JOIN, second))
    done = run.carry_out(step(planner.DRAIN, second))
    assert done.text == (
        "shop-app-2 still has 1 connections after 30 s, "
        "the limit that app_drain_timeout sets; they will be cut"
    )
    assert done.details["left"] == 1


def test_a_member_is_never_drained(there: SimulatedHost) -> None:
    first, _unused = serving(there, 2)
    done = rollout(there).carry_out(step(planner.DRAIN, first))
    assert (done.text, done.changed, done.stale) == (
        "it is a member again: plan again",
        False,
        True,
    )


def test_without_a_balancer_nobody_can_be_connected(there: SimulatedHost) -> None:
    gone = there.replica()
    assert rollout(there).carry_out(step(planner.DRAIN, gone)).details["left"] == 0


# stop


def test_a_stop_removes_by_id_with_the_grace_of_the_stack(there: SimulatedHost) -> None:
    first, second = there.replica(), there.replica()
    there.start_balancer()
    done = rollout(there).carry_out(step(planner.STOP, first, second))
    assert done.changed
    assert done.text.startswith("shop-app-1, shop-app-2 stopped in 0.")
    assert there.engine.of("app") == []
    assert sorted(calls(there, "stop")) == sorted([(first.id, 30), (second.id, 30)])
    assert {(one.id, True, True) for one in (first, second)} < set(calls(there, "remove"))


def test_what_is_gone_already_is_stopped(there: SimulatedHost) -> None:
    gone = there.replica()
    del there.engine.containers[gone.id]
    there.start_balancer()
    assert not rollout(there).carry_out(step(planner.STOP, gone)).changed


def test_a_running_member_is_never_stopped(there: SimulatedHost) -> None:
    first, _unused = serving(there, 2)
    done = rollout(there).carry_out(step(planner.STOP, first))
    assert (done.text, done.changed, done.stale) == (
        "it is a member again: plan again",
        False,
        True,
    )
    assert first.status == "running"


def test_a_dead_member_is_removed(there: SimulatedHost) -> None:
    first, second = serving(there, 2)
    first.status = "exited"
    assert rollout(there).carry_out(step(planner.STOP, first)).changed
    assert there.engine.of("app") == [second]


# all of them


def test_a_rolling_update_as_an_operator_sees_it(there: SimulatedHost) -> None:
    serving(there, 2, "old")
    there.nginx.request_seconds = 1.0
    run = rollout(there, count=2)
    steps = make_plan(run.observe(), run.desired())
    assert [run.carry_out(one).text for one in steps] == [
        "shop-app-3 healthy after 1.2 s",
        "in: shop-app-3; out: shop-app-1; 2 members, generation 2",
        "shop-app-1 drained of 1 connections in 1.2 s",
        "shop-app-1 stopped in 0.3 s",
        "shop-app-4 healthy after 1.2 s",
        "in: shop-app-4; out: shop-app-2; 2 members, generation 3",
        "shop-app-2 drained of 1 connections in 1.2 s",
        "shop-app-2 stopped in 0.3 s",
    ]
    assert make_plan(run.observe(), run.desired()) == []
    assert there.serving() == ["shop-app-3", "shop-app-4"]
