# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper remembers of what it sees, and what it tells of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper_memory as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import Health
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import Repair
from tests.unit.fakes.memory import DEPLOY, Keeping, look


@pytest.fixture(name="keeping")
def keeping_fixture() -> Keeping:
    """A memory that was shown nothing yet."""
    return Keeping()


# what is seen


def test_before_the_first_look_there_is_no_picture(keeping: Keeping) -> None:
    assert keeping.memory.snapshot(0.1) is None
    keeping.memory.blind("no engine")
    assert keeping.memory.snapshot(0.1) is None
    assert keeping.told() == ["nothing can be seen: no engine"]


@pytest.mark.parametrize(
    ("words", "members", "changes", "expected"),
    [
        ("well well well", "1 2 3", {}, ("ok", "3 of 3 replicas are healthy")),
        ("well well well well", "1 2 3", {}, ("ok", "4 of 3 replicas are healthy")),
        (
            "well ill exited",
            "1",
            {},
            ("degraded", "1 of 3 replicas are healthy, not app-2, app-3"),
        ),
        (
            "well well well",
            "1 2",
            {},
            ("degraded", "3 of 3 replicas are healthy; 2 of them get traffic"),
        ),
        (
            "well well well",
            "1 2 3",
            {"balancer_runs": False},
            ("degraded", "3 of 3 replicas are healthy; the balancer does not run"),
        ),
        (
            "ill ill ill",
            "1 2 3",
            {},
            ("down", "no replica is healthy; the members stay as they are"),
        ),
        ("", "1 2 3", {}, ("down", "no replica is healthy; the members stay as they are")),
    ],
)
def test_the_state_in_a_word_and_in_a_sentence(
    keeping: Keeping,
    words: str,
    members: str,
    changes: dict[str, Any],
    expected: tuple[str, str],
) -> None:
    keeping.see(words, members, **changes)
    assert keeping.state() == expected
    assert keeping.told() == [expected[1]], "and nothing else: all of it is seen for the first time"


def test_what_nginx_does_not_serve_is_said(keeping: Keeping) -> None:
    view = look("well well well")
    keeping.memory.see(replace(view, observed=replace(view.observed, served=False)))
    text = "3 of 3 replicas are healthy; nginx does not serve what is published"
    assert keeping.state() == ("degraded", text)


def test_a_member_that_is_gone_is_no_whole_stack(keeping: Keeping) -> None:
    keeping.see("well well well", "1 2 3 4")
    assert keeping.state()[0] == "degraded"


def test_blindness_is_told_once_and_ends(keeping: Keeping) -> None:
    keeping.see("well well well")
    for why in ("no answer", "no answer", "still none"):
        keeping.memory.blind(why)
    assert keeping.state() == ("blind", "nothing can be seen: still none")
    keeping.see("well well well")
    assert keeping.state()[0] == "ok"
    assert keeping.told("engine") == ["nothing can be seen: no answer", "the engine answers again"]


def test_what_changes_around_the_replicas_is_told(keeping: Keeping) -> None:
    three = "well well well"
    keeping.see(three)
    keeping.see(three, deploy=DEPLOY)
    keeping.see(three, deploy=DEPLOY, release=2)
    keeping.see(three, deploy="scale by ben from awx", release=2)
    keeping.see(three, release=2)
    keeping.see(three, release=2, balancer_runs=False)
    keeping.see(three, release=2)
    assert keeping.told("deploy", "release", "balancer") == [
        "deploy by ana from laptop has begun: it decides who joins",
        "release 2 is in force",
        "scale by ben from awx has begun: it decides who joins",
        "scale by ben from awx has ended",
        "the balancer does not run",
        "the balancer runs again",
    ]


def test_a_state_holds_since_it_was_first_seen(keeping: Keeping) -> None:
    keeping.see("well well well")
    began = keeping.clock.now
    keeping.see("well ill well")
    ill = keeping.clock.now
    keeping.see("well sick well")
    found = keeping.memory.situation(look("well sick well"))
    assert [one.since for one in found.cases] == [began, ill, began]
    keeping.see("well exited well")
    assert keeping.memory.situation(look("well exited well")).cases[1].since == ill + 2


def test_who_is_gone_is_forgotten(keeping: Keeping) -> None:
    keeping.see("well ill well")
    repair = Repair("restart", "id2", "app-2", "it has been ill for 10 s")
    keeping.memory.repaired(repair, repair.text, None)
    keeping.see("well")
    keeping.see("well ill well")
    found = keeping.memory.situation(look("well ill well"))
    assert found.cases[1].since == keeping.clock.now
    assert keeping.memory.patience == {}


# progress


def test_the_kernel_is_asked_only_about_who_is_ill(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, set[str]]] = []

    def silence(port: int, addresses: set[str]) -> Mapping[str, float]:
        asked.append((port, addresses))
        return {"10.0.0.2": 1.5}

    monkeypatch.setattr(module, "silence", silence)
    assert [one.silent for one in keeping.memory.situation(keeping.see("well cut")).cases] == [
        None,
        None,
    ]
    assert asked == []
    found = keeping.memory.situation(keeping.see("well sick ill"))
    assert [one.silent for one in found.cases] == [None, 1.5, None]
    assert [one.answers for one in found.cases] == [True, True, False]
    assert [one.passes for one in found.cases] == [True, False, False]
    assert asked == [(8000, {"10.0.0.2", "10.0.0.3"})]


def test_when_nobody_can_tell_whatever_is_ill_may_still_serve(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_port: int, _addresses: set[str]) -> Mapping[str, float]:
        raise LoadBalancingError("The kernel does not tell connections: not permitted.")

    monkeypatch.setattr(module, "silence", refuse)
    found = keeping.memory.situation(keeping.see("well ill"))
    assert [one.silent for one in found.cases] == [None, 0.0]


def test_a_situation_is_what_was_seen(keeping: Keeping) -> None:
    found = keeping.memory.situation(keeping.see("well old/well exited", settled=False))
    assert [(one.container, one.current) for one in found.cases] == [
        ("running", True),
        ("running", False),
        ("exited", True),
    ]
    assert (found.count, found.settled, found.balancer_runs) == (3, False, True)
    assert (found.restart_after, found.drain_timeout) == (10.0, 600.0)
    assert found.now == keeping.clock.now


# the engine's own restarts


def test_what_the_engine_starts_again_and_again_is_a_crash_loop(keeping: Keeping) -> None:
    keeping.see("well well well", restarts={"id2": 7})
    for often in (8, 9):
        keeping.see("well restarting well", restarts={"id2": often})
    assert keeping.told("crash_loop") == [], "what was before the keeper began does not count"
    keeping.see("well restarting well", restarts={"id2": 10})
    assert keeping.told("crash_loop") == [
        "app-2 was started again 3 times and does not stay well; each further time has to "
        "wait longer. See why: docker logs app-2"
    ]


def test_restarts_long_ago_are_no_crash_loop(keeping: Keeping) -> None:
    keeping.see("well well well")
    for often in (1, 2, 3, 4):
        keeping.see("well restarting well", restarts={"id2": often})
        for _second in range(302):
            keeping.see("well well well", restarts={"id2": often})
    assert keeping.told("crash_loop") == []


# the picture


def test_the_picture_of_a_replica(keeping: Keeping) -> None:
    keeping.see("well old/sick", "1", restarts={"id2": 4})
    health = {"id2": Health("failing", 1.0, -3, 0.123456, "answered 503", True)}
    keeping.see("well old/sick", "1", restarts={"id2": 4}, health=health, release=7)
    found = keeping.memory.snapshot(0.04567)
    assert found
    assert (found.stack, found.wanted, found.generation, found.release, found.version) == (
        "shop",
        3,
        1,
        7,
        "2",
    )
    assert (found.round_seconds, found.counters["rounds"]) == (0.0457, 2)
    assert (found.healthy, found.members) == (1, ("app-1",))
    assert vars(found.replicas[1]) == {
        "id": "id2",
        "name": "app-2",
        "number": 2,
        "version": "1",
        "revision": "old",
        "address": "10.0.0.2",
        "state": "ill",
        "container": "running",
        "current": False,
        "member": False,
        "since": keeping.clock.now - 1,
        "probe_seconds": 0.1235,
        "reason": "answered 503",
        "restarts": 4,
        "repair_at": 0.0,
    }
