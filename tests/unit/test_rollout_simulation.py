# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole rollouts on a simulated host, from any situation and cut off anywhere.

Watched at every call to the engine: never fewer healthy members than were wanted (or there at the
beginning, if that is less), never more containers than wanted and surge allow, nothing stopped that
nginx may still send to.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import Member
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import make_plan
from ansible_collections.digiz.load_balancing.plugins.module_utils.rollout import Rollout
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from tests.unit.examples import examples
from tests.unit.fakes.engine import WELL, Behaviour, Container, Killed
from tests.unit.fakes.host import STACK, STATIC, SimulatedHost, as_member

MANY = 40
"""Plans after which a rollout that has not ended never will."""


@dataclass(frozen=True)
class Kind:
    """A replica that is there at the beginning. ``member``: ``no``, ``yes`` or ``elsewhere``, which
    is published under an address that it no longer has.
    """

    revision: str
    state: str
    member: str


KINDS = st.builds(
    Kind,
    st.sampled_from(("old", "new")),
    st.sampled_from(("healthy", "healthy", "starting", "ill", "paused", "stopped")),
    st.sampled_from(("no", "yes", "yes", "elsewhere")),
)


@dataclass(frozen=True)
class Situation:
    """What is there, what is wanted, and how long things take (seconds)."""

    kinds: tuple[Kind, ...]
    count: int
    surge: int
    ghost: bool
    served: bool
    balancer: bool
    ready_after: float
    request_seconds: float
    idle_seconds: float

    @property
    def stack(self) -> Stack:
        """The stack that is wanted."""
        return dataclasses.replace(STACK, count=self.count, surge=self.surge)


SECONDS = st.sampled_from((0.0, 0.3, 2.0, 7.0))
SITUATIONS = st.builds(
    Situation,
    kinds=st.lists(KINDS, max_size=6).map(tuple),
    count=st.integers(1, 4),
    surge=st.integers(1, 3),
    ghost=st.booleans(),
    served=st.booleans(),
    balancer=st.sampled_from((True, True, True, False)),
    ready_after=SECONDS,
    request_seconds=SECONDS,
    idle_seconds=SECONDS,
)


def make_replica(there: SimulatedHost, kind: Kind) -> Container:
    if kind.state == "starting":
        return there.replica(Behaviour(ready_after=8.0), kind.revision, age=5.0)
    if kind.state == "ill":
        return there.replica(Behaviour(hung=True), kind.revision)
    status = {"paused": "paused", "stopped": "exited"}.get(kind.state, "running")
    return there.replica(WELL, kind.revision, status=status)


def published(there: SimulatedHost, situation: Situation) -> list[Member]:
    found = [Member("gone", "shop-app-0", "10.9.9.9", 8000)] if situation.ghost else []
    for number, kind in enumerate(situation.kinds):
        one = make_replica(there, kind)
        if kind.member == "yes":
            found.append(as_member(one))
        elif kind.member == "elsewhere":
            found.append(Member(one.id, one.name, f"10.9.9.{number + 10}", 8000))
    return found


def publish_unserved(there: SimulatedHost, members: list[Member]) -> None:
    """Leave the files as a run does that is killed between the swap and the reload."""
    balancer, heard = there.engine.of("balancer"), there.engine.on_change
    there.engine.on_change = lambda: None
    for one in balancer:
        one.status = "exited"
    there.balancer().publish(members, STATIC)
    for one in balancer:
        one.status = "running"
    there.engine.on_change = heard


@contextmanager
def simulated(situation: Situation) -> Iterator[SimulatedHost]:
    """The host in that situation."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        there = SimulatedHost(Path(folder), patch)
        there.nginx.request_seconds = situation.request_seconds
        there.nginx.idle_seconds = situation.idle_seconds
        members = published(there, situation)
        there.balancer().publish(members if situation.served else members[:1], STATIC)
        if situation.balancer:
            there.engine.create("balancer", WELL)
        if not situation.served:
            publish_unserved(there, members)
        app = there.engine.services["app"]
        well = Behaviour(ready_after=situation.ready_after)
        there.engine.services["app"] = dataclasses.replace(app, behaviours=(well,))
        watch(there, situation)
        yield there


def watch(there: SimulatedHost, situation: Situation) -> None:
    """Check the promises before each call to the engine."""
    floor = min(situation.count, len(there.serving()))
    ceiling = max(situation.count + situation.surge, len(there.engine.of("app")))
    called = there.engine.called

    def check(name: str, *arguments: Any) -> None:
        assert len(there.serving()) >= floor
        assert len(there.engine.of("app")) <= ceiling
        called(name, *arguments)

    there.engine.called = check  # type: ignore[method-assign]


def finish(there: SimulatedHost, stack: Stack) -> None:
    """Plan and carry out until nothing is left to do, as the role does."""
    for _unused in range(MANY):
        run = Rollout(stack, there.host)
        steps = make_plan(run.observe(), run.desired())
        if not steps:
            return
        for one in steps:
            if run.carry_out(one).stale:
                break
    pytest.fail("the rollout does not end")


def assert_as_wanted(there: SimulatedHost, situation: Situation) -> None:
    everyone = sorted(one.name for one in there.engine.of("app"))
    assert len(everyone) == situation.count
    assert sorted(there.well("new")) == everyone
    assert sorted(m.name for m in there.balancer().published().members) == everyone
    assert there.balancer().is_served()
    if situation.balancer:
        assert sorted(there.serving()) == everyone


@settings(max_examples=examples(80), deadline=None)
@given(SITUATIONS)
def test_every_rollout_ends_as_wanted_and_keeps_its_promises(situation: Situation) -> None:
    with simulated(situation) as there:
        finish(there, situation.stack)
        assert_as_wanted(there, situation)
        before = len(there.engine.calls)
        finish(there, situation.stack)
        repeated = {call[0] for call in there.engine.calls[before:]}
        assert repeated <= {"containers", "inspect", "inspect_image"}, "only looks"


@settings(max_examples=examples(80), deadline=None)
@given(SITUATIONS, st.lists(st.integers(1, 120), min_size=1, max_size=3))
def test_a_rollout_that_is_killed_anywhere_is_finished_by_the_next(
    situation: Situation, deaths: list[int]
) -> None:
    with simulated(situation) as there:
        for after in deaths:
            there.engine.kill_at = len(there.engine.calls) + after
            try:
                finish(there, situation.stack)
            except Killed:
                continue
        there.engine.kill_at = 0
        finish(there, situation.stack)
        assert_as_wanted(there, situation)


@settings(max_examples=examples(40), deadline=None)
@given(SITUATIONS)
def test_a_step_that_is_repeated_or_stale_does_nothing(situation: Situation) -> None:
    with simulated(situation) as there:
        run = Rollout(situation.stack, there.host)
        steps = make_plan(run.observe(), run.desired())
        for one in steps:
            if run.carry_out(one).stale:
                break
            again = run.carry_out(one)
            assert one.action == "drain" or not again.changed
        finish(there, situation.stack)
        before = there.balancer().published(), list(there.engine.containers)
        for one in steps:
            again = run.carry_out(one)
            assert again.stale or one.action == "drain" or not again.changed
        assert (there.balancer().published(), list(there.engine.containers)) == before
        assert_as_wanted(there, situation)
