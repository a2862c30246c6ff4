# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for the keeper's decisions in every situation."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import (
    BALANCER,
    CREATE,
    MISSING,
    NEW,
    RESTART,
    Case,
    Patience,
    Repair,
    Situation,
    keeper_members,
    next_repair,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    STARTING,
    STOPPED,
    Desired,
    Observed,
    select_members,
)
from tests.unit.examples import examples
from tests.unit.fakes.cases import NOW, STATES, case

KINDS = st.sampled_from(sorted(STATES))
AGES = st.sampled_from((0, 3, 9, 10, 30, 599, 600, 5000))
SILENCES = st.sampled_from(("", "~0", "~1.9", "~2", "~4.9", "~5", "~900"))


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    count = draw(st.integers(1, 5))
    cases = []
    for number in range(1, draw(st.integers(0, 7)) + 1):
        old = draw(st.sampled_from(("", "", "old/")))
        word = f"{old}{draw(KINDS)}:{draw(AGES)}{draw(SILENCES)}"
        cases.append(case(number, word))
    return Situation(
        cases=cases,
        count=count,
        settled=draw(st.booleans()),
        restart_after=draw(st.sampled_from((0.0, 10.0, 30.0))),
        drain_timeout=600.0,
        now=NOW,
        balancer_runs=draw(st.sampled_from((True, True, True, False))),
        well_since=NOW - draw(AGES),
    )


@st.composite
def patiences(draw: st.DrawFn) -> dict[str, Patience]:
    ids = [f"id{number}" for number in range(1, 8)] + [BALANCER, MISSING]
    one = st.builds(Patience, st.integers(1, 2000), st.sampled_from((NOW, NOW - 15, NOW - 500)))
    return draw(st.dictionaries(st.sampled_from(ids), one, max_size=6))


def subject(situation: Situation, repair: Repair) -> Case | None:
    """The replica that a repair is about; None for another one."""
    return next((c for c in situation.cases if c.replica.id == repair.replica), None)


# repairs


@settings(max_examples=examples(600), deadline=None)
@given(situations(), patiences())
def test_no_repair_does_harm(situation: Situation, patience: dict[str, Patience]) -> None:
    repair = next_repair(situation, patience)
    if repair is None:
        return
    one = subject(situation, repair)
    assert patience.get(repair.replica, NEW).ready_at <= situation.now
    if one is not None:
        assert one.replica.state not in (HEALTHY, STARTING), "it needs no repair"
    if repair.action == CREATE:
        assert situation.settled, "nobody knows whether the new version is any good"
        current = sum(1 for c in situation.cases if c.current)
        assert repair.count - len(situation.cases) == situation.count - current > 0
    if repair.action == RESTART:
        assert one is not None
        assert_a_restart_loses_nothing(situation, one)
        assert repair.gently == one.answers


def assert_a_restart_loses_nothing(situation: Situation, one: Case) -> None:
    ill = situation.now - one.since
    assert one.replica.state == ILL
    assert one.container == "running"
    assert ill >= situation.restart_after
    assert not one.answers or situation.now - situation.well_since >= situation.restart_after
    others = [c for c in situation.cases if c.replica.state in (STARTING, ILL)]
    assert not any(c.replica.state == STARTING or c.passes for c in others), "one at a time"
    quiet = 2.0 if one.answers else 5.0
    goes_on = one.silent is not None and one.silent < quiet
    assert not goes_on or ill >= situation.drain_timeout, "what it serves would be cut"


@settings(max_examples=examples(400), deadline=None)
@given(situations(), patiences())
def test_a_health_check_that_is_wrong_is_no_outage(
    situation: Situation, patience: dict[str, Patience]
) -> None:
    """Nobody is healthy, but what runs answers: it may be well."""
    kept = [c for c in situation.cases if c.replica.state != HEALTHY]
    kept = [dataclasses.replace(c, answers=True) for c in kept if c.replica.state != STARTING]
    repair = next_repair(dataclasses.replace(situation, cases=kept), patience)
    if repair is not None:
        one = subject(situation, repair)
        assert repair.action != RESTART
        assert one is None or one.container != "running" or not one.replica.address


@settings(max_examples=examples(400), deadline=None)
@given(situations())
def test_a_start_never_makes_more_than_are_wanted(situation: Situation) -> None:
    repair = next_repair(situation, {})
    one = subject(situation, repair) if repair else None
    if one is not None and one.replica.state == STOPPED:
        alive = [c for c in situation.cases if c.replica.state != STOPPED]
        counted = [c for c in alive if c.current or not situation.settled]
        assert len(counted) < situation.count


@settings(max_examples=examples(600), deadline=None)
@given(situations())
def test_one_repair_after_the_other_makes_all_well(situation: Situation) -> None:
    """If each of them succeeds, and what starts becomes well."""
    situation = later(situation)
    for _unused in range(30):
        repair = next_repair(situation, {})
        if repair is None:
            break
        situation = later(situation, repair)
    else:
        raise AssertionError(f"it repairs without an end: {repair}")
    assert situation.balancer_runs
    runs = [c for c in situation.cases if c.replica.state == HEALTHY]
    ill = [c for c in situation.cases if c.replica.state == ILL and c.container != "restarting"]
    assert not ill or (not runs and all(c.answers for c in ill))
    if situation.settled:
        assert sum(1 for c in situation.cases if c.current) >= situation.count
        there = [c for c in situation.cases if c.current and c.replica.state != STOPPED]
        assert len(there) >= situation.count


def later(situation: Situation, repair: Repair | None = None) -> Situation:
    """Ten minutes later, after a repair that went well."""
    mended = repair.replica if repair else ""
    cases = [
        case(c.replica.number, ("" if c.current else "old/") + "well")
        if c.replica.id == mended or c.replica.state == STARTING or c.passes
        else dataclasses.replace(c, since=c.since - 600.0)
        for c in situation.cases
    ]
    for number in range(len(cases) + 1, (repair.count if repair else 0) + 1):
        cases.append(case(number, "well"))
    runs = situation.balancer_runs or mended == BALANCER
    return dataclasses.replace(situation, cases=cases, balancer_runs=runs, well_since=0.0)


# members


@st.composite
def views(draw: st.DrawFn) -> tuple[Observed, Desired, frozenset[str]]:
    """What is observed, what is wanted, and whom the keeper has taken out."""
    replicas, members = [], {}
    for number in range(1, draw(st.integers(0, 7)) + 1):
        one = case(number, draw(st.sampled_from(("", "old/"))) + draw(KINDS)).replica
        replicas.append(one)
        if draw(st.booleans()):
            members[one.id] = draw(st.sampled_from((one.address or "10.0.0.99", "10.0.0.98")))
    if draw(st.booleans()):
        members["gone"] = "10.0.0.97"
    desired = Desired(draw(st.integers(1, 5)), "new", "", draw(st.integers(1, 3)))
    ejected = draw(st.frozensets(st.sampled_from([f"id{n}" for n in range(1, 8)]), max_size=3))
    return Observed(tuple(replicas), members, draw(st.booleans())), desired, ejected


@settings(max_examples=examples(400), deadline=None)
@given(views())
def test_without_a_deploy_the_members_are_those_of_a_rollout(
    seen: tuple[Observed, Desired, frozenset[str]],
) -> None:
    observed, desired, ejected = seen
    found = keeper_members(observed, desired, False, ejected)
    if any(one.state == HEALTHY for one in observed.replicas):
        assert found == select_members(observed, desired)
        assert found, "somebody is healthy"
    else:
        assert found == (), "the members stay as they are"


@settings(max_examples=examples(400), deadline=None)
@given(views())
def test_while_a_deploy_runs_nobody_joins_whom_it_did_not_let_in(
    seen: tuple[Observed, Desired, frozenset[str]],
) -> None:
    observed, desired, ejected = seen
    found = keeper_members(observed, desired, True, ejected)
    assert all(one.state == HEALTHY for one in found)
    published = {one.id for one in observed.replicas if observed.is_member(one)}
    assert {one.id for one in found} <= published | ejected
    stay = {one.id for one in observed.replicas if one.state == HEALTHY} & published
    assert stay <= {one.id for one in found}, "a healthy member is never taken out"
    wanted = {one.id for one in select_members(observed, desired) if one.state == HEALTHY}
    assert ejected & wanted <= {one.id for one in found}, "who was taken out is put back"
    assert [one.number for one in found] == sorted(one.number for one in found)
