# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look of the keeper: what is there, what the probes say of it, and whether a deploy runs."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import write_text
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import HealthCheck
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_view import (
    Lookout,
    View,
    deploy_at_work,
    drilled,
    health_check,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import PENDING
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Desired
from tests.unit.fakes.engine import HUNG, ONE_OFF, SICK, START_PERIOD, WELL, Behaviour
from tests.unit.fakes.host import as_member
from tests.unit.fakes.kept import KeptHost, StandInProber
from tests.unit.fakes.steps import calls


class Seeing:
    """A lookout on a host with three replicas, and its prober."""

    def __init__(self, there: KeptHost) -> None:
        self.there = there
        self.prober = StandInProber(lambda: None, there._ask, there.clock)
        self.lookout = Lookout(there.paths, there.host, self.prober)  # type: ignore[arg-type]

    def look(self, probes: int = 0) -> View:
        """Look, after everybody was probed so often."""
        for _unused in range(probes):
            self.prober.probe()
            self.there.clock.sleep(1)
        return self.lookout.look()

    def restarts(self) -> list[int]:
        """What the next look knows of them, once they were counted."""
        self.lookout.count_restarts(self.lookout.look())
        return [count for _replica, count in sorted(self.lookout.look().restarts.items())]

    def states(self, probes: int = 0) -> str:
        return " ".join(one.state for one in self.look(probes).observed.replicas)


@pytest.fixture(name="seeing")
def seeing_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seeing:
    """Nobody was probed yet."""
    return Seeing(KeptHost(tmp_path, monkeypatch))


# replicas


def test_who_was_not_judged_yet_is_what_it_was(seeing: Seeing) -> None:
    """A keeper that starts changes nothing by itself."""
    assert seeing.states() == "healthy healthy healthy"
    seeing.there.replica()
    assert seeing.states() == "healthy healthy healthy starting"
    assert seeing.states(probes=2) == "healthy healthy healthy healthy"


def test_a_member_under_another_address_has_to_be_judged_first(seeing: Seeing) -> None:
    seeing.there.app(2).address = "10.0.0.9"
    assert seeing.states() == "healthy starting healthy"
    assert seeing.states(probes=2) == "healthy healthy healthy"


def test_a_member_that_ended_and_runs_again_has_to_be_judged_first(seeing: Seeing) -> None:
    """It may still be published when it is looked at again: it takes a moment to take it out."""
    seeing.look()
    seeing.look(probes=2)
    seeing.there.engine.end(seeing.there.app(2))
    assert seeing.states() == "healthy stopped healthy"
    seeing.there.engine.start(seeing.there.app(2))
    assert seeing.states() == "healthy starting healthy"
    assert seeing.states(probes=2) == "healthy healthy healthy"


def test_who_a_deploy_lets_join_is_well_until_it_fails(seeing: Seeing) -> None:
    """The deploy probes by itself and may be quicker: failures of the start are none of a member.
    Three since then make it ill.
    """
    seeing.look()
    seeing.look(probes=2)
    seeing.there.replica(Behaviour(ready_after=9.0), age=0.0)
    hung = seeing.there.replica(Behaviour(ready_after=9.0), age=0.0)
    seeing.look()
    assert seeing.states(probes=8).split()[3:] == ["starting", "starting"]
    hung.fault = HUNG
    seeing.there.balancer().publish([as_member(one) for one in seeing.there.engine.of("app")])
    assert seeing.states().split()[3:] == ["healthy", "healthy"]
    assert seeing.states(probes=2).split()[3:] == ["healthy", "healthy"]
    assert seeing.states(probes=1).split()[3:] == ["healthy", "ill"]


def test_the_engines_word_comes_before_the_probes(seeing: Seeing) -> None:
    seeing.look()
    seeing.look(probes=2)
    seeing.there.engine.end(seeing.there.app(1))
    seeing.there.app(2).status = "paused"
    seeing.there.app(3).address = ""
    found = seeing.look()
    assert [one.state for one in found.observed.replicas] == ["stopped", "ill", "ill"]
    assert list(found.containers.values()) == ["exited", "paused", "running"]
    assert found.health == {}, "nobody is left to be probed"


@pytest.mark.parametrize(
    ("fault", "answered", "reason"), [(HUNG, False, "timed out"), (SICK, True, "answered 503")]
)
def test_three_failures_make_a_replica_ill(
    seeing: Seeing, fault: str, answered: bool, reason: str
) -> None:
    seeing.look()
    seeing.look(probes=2)
    seeing.there.app(2).fault = fault
    assert seeing.states(probes=2) == "healthy healthy healthy"
    found = seeing.look(probes=1)
    assert found.observed.replicas[1].state == "ill"
    health = found.health[seeing.there.app(2).id]
    assert (health.answered, health.reason) == (answered, reason)


def test_one_that_starts_slowly_is_not_ill(seeing: Seeing) -> None:
    """The engine's health check tells a slow start from an illness."""
    seeing.there.replica(Behaviour(ready_after=40.0), age=0.0)
    assert seeing.states() == "healthy healthy healthy starting"
    assert seeing.states(probes=10) == "healthy healthy healthy starting"
    assert seeing.states(probes=40) == "healthy healthy healthy healthy"


def test_the_engines_word_is_no_proof_of_a_start_once_it_was_restarted_itself(
    seeing: Seeing,
) -> None:
    seeing.look()
    seeing.look(probes=2)
    seeing.there.clock.sleep(START_PERIOD)
    seeing.there.engine.checked_since = seeing.there.clock.now
    seeing.there.app(2).fault = HUNG
    assert seeing.states(probes=3) == "healthy ill healthy"
    seeing.there.replica(Behaviour(ready_after=40.0), age=0.0)
    assert seeing.states(probes=10) == "healthy ill healthy starting"


def test_what_compose_runs_once_is_no_replica(seeing: Seeing) -> None:
    seeing.there.replica(labels={ONE_OFF: "True"})
    seeing.there.replica(labels={"digiz.load_balancing.stack": "shop2"})
    assert seeing.states() == "healthy healthy healthy"


def test_another_image_behind_the_same_name_is_a_deploys_business(seeing: Seeing) -> None:
    seeing.there.app(2).image_id = "sha256:other"
    found = seeing.look()
    assert found.desired == Desired(3, "new", "", 1)
    assert all(found.desired.is_met_by(one) for one in found.observed.replicas)


def test_restarts_are_asked_only_of_who_is_not_well(seeing: Seeing) -> None:
    there = seeing.there
    for one in there.engine.of("app"):
        one.restart_count = 2
    assert seeing.look().restarts == {}
    assert seeing.restarts() == [2, 2, 2]
    there.app(2).restart_count = 3
    there.app(2).status = "restarting"
    there.engine.calls.clear()
    assert seeing.restarts() == [2, 3, 2]
    assert calls(there, "inspect") == [(there.app(2).id,)]


@pytest.mark.parametrize("status", ["running", "restarting", "exited"])
def test_no_look_asks_the_engine_of_one_that_has_just_ended(seeing: Seeing, status: str) -> None:
    """It would answer when it has started it again; who has ended gets traffic until then."""
    seeing.restarts()
    seeing.there.app(2).status = status
    seeing.prober.fail(seeing.there.app(2).id, "it ended")
    seeing.there.engine.calls.clear()
    assert seeing.states() != "healthy healthy healthy"
    assert calls(seeing.there, "inspect") == []


def test_of_one_that_is_being_started_nothing_is_asked(seeing: Seeing) -> None:
    """The engine would answer only when it is over."""
    seeing.restarts()
    seeing.there.replica().status = "created"
    seeing.there.engine.calls.clear()
    assert seeing.restarts() == [0, 0, 0, 0]
    assert calls(seeing.there, "inspect") == []


def test_an_engine_that_hangs_meanwhile_loses_no_count(seeing: Seeing) -> None:
    seeing.there.app(1).restart_count = 2
    assert seeing.restarts() == [2, 0, 0]
    seeing.there.app(2).status = "exited"
    view = seeing.look()
    seeing.there.engine.failing["inspect"] = docker.errors.APIError("server error")
    with pytest.raises(LoadBalancingError, match="server error"):
        seeing.lookout.count_restarts(view)
    assert list(seeing.look().restarts.values()) == [2, 0]


# the rest


def test_what_is_published_and_served(seeing: Seeing) -> None:
    there = seeing.there
    found = seeing.look()
    assert (found.release, found.settled, found.deploy) == (1, True, "")
    assert (found.balancer_runs, found.observed.served) == (True, True)
    assert found.published == there.balancer().published()
    assert list(found.observed.members.values()) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    there.nginx.generation = 0
    assert not seeing.look().observed.served


@pytest.mark.parametrize(
    ("status", "runs"),
    [("running", True), ("restarting", True), ("exited", False), ("created", False)],
)
def test_whether_the_balancer_runs(seeing: Seeing, status: str, runs: bool) -> None:
    seeing.there.engine.of("balancer")[0].status = status
    assert seeing.look().balancer_runs == runs


def test_a_balancer_that_does_not_run_will_start_with_what_is_published(seeing: Seeing) -> None:
    seeing.there.engine.containers = {one.id: one for one in seeing.there.engine.of("app")}
    seeing.there.engine.on_change()
    found = seeing.look()
    assert (found.balancer_runs, found.observed.served) == (False, True)


def test_the_stack_is_read_again_with_another_release(seeing: Seeing) -> None:
    there = seeing.there
    stack = dataclasses.replace(there.stack, count=5, revision="newer", health_path="/up")
    there.deploy_release(stack, PENDING)
    found = seeing.look()
    assert (found.release, found.settled) == (2, False)
    assert found.stack == stack
    assert {key[2].path for key in seeing.prober._known} == {"/up"}


def test_a_release_that_is_damaged_later_is_read_no_more(seeing: Seeing) -> None:
    seeing.look()
    write_text(os.path.join(seeing.there.paths.release, "stack.json"), "{")
    assert seeing.look().stack == seeing.there.stack


def test_an_engine_that_does_not_answer_is_told(seeing: Seeing) -> None:
    seeing.there.engine.failing["containers"] = docker.errors.APIError("server error")
    with pytest.raises(LoadBalancingError, match="server error"):
        seeing.look()


def test_the_check_is_the_stacks(seeing: Seeing) -> None:
    stack = dataclasses.replace(
        seeing.there.stack,
        health_interval=0.5,
        health_timeout=0.2,
        health_rise=4,
        health_fall=5,
        health_statuses=((204, 204),),
    )
    assert health_check(stack) == HealthCheck(8000, "/health", 0.5, 0.2, 4, 5, ((204, 204),))


# deploys and drills


def test_a_deploy_is_at_work_while_it_gives_signs_of_life(seeing: Seeing) -> None:
    there, lock = seeing.there, DeployLock(seeing.there.paths)
    assert deploy_at_work(lock) == ""
    there.lock()
    assert deploy_at_work(lock) == "deploy by ana from laptop"
    there.clock.sleep(30)
    assert deploy_at_work(lock) == "deploy by ana from laptop"
    there.clock.sleep(1)
    assert deploy_at_work(lock) == ""


def test_a_sign_of_life_from_before_the_clock_was_set_back_is_none(seeing: Seeing) -> None:
    there, lock = seeing.there, DeployLock(seeing.there.paths)
    there.lock()
    there.clock.now -= 3600
    assert deploy_at_work(lock) == ""


def test_a_damaged_lock_is_none(seeing: Seeing) -> None:
    write_text(os.path.join(seeing.there.paths.state, "lock.json"), '{"token": "x"')
    assert deploy_at_work(DeployLock(seeing.there.paths)) == ""


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"replica": "abc"}', '{"replica": "abc", "until": "soon"}'],
)
def test_a_damaged_mark_drills_nobody(seeing: Seeing, text: str) -> None:
    write_text(os.path.join(seeing.there.paths.state, "drill.json"), text)
    assert drilled(seeing.there.paths) == ""


def test_a_drill_ends_by_itself(seeing: Seeing) -> None:
    there = seeing.there
    assert drilled(there.paths) == ""
    mark = {"replica": "abc", "until": there.clock.now + 20}
    write_text(os.path.join(there.paths.state, "drill.json"), json.dumps(mark))
    there.clock.sleep(19)
    assert drilled(there.paths) == "abc"
    there.clock.sleep(1)
    assert drilled(there.paths) == ""


def test_other_services_are_no_replicas(seeing: Seeing) -> None:
    engine = seeing.there.engine
    engine.services["database"] = dataclasses.replace(engine.services["balancer"], role="database")
    engine.create("database", WELL)
    found = seeing.look()
    assert len(found.observed.replicas) == len(found.containers) == 3
