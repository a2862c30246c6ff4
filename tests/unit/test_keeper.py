# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole rounds of the keeper on a simulated host: what fails, who gets traffic meanwhile, what is
mended when. The host itself fails a test in which a user would have noticed the keeper's work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_hand import Hand
from tests.unit.fakes.engine import HUNG, SICK, Behaviour, Container
from tests.unit.fakes.kept import KeptHost, at_once, deafen


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptHost:
    """A host with three replicas that are well, and a keeper that has made its first rounds."""
    there = KeptHost(tmp_path, monkeypatch)
    there.run(3)
    return there


def fall_ill(one: Container, fault: str, flows: float = 0.0) -> None:
    """It hangs, or answers that it is ill; bytes come from it until ``flows``."""
    one.fault, one.flows = fault, flows


# nothing to do


def test_a_stack_that_is_well_is_left_alone(there: KeptHost) -> None:
    there.run(600)
    assert (there.repairs, there.nginx.reloads) == ([], 0)
    assert there.sight.state == "ok"
    assert there.sight.text == "3 of 3 replicas are healthy"
    assert there.lines() == ["3 of 3 replicas are healthy"]
    assert there.sight.counters == {
        "publishes": 0,
        "publish_failures": 0,
        "repairs": 0,
        "rounds": 603,
    }


# what fails


def test_a_replica_that_crashed(there: KeptHost) -> None:
    there.engine.end(there.app(2))
    there.run()
    assert there.serving() == ["shop-app-1", "shop-app-3"]
    assert there.sight.text == "2 of 3 replicas are healthy, not shop-app-2"
    assert there.until(there.is_whole) <= 6
    assert there.repairs == [("start", "shop-app-2")]
    assert there.lines()[1:] == [
        "shop-app-2 is stopped: exited",
        "2 of 3 replicas are healthy, not shop-app-2",
        "out: shop-app-2; 2 members, generation 2",
        "start shop-app-2: it is exited",
        "shop-app-2 is starting",
        "shop-app-2 is healthy",
        "3 of 3 replicas are healthy; 2 of them get traffic",
        "in: shop-app-2; 3 members, generation 3",
        "3 of 3 replicas are healthy",
    ]


def test_a_replica_that_was_back_before_anybody_looked(there: KeptHost) -> None:
    """Its engine starts it again, under the same address; the event tells that it had ended."""
    one = there.app(2)
    there.engine.end(one)
    there.engine.start(one)
    there.keeper.happened("die", one.id)
    assert there.keeper.wake.is_set()
    there.round()
    assert there.serving() == ["shop-app-1", "shop-app-3"]
    assert there.lines("state")[1] == "shop-app-2 is starting: it ended"
    assert there.until(there.is_whole) <= 4
    assert there.repairs == []


def test_a_replica_that_was_removed_by_hand(there: KeptHost) -> None:
    del there.engine.containers[there.app(2).id]
    there.run()
    assert there.serving() == ["shop-app-1", "shop-app-3"]
    assert there.until(there.is_whole) <= 6
    assert there.repairs == [("compose", "app=3 app")]
    assert there.serving() == ["shop-app-1", "shop-app-3", "shop-app-4"]
    assert "create 1 replica: 2 of 3 are there" in there.lines("repair")


def test_all_replicas_were_removed_by_hand(there: KeptHost) -> None:
    there.engine.containers = {
        one.id: one for one in there.engine.everyone() if one.service == "balancer"
    }
    assert there.until(there.is_whole) <= 8
    assert there.repairs == [("compose", "app=3 app")]


def test_a_replica_that_hangs(there: KeptHost) -> None:
    there.app(2).fault = HUNG
    out = there.until(lambda: there.serving() == ["shop-app-1", "shop-app-3"]) + there.until(
        lambda: len(there.nginx.members) == 2
    )
    assert out <= 3
    mended = there.until(lambda: bool(there.repairs), limit=15)
    assert 10 <= mended <= 11
    assert ("stop", there.app(2).id, 0) in there.engine.calls, "it would not hear a SIGTERM"
    assert there.until(there.is_whole) <= 5
    assert there.lines("state")[1:3] == [
        "shop-app-2 is ill: timed out",
        "2 of 3 replicas are healthy, not shop-app-2",
    ]
    assert there.lines("repair") == ["restart shop-app-2: it has been ill for 10 s"]


def test_what_an_ill_replica_still_serves_is_not_cut(there: KeptHost) -> None:
    """Its health path is ill, its streams go on for a minute and a half."""
    fall_ill(there.app(2), SICK, flows=there.clock.now + 90)
    assert there.until(lambda: len(there.nginx.members) == 2) <= 4
    mended = there.until(lambda: bool(there.repairs), limit=100)
    assert 88 <= mended <= 90, "2 s after the last byte"
    assert ("stop", there.app(2).id, 30) in there.engine.calls, "it is asked first"
    assert there.until(there.is_whole) <= 5


def test_streams_without_an_end_are_cut_after_app_drain_timeout(there: KeptHost) -> None:
    fall_ill(there.app(2), SICK, flows=math.inf)
    assert 600 <= there.until(lambda: bool(there.repairs), limit=700) <= 605
    assert there.lines("repair") == ["restart shop-app-2: it has been ill for 600 s"]


def test_a_kernel_that_tells_no_progress_means_patience(
    there: KeptHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    deafen(monkeypatch)
    there.app(2).fault = HUNG
    assert 600 <= there.until(lambda: bool(there.repairs), limit=700) <= 605


def test_a_replica_that_recovers_by_itself_is_not_restarted(there: KeptHost) -> None:
    there.app(2).fault = SICK
    there.run(9)
    assert len(there.nginx.members) == 2
    there.app(2).fault = ""
    assert there.until(there.is_whole) <= 4
    assert there.repairs == []


def test_a_replica_that_takes_long_to_prove_itself_is_not_restarted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``app_health_rise`` probes take longer than ``keeper_restart_after``."""
    there = KeptHost(tmp_path, monkeypatch, health_rise=20, restart_after=5.0)
    there.run(30)
    there.app(2).fault = HUNG
    there.run(60)
    assert there.repairs == [("restart", "shop-app-2")]
    assert there.is_whole()
    there.app(2).fault = SICK
    there.run(5)
    there.app(2).fault = ""
    there.run(30)
    assert there.repairs == [("restart", "shop-app-2")], "it recovers by itself"
    assert there.is_whole()


def test_one_bad_answer_is_no_illness(there: KeptHost) -> None:
    for _unused in range(10):
        there.app(2).fault = HUNG
        there.run(2)
        there.app(2).fault = ""
        there.run()
    assert (there.nginx.reloads, there.repairs) == (0, [])


def test_a_replica_that_was_cut_off_its_network(there: KeptHost) -> None:
    there.app(2).address = ""
    there.run()
    assert there.nginx.members == {"10.0.0.1", "10.0.0.3"}
    assert there.until(there.is_whole) <= 5
    assert there.repairs == [("connect", "shop-app-2")]
    assert ("connect", there.app(2).id, "shop_edge") in there.engine.calls
    assert there.lines("repair") == ["connect shop-app-2: it was cut off its network"]


def test_a_replica_that_was_paused(there: KeptHost) -> None:
    there.app(2).status = "paused"
    there.run()
    assert len(there.nginx.members) == 2
    assert there.until(there.is_whole) <= 5
    assert there.lines("repair") == ["unpause shop-app-2: it was paused"]


def test_two_of_three_at_once(there: KeptHost) -> None:
    there.engine.end(there.app(1))
    there.app(2).fault = HUNG
    assert there.until(lambda: there.nginx.members == {"10.0.0.3"}) <= 4
    assert there.until(there.is_whole, limit=30) <= 20
    assert there.repairs == [("start", "shop-app-1"), ("restart", "shop-app-2")]


def test_two_that_hang_are_restarted_one_after_the_other(there: KeptHost) -> None:
    there.app(1).fault = there.app(2).fault = HUNG
    there.until(lambda: len(there.repairs) == 1)
    there.until(lambda: len(there.repairs) == 2)
    assert there.engine.is_well(there.app(1).address), "only then"
    assert there.until(there.is_whole, limit=30) <= 5


def test_addresses_that_were_exchanged_mislead_nobody(there: KeptHost) -> None:
    """Two stop at once; the first that is started gets the address that the other one had."""
    first, second = there.app(1), there.app(2)
    first.address, second.address = second.address, first.address
    there.begin()
    there.run()
    assert there.nginx.members == {"10.0.0.3"}
    there.until(there.is_whole)
    there.engine.end(first)
    there.engine.end(second)
    there.until(there.is_whole)
    assert (first.address, second.address) == ("10.0.0.1", "10.0.0.2")
    members = there.balancer().published().members
    assert {one.id: one.address for one in members} == {
        one.id: one.address for one in there.engine.of("app")
    }


def test_the_only_replica_came_back_under_another_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was never taken out, since nobody else was healthy: its new address has to be noticed."""
    there = KeptHost(tmp_path, monkeypatch, count=1)
    one = there.app(1)
    there.engine.end(one)
    one.address = "10.0.0.9"
    there.engine.start(one)
    one.address = "10.0.0.9"
    there.keeper.happened("die", one.id)
    there.until(lambda: there.nginx.members == {"10.0.0.9"}, limit=10)
    published = there.balancer().published().members
    assert [(member.id, member.address) for member in published] == [(one.id, "10.0.0.9")]
    assert there.repairs == []


def test_the_balancer_is_gone(there: KeptHost) -> None:
    for one in there.engine.of("balancer"):
        del there.engine.containers[one.id]
    there.engine.on_change()
    assert there.until(there.is_whole) <= 2
    assert there.repairs == [("compose", "never balancer")]
    assert there.lines("balancer") == ["the balancer does not run", "the balancer runs again"]
    assert there.lines("repair") == ["start the balancer: it does not run"]


# again and again


def starts(there: KeptHost, name: str, seconds: int) -> list[float]:
    """The moments at which a replica is started in so many seconds."""
    found = []
    for _unused in range(seconds):
        before = there.repairs.count(("start", name))
        there.run()
        if there.repairs.count(("start", name)) > before:
            found.append(there.clock.now)
    return found


def test_the_repairs_of_a_crash_loop_grow_apart(there: KeptHost) -> None:
    there.app(2).behaviour = Behaviour(ready_after=1.0, ends_after=5.0)
    found = starts(there, "shop-app-2", 1300)
    gaps = [later - earlier for earlier, later in zip(found, found[1:])]
    waited = [gap - 1 for gap in gaps]  # from the end of a repair to the next look after the pause
    assert waited == [10, 20, 40, 80, 160, 300, 300, 300]
    assert there.lines("crash_loop")[0] == (
        "shop-app-2 was started again 3 times and does not stay well; each further time has to "
        "wait longer. See why: docker logs shop-app-2"
    )
    assert len(there.lines("crash_loop")) == len(found) - 2
    assert there.sight.replicas[1].restarts == len(found)
    assert 300 <= there.sight.replicas[1].repair_at - found[-1] + 1 < 301
    assert {"shop-app-1", "shop-app-3"} <= set(there.serving())


def test_five_minutes_of_health_reset_the_patience(there: KeptHost) -> None:
    for pause in (2, 11, 22):
        there.engine.end(there.app(2))
        there.run(pause)
    there.until(there.is_whole, limit=60)
    there.run(310)
    moment = there.clock.now
    there.engine.end(there.app(2))
    there.run(2)
    assert there.app(2).status == "running"
    assert 10 <= there.sight.replicas[1].repair_at - moment < 11


def test_a_crash_loop_that_the_engine_keeps_going(there: KeptHost) -> None:
    there.app(2).behaviour = Behaviour(
        ready_after=9.0, ends_after=3.0, restarts=True, looks="restarting"
    )
    there.run(30)
    assert there.repairs == [], "the engine is at it"
    assert there.lines("crash_loop")[0].startswith("shop-app-2 was started again 3 times and does ")
    assert there.sight.replicas[1].restarts >= 9
    assert there.serving() == ["shop-app-1", "shop-app-3"]


# the keeper itself


def test_a_keeper_that_starts_anew_changes_nothing(there: KeptHost) -> None:
    there.begin()
    there.run(60)
    assert (there.nginx.reloads, there.repairs) == (0, [])
    assert there.is_whole()


def test_a_keeper_that_starts_anew_throws_out_nobody_it_does_not_know(there: KeptHost) -> None:
    for _unused in range(10):
        there.begin()
        there.run()
        assert len(there.nginx.members) == 3
        assert there.sight.state == "ok"


def test_a_keeper_that_was_killed_in_the_middle_is_carried_on(there: KeptHost) -> None:
    there.app(2).fault = HUNG
    there.until(lambda: len(there.nginx.members) == 2)
    there.begin()
    there.run()
    assert len(there.nginx.members) == 2, "not let in again before it was judged"
    assert there.until(there.is_whole, limit=30) <= 20


def test_a_keeper_that_starts_when_nobody_is_well_changes_nothing(there: KeptHost) -> None:
    for one in there.engine.of("app"):
        one.fault = SICK
    there.begin()
    there.run(60)
    assert (there.nginx.reloads, there.repairs) == (0, [])


def test_what_a_hand_has_done_during_a_look_is_not_overlooked(
    there: KeptHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look shows a replica that hangs; when it has ended, that one was restarted and starts.
    The next one must wait for it.
    """
    jobs: list[tuple[Hand[Any], Callable[[], Any]]] = []
    look = there.host.containers

    def containers(**labels: str) -> list[dict[str, Any]]:
        found = look(**labels)
        while jobs:
            finish(*jobs.pop())
        return found

    def begin(hand: Hand[Any], job: Callable[[], Any]) -> None:
        hand._busy = True
        jobs.append((hand, job))

    def finish(hand: Hand[Any], job: Callable[[], Any]) -> None:
        at_once(hand, job)
        hand._busy = False

    monkeypatch.setattr(there.host, "containers", containers)
    monkeypatch.setattr(Hand, "begin", begin)
    for number in (1, 2):
        there.app(number).fault = HUNG
        there.app(number).behaviour = Behaviour(ready_after=8.0)
    assert there.until(there.is_whole, limit=60) >= 30
    assert there.repairs == [("restart", "shop-app-1"), ("restart", "shop-app-2")]
