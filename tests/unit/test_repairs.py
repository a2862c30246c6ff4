# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper does about what it sees: the table of docs/decisions/0002-keeper.md, row by row.
What holds in every situation is in test_repairs_properties.py.
"""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import (
    BALANCER,
    MISSING,
    NEW,
    Patience,
    Repair,
    Situation,
    keeper_members,
    next_repair,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    Desired,
    Observed,
    Replica,
)
from tests.unit.fakes.cases import NOW, case


def situation(words: str, count: int = 3, settled: bool = True, balancer: bool = True) -> Situation:
    """The replicas in these words (see tests/unit/fakes/cases.py), numbered from 1."""
    return Situation(
        cases=[case(number, word) for number, word in enumerate(words.split(), start=1)],
        count=count,
        settled=settled,
        restart_after=10.0,
        drain_timeout=600.0,
        now=NOW,
        balancer_runs=balancer,
    )


def decision(seen: Situation, patience: dict[str, Patience] | None = None) -> str:
    """The repair in words; ``gently`` and the number to scale to stand behind it."""
    found = next_repair(seen, patience or {})
    if found is None:
        return ""
    gently = ", gently" if found.gently else ""
    return found.text + gently + (f", scale to {found.count}" if found.count else "")


# one row each of the table


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # nothing to do
        ("well well well", ""),
        ("well well starting", ""),
        ("well well restarting", ""),
        ("well well well well", ""),
        # missing: created, also all at once
        ("well well", "create 1 replica: 2 of 3 are there, scale to 3"),
        ("well", "create 2 replicas: 1 of 3 are there, scale to 3"),
        ("", "create 3 replicas: 0 of 3 are there, scale to 3"),
        ("well well old/well", "create 1 replica: 2 of 3 are there, scale to 4"),
        ("old/well old/well", "create 3 replicas: 0 of 3 are there, scale to 5"),
        # stopped, or ended for good: started at once, no more than are wanted
        ("well exited well", "start app-2: it is exited"),
        ("well created well", "start app-2: it is created"),
        ("well dead well", "start app-2: it is dead"),
        ("exited exited exited", "start app-1: it is exited"),
        ("well well well exited", ""),
        ("well well ill exited", ""),
        ("well well well old/exited", ""),
        ("well well old/exited", "create 1 replica: 2 of 3 are there, scale to 4"),
        ("well exited", "start app-2: it is exited"),
        # cut off its network, paused
        ("well cut well", "connect app-2: it was cut off its network"),
        ("well paused well", "unpause app-2: it was paused"),
        ("paused cut exited", "unpause app-1: it was paused"),
        ("old/paused well well well", "unpause app-1: it was paused"),
    ],
)
def test_what_only_has_to_be_let_run(words: str, expected: str) -> None:
    assert decision(situation(words)) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # ill for keeper_restart_after, nothing comes from it: killed if it gives no answer at all
        ("well ill:9 well", ""),
        ("well ill:10 well", "restart app-2: it has been ill for 10 s"),
        ("well ill:599 well", "restart app-2: it has been ill for 599 s"),
        ("well sick:9 well", ""),
        ("well sick:10 well", "restart app-2: it has been ill for 10 s, gently"),
        ("well sick:12 old/well", "create 1 replica: 2 of 3 are there, scale to 4"),
        # its connections make progress: not before app_drain_timeout
        ("well ill:12~0 well", ""),
        ("well ill:12~4.9 well", ""),
        ("well ill:12~5 well", "restart app-2: it has been ill for 12 s"),
        ("well sick:12~1.9 well", ""),
        ("well sick:12~2 well", "restart app-2: it has been ill for 12 s, gently"),
        ("well sick:599~0 well", ""),
        ("well sick:600~0 well", "restart app-2: it has been ill for 600 s, gently"),
        ("well ill:600~0 well", "restart app-2: it has been ill for 600 s"),
        # one at a time: not while another one starts
        ("ill:12 ill:12 well", "restart app-1: it has been ill for 12 s"),
        ("starting ill:12 well", ""),
        ("ill:5 ill:12~0 sick:12", ""),
        ("well ill:12~0 sick:12", "restart app-3: it has been ill for 12 s, gently"),
        ("ill:5 well ill:12", "restart app-3: it has been ill for 12 s"),
        # what passes again is on its way; others wait for it, too
        ("well recovering:12 well", ""),
        ("well recovering:6000 ill:60", ""),
        # what the engine or somebody else has in hand
        ("well restarting:60 well", ""),
        # quicker help first
        ("ill:60 well exited", "start app-3: it is exited"),
        ("ill:60 well", "create 1 replica: 2 of 3 are there, scale to 3"),
    ],
)
def test_what_is_ill(words: str, expected: str) -> None:
    assert decision(situation(words)) == expected


def test_what_the_engine_starts_again_is_left_to_it_with_an_address_too() -> None:
    seen = situation("well restarting:60 well")
    first, second, third = seen.cases
    addressed = dataclasses.replace(
        second, replica=dataclasses.replace(second.replica, address="10.0.0.2")
    )
    assert decision(dataclasses.replace(seen, cases=[first, addressed, third])) == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # all of them answer that they are ill: the check may be what is wrong
        ("sick:60 sick:60 sick:60", ""),
        ("sick:6000 sick:6000 sick:6000", ""),
        # what gives no answer is restarted, one after the other
        ("ill:60 sick:60 sick:60", "restart app-1: it has been ill for 60 s"),
        ("ill:60 ill:60 ill:60", "restart app-1: it has been ill for 60 s"),
        ("starting ill:60 ill:60", ""),
        ("ill:60~0 ill:60 ill:60", "restart app-2: it has been ill for 60 s"),
        # what does not run is let run
        ("exited sick:60 sick:60", "start app-1: it is exited"),
        ("sick:60 paused sick:60", "unpause app-2: it was paused"),
        ("sick:60 sick:60 cut", "connect app-3: it was cut off its network"),
        ("sick:60 sick:60", "create 1 replica: 2 of 3 are there, scale to 3"),
    ],
)
def test_when_nobody_is_healthy(words: str, expected: str) -> None:
    assert decision(situation(words)) == expected


@pytest.mark.parametrize(
    "words", ["well", "well:600", "sick:600~0 well:600", "ill:5 well:600 ill:5"]
)
def test_the_last_healthy_one_is_left_alone(words: str) -> None:
    seen = situation(words, count=len(words.split()))
    well = next(one.replica for one in seen.cases if one.replica.state == HEALTHY)
    found = next_repair(seen, {})
    assert found is None or found.replica != well.id


@pytest.mark.parametrize(
    ("words", "ago", "expected"),
    [
        ("well sick:60 well", 9, ""),
        ("well sick:60 well", 10, "restart app-2: it has been ill for 60 s, gently"),
        ("well ill:60 well", 0, "restart app-2: it has been ill for 60 s"),
        ("well sick:600~0 well", 9, ""),
        ("well sick:600~0 well", 10, "restart app-2: it has been ill for 600 s, gently"),
    ],
)
def test_who_was_ill_like_all_the_others_has_time_to_recover_like_them(
    words: str, ago: float, expected: str
) -> None:
    """``ago``: the seconds since which somebody is healthy again."""
    assert decision(dataclasses.replace(situation(words), well_since=NOW - ago)) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ""),
        ("well well", ""),
        ("old/well well", ""),
        ("old/well old/exited well", "start app-2: it is exited"),
        ("old/well old/well well old/exited exited", ""),
        ("old/ill:12 well well", "restart app-1: it has been ill for 12 s"),
        ("old/paused well well", "unpause app-1: it was paused"),
    ],
)
def test_a_deploy_that_was_interrupted_creates_nothing(words: str, expected: str) -> None:
    """Whether the new version is any good, nobody knows; what is there is kept alive."""
    assert decision(situation(words, settled=False)) == expected


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("words", ["well well well", "exited paused cut", "", "ill:60 well well"])
def test_the_balancer_comes_first(words: str, settled: bool) -> None:
    seen = situation(words, settled=settled, balancer=False)
    assert next_repair(seen, {}) == Repair("start", BALANCER, "the balancer", "it does not run")


def test_spare_balancers_are_tidied_up_before_replicas_are_created() -> None:
    spare = dataclasses.replace(situation("well"), spare_balancers={"b2": "two of them run"})
    assert next_repair(spare, {}) == Repair("tidy", "b2", "the balancers", "two of them run")
    halted = dataclasses.replace(spare, cases=[case(1, "exited")])
    assert decision(halted) == "start app-1: it is exited"


# patience


def test_each_further_repair_waits_longer() -> None:
    patience, pauses = NEW, []
    for _unused in range(8):
        patience = patience.repaired(NOW)
        pauses.append(patience.ready_at - NOW)
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]
    assert NEW.ready_at == 0


def test_patience_does_not_overflow() -> None:
    assert Patience(5000, NOW).ready_at == NOW + 300


def test_a_minute_of_health_makes_up_for_repairs() -> None:
    patience = Patience(7, last=NOW)
    assert not patience.forgiven(NOW + 20, NOW + 79)
    assert patience.forgiven(NOW + 20, NOW + 80)
    assert not patience.forgiven(NOW - 1000, NOW + 59), "it was repaired meanwhile"
    assert patience.forgiven(NOW - 1000, NOW + 60)


def test_who_has_to_wait_holds_up_nobody() -> None:
    seen = situation("exited exited well")
    first = {"id1": Patience(1, NOW - 9.5)}
    assert decision(seen, first) == "start app-2: it is exited"
    assert decision(seen, {**first, "id2": Patience(1, NOW)}) == ""
    assert decision(seen, {"id1": Patience(1, NOW - 10)}) == "start app-1: it is exited"


def test_creating_and_the_balancer_have_patience_of_their_own() -> None:
    seen = situation("well well", balancer=False)
    waiting = {BALANCER: Patience(1, NOW - 1)}
    assert decision(seen, waiting) == "create 1 replica: 2 of 3 are there, scale to 3"
    assert decision(seen, {**waiting, MISSING: Patience(2, NOW - 19)}) == ""


# members


def seen(words: str, members: str) -> Observed:
    """Replicas in words, and the numbers of those that are published."""
    replicas = [case(n, word).replica for n, word in enumerate(words.split(), start=1)]
    published = {f"id{n}": f"10.0.0.{n}" for n in map(int, members.split())}
    return Observed(tuple(replicas), published)


def numbers(replicas: tuple[Replica, ...]) -> str:
    return " ".join(str(replica.number) for replica in replicas)


@pytest.mark.parametrize(
    ("words", "members", "expected"),
    [
        ("well well well", "1 2 3", "1 2 3"),
        ("well well well", "", "1 2 3"),
        ("well ill well", "1 2 3", "1 3"),
        ("well starting exited", "1 2 3", "1"),
        ("ill ill ill", "1 2 3", ""),
        ("ill ill well", "1 2", "3"),
        ("", "1 2 3", ""),
        ("well well well well", "2 3 4", "1 2 3"),
        ("old/well old/well well", "1 2 3", "1 2 3"),
        ("old/well well well well", "1 2 3", "2 3 4"),
    ],
)
def test_who_gets_traffic(words: str, members: str, expected: str) -> None:
    found = keeper_members(seen(words, members), Desired(3, "new", ""), False, ())
    assert numbers(found) == expected


@pytest.mark.parametrize(
    ("words", "members", "ejected", "expected"),
    [
        ("well well well", "1 2 3", "", "1 2 3"),
        # the rollout decides who joins
        ("old/well old/well well", "1 2", "", "1 2"),
        ("well well well", "1 2", "", "1 2"),
        # who is ill or gone is taken out, and put back by who took it out
        ("old/well old/ill well", "1 2", "", "1"),
        ("old/well old/well well", "1", "2", "1 2"),
        ("old/well old/ill well", "1", "2", "1"),
        # but not once the new ones are enough
        ("old/well well well well", "2 3 4", "1", "2 3 4"),
        # nobody is healthy
        ("ill ill ill", "1 2", "3", ""),
        # and nobody of whom the keeper may decide
        ("ill ill well", "1 2", "", ""),
    ],
)
def test_who_gets_traffic_while_a_deploy_runs(
    words: str, members: str, ejected: str, expected: str
) -> None:
    taken_out = {f"id{number}" for number in ejected.split()}
    found = keeper_members(seen(words, members), Desired(3, "new", ""), True, taken_out)
    assert numbers(found) == expected


def test_a_member_that_came_back_under_another_address_is_published_anew() -> None:
    there = seen("well well", "1 2")
    moved = Observed(there.replicas, {"id1": "10.0.0.1", "id2": "10.0.0.99"})
    desired = Desired(2, "new", "")
    assert numbers(keeper_members(moved, desired, False, ())) == "1 2"
    assert numbers(keeper_members(moved, desired, True, ())) == "1", "it has to be judged anew"
    assert numbers(keeper_members(moved, desired, True, {"id2"})) == "1 2"
