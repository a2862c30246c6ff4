# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner: its promises as properties, the usual rollouts as examples."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import replicas as rp
from tests.unit.examples import examples

OLD, NEW = "old", "new"
STATES = (rp.STARTING, rp.HEALTHY, rp.ILL, rp.STOPPED)


def replica(number: int, revision: str = OLD, state: str = rp.HEALTHY) -> rp.Replica:
    return rp.Replica(
        id=f"id{number}",
        name=f"app-{number}",
        number=number,
        revision=revision,
        image_id="image",
        version="1",
        address=f"10.0.0.{number}",
        state=state,
    )


def observed(*replicas: rp.Replica, members: str = "", served: bool = True) -> rp.Observed:
    chosen = {f"id{n}": f"10.0.0.{n}" for n in map(int, members.split())}
    return rp.Observed(tuple(replicas), chosen, served)


def wanted(count: int, revision: str = NEW, surge: int = 1) -> rp.Desired:
    return rp.Desired(count, revision, "image", surge)


def words(steps: list[rp.Step]) -> list[str]:
    return [
        f"{s.action} {s.count}" if s.action == rp.START else " ".join((s.action, *s.replicas))
        for s in steps
    ]


@st.composite
def situations(draw: st.DrawFn) -> tuple[rp.Observed, rp.Desired]:
    replicas = []
    members = {}
    for number in range(1, draw(st.integers(0, 8)) + 1):
        one = replica(number, draw(st.sampled_from((OLD, NEW))), draw(st.sampled_from(STATES)))
        if one.state == rp.STOPPED and draw(st.booleans()):
            one = rp.replace(one, address="")
        replicas.append(one)
        if draw(st.booleans()):
            members[one.id] = draw(st.sampled_from((one.address or "10.0.0.99", "10.0.0.98")))
    if draw(st.booleans()):
        members["gone"] = "10.0.0.97"
    desired = rp.Desired(draw(st.integers(1, 5)), NEW, "image", draw(st.integers(1, 4)))
    return rp.Observed(tuple(replicas), members, draw(st.booleans())), desired


def serving(state: rp.Observed) -> int:
    return sum(1 for r in state.replicas if r.state == rp.HEALTHY and state.is_member(r))


@settings(max_examples=examples(1500), deadline=None)
@given(situations())
def test_every_plan_keeps_its_promises(situation: tuple[rp.Observed, rp.Desired]) -> None:
    state, desired = situation
    floor = min(desired.count, serving(state))
    ceiling = max(desired.count + desired.surge, len(state.replicas))
    drained: set[str] = set()
    for step in rp.make_plan(state, desired):
        if step.action == rp.DRAIN:
            assert not set(step.replicas) & set(state.members), "a member is never drained"
            drained |= set(step.replicas)
        if step.action == rp.STOP:
            for one in (r for r in state.replicas if r.id in step.replicas):
                assert one.id in drained or one.state == rp.STOPPED, "stopped before it was drained"
        state = rp.outcome(state, desired, step)
        assert serving(state) >= floor
        assert len(state.replicas) <= ceiling
        floor = max(floor, min(desired.count, serving(state)))
    assert len(state.replicas) == desired.count
    assert all(
        desired.is_met_by(r) and r.state == rp.HEALTHY and state.is_member(r)
        for r in state.replicas
    )
    assert set(state.members) == {r.id for r in state.replicas}
    assert state.served


@settings(max_examples=examples(1500), deadline=None)
@given(situations(), st.integers(0, 6))
def test_a_plan_that_is_cut_off_anywhere_is_finished_by_the_next(
    situation: tuple[rp.Observed, rp.Desired], after: int
) -> None:
    state, desired = situation
    for step in rp.make_plan(state, desired)[:after]:
        state = rp.outcome(state, desired, step)
    for step in rp.make_plan(state, desired):
        state = rp.outcome(state, desired, step)
    assert rp.make_plan(state, desired) == []


@settings(max_examples=examples(500), deadline=None)
@given(situations())
def test_members_are_never_emptied(situation: tuple[rp.Observed, rp.Desired]) -> None:
    state, desired = situation
    alive = any(
        r.id in state.members and r.address and r.state != rp.STOPPED for r in state.replicas
    )
    for step in rp.make_plan(state, desired):
        state = rp.outcome(state, desired, step)
        assert not alive or state.members


def test_first_deploy_starts_all_at_once() -> None:
    assert words(rp.make_plan(observed(), wanted(3))) == ["start 3", "join"]


def test_nothing_to_do() -> None:
    state = observed(*(replica(n, NEW) for n in (1, 2, 3)), members="1 2 3")
    assert rp.make_plan(state, wanted(3)) == []


def test_a_list_that_nginx_does_not_serve_yet_is_published_again() -> None:
    state = observed(replica(1, NEW), members="1", served=False)
    assert words(rp.make_plan(state, wanted(1))) == ["join"]


def test_rolling_update_replaces_one_after_the_other() -> None:
    state = observed(*(replica(n) for n in (1, 2)), members="1 2")
    assert words(rp.make_plan(state, wanted(2))) == [
        "start 1",
        "join id1",
        "drain id1",
        "stop id1",
        "start 2",
        "join id2",
        "drain id2",
        "stop id2",
    ]


def test_rolling_update_with_full_surge_replaces_all_at_once() -> None:
    state = observed(*(replica(n) for n in (1, 2, 3)), members="1 2 3")
    assert rp.make_plan(state, wanted(3, surge=3))[-1].names == ("app-1", "app-2", "app-3")
    assert words(rp.make_plan(state, wanted(3, surge=3))) == [
        "start 3",
        "join id1 id2 id3",
        "drain id1 id2 id3",
        "stop id1 id2 id3",
    ]


def test_scaling_up_and_down() -> None:
    three = [replica(n, NEW) for n in (1, 2, 3)]
    assert words(rp.make_plan(observed(*three, members="1 2 3"), wanted(5))) == ["start 5", "join"]
    assert words(rp.make_plan(observed(*three, members="1 2 3"), wanted(1))) == [
        "join id2 id3",
        "drain id2 id3",
        "stop id2 id3",
    ]


def test_a_changed_image_under_the_same_name_is_outdated() -> None:
    state = observed(replica(1, NEW), members="1")
    desired = rp.Desired(1, NEW, "rebuilt", 1)
    assert words(rp.make_plan(state, desired)) == ["start 1", "join id1", "drain id1", "stop id1"]


def test_an_ill_replica_is_replaced_and_a_stopped_one_removed() -> None:
    state = observed(
        replica(1, NEW), replica(2, NEW, rp.ILL), replica(3, NEW, rp.STOPPED), members="1 2 3"
    )
    assert words(rp.make_plan(state, wanted(3))) == [
        "join id2 id3",
        "stop id3",
        "drain id2",
        "stop id2",
        "start 3",
        "join",
    ]


def test_if_none_is_healthy_the_members_stay_until_one_is() -> None:
    state = observed(replica(1, OLD, rp.ILL), replica(2, OLD, rp.ILL), members="1 2")
    assert words(rp.make_plan(state, wanted(2)))[:2] == ["start 1", "join id1 id2"]


def test_if_none_is_healthy_the_newest_members_stay_and_nobody_else() -> None:
    ill = [replica(n, OLD, rp.ILL) for n in (1, 2, 3, 4)]
    chosen = rp.select_members(observed(*ill, members="1 2 3"), wanted(2))
    assert [one.number for one in chosen] == [2, 3]


def test_one_that_starts_is_waited_for_while_it_is_wanted() -> None:
    state = observed(replica(1, NEW), replica(2, NEW, rp.STARTING), members="1")
    assert words(rp.make_plan(state, wanted(2))) == ["start 2", "join"]


def test_of_too_many_the_one_that_starts_goes() -> None:
    state = observed(replica(1, NEW, rp.STARTING), replica(2, NEW), members="2")
    assert words(rp.make_plan(state, wanted(1))) == ["drain id1", "stop id1"]


def test_a_member_that_has_stopped_is_removed_even_if_it_was_the_last() -> None:
    state = observed(replica(1, NEW, rp.STOPPED), members="1")
    assert words(rp.make_plan(state, wanted(1))) == ["stop id1", "start 1", "join"]


def test_what_nginx_does_not_serve_is_not_served_after_a_stop() -> None:
    state = observed(replica(1), replica(2), members="2", served=False)
    after = rp.outcome(state, wanted(1), rp.Step(rp.STOP, ("id1",), ("app-1",)))
    assert after == observed(replica(2), members="2", served=False)


def test_a_replica_that_came_back_under_another_address_is_published_again() -> None:
    state = rp.Observed((replica(1, NEW),), {"id1": "10.0.0.77"})
    assert words(rp.make_plan(state, wanted(1))) == ["join"]


def test_what_a_start_leads_to_if_it_succeeds() -> None:
    """What starts of the wanted version is healthy then, and what is missing is there, too."""
    state = observed(
        replica(1, NEW, rp.STARTING), replica(2, OLD, rp.STARTING), replica(3, NEW, rp.ILL)
    )
    after = rp.outcome(state, wanted(2), rp.Step(rp.START, count=2))
    assert after.served
    assert not rp.outcome(observed(served=False), wanted(1), rp.Step(rp.START, count=1)).served
    assert after.replicas == (
        replica(1, NEW),
        replica(2, OLD, rp.STARTING),
        replica(3, NEW, rp.ILL),
        rp.Replica("new-4", "new-4", 4, NEW, "image", "", "new-4", rp.HEALTHY),
    )


def test_a_step_survives_the_way_through_ansible() -> None:
    step = rp.Step(rp.DRAIN, ("id1",), ("app-1",))
    assert rp.Step.from_mapping(step.as_dict()) == step
    assert step.as_dict()["text"] == "drain app-1"
    start = rp.Step(rp.START, count=3)
    assert start.as_dict() == {
        "action": "start",
        "replicas": [],
        "names": [],
        "count": 3,
        "text": "start until 3 of the wanted version are healthy",
    }
    assert rp.Step.from_mapping(start.as_dict()) == start
    assert rp.Step.from_mapping({"action": "join"}) == rp.Step(rp.JOIN)
