# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A handover on a simulated host: what is done when it does not go as it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.handover import (
    REMOVE,
    Action,
    Handover,
)
from tests.unit.fakes.engine import WELL, Behaviour, Service
from tests.unit.fakes.host import SimulatedHost
from tests.unit.fakes.nginx import Nginx


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which a balancer of the revision b1 serves one replica."""
    there = SimulatedHost(tmp_path, monkeypatch)
    there.start_balancer([there.replica()])
    return there


def handover(there: SimulatedHost, *behaviours: Behaviour, revision: str = "b2") -> Handover:
    """To a balancer of that revision, which does so."""
    if revision:
        there.engine.services["balancer"] = Service("balancer", revision, behaviours=behaviours)
    return Handover(there.balancer(), revision, 600.0)


def why(one: Handover) -> str:
    with pytest.raises(LoadBalancingError) as caught:
        one.carry_out()
    return str(caught.value)


def revisions(there: SimulatedHost) -> list[str]:
    return [one.labels["digiz.load_balancing.revision"] for one in there.engine.of("balancer")]


def test_without_a_balancer_there_is_nothing_to_hand_over(there: SimulatedHost) -> None:
    there.engine.containers.clear()
    there.engine.on_change()
    assert handover(there, WELL).carry_out() == ""
    assert there.engine.of("balancer") == []


def test_what_an_earlier_run_left_is_removed_first(there: SimulatedHost) -> None:
    one = handover(there, WELL)
    left = there.engine.create("balancer", WELL)
    there.engine.end(left)
    assert one.next() == Action(REMOVE, left.id)
    assert one.carry_out().startswith("balancer replaced, new one ready after ")
    assert revisions(there) == ["b2"]
    assert left.id not in there.engine.containers


def test_a_new_one_may_take_a_moment(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    one = handover(there, WELL)
    start, sleep, begun = Nginx.start, there.clock.sleep, there.clock.now
    waiting: list[Nginx] = []

    def later(seconds: float) -> None:
        sleep(seconds)
        if there.clock.now > begun + 3 and waiting:
            start(waiting.pop())

    monkeypatch.setattr(Nginx, "start", waiting.append)
    monkeypatch.setattr(there.clock, "sleep", later)
    assert one.carry_out().startswith("balancer replaced, new one ready after 3.")
    assert revisions(there) == ["b2"]


def test_one_that_does_not_share_its_ports_makes_room(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old release's balancer listens without reuseport: the new one cannot come up beside it."""
    taken = Behaviour(log=b"bind() to 0.0.0.0:8080 failed (98: Address already in use)\n")
    one = handover(there, taken)
    start = Nginx.start

    def alone(nginx: Nginx) -> None:
        if revisions(there) == ["b2"]:
            start(nginx)

    monkeypatch.setattr(Nginx, "start", alone)
    said = one.carry_out()
    assert said.startswith("balancer recreated in 20.")
    assert said.endswith(
        " s, in which nothing listened for a moment: the one before did not share its ports"
    )
    assert revisions(there) == ["b2"]


def test_an_only_one_that_does_not_come_up_is_told_and_stays(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = handover(there, WELL)
    there.engine.containers.clear()
    there.engine.on_change()
    monkeypatch.setattr(Nginx, "start", lambda _nginx: None)
    there.engine.create("balancer", Behaviour(log=b"no such directive\n"))
    assert why(one) == "The balancer does not come up. Its last words:\nno such directive"
    assert revisions(there) == ["b2"]


def test_an_old_one_that_goes_on_accepting_is_told(there: SimulatedHost) -> None:
    there.nginx.slow = 60.0
    (old,) = there.engine.of("balancer")
    assert why(handover(there, WELL)) == (
        f"The old balancer {old.id[:12]} still accepts connections 10 s after it was told to quit. "
        "Both serve on; run the playbook deploy again."
    )
    assert sorted(revisions(there)) == ["b1", "b2"]


def test_a_drain_ends_in_time(there: SimulatedHost) -> None:
    there.nginx.request_seconds = 3600.0
    there.engine.holds = lambda _address: False  # it is cut off with its connections
    done = handover(there, WELL).carry_out()
    assert "the old one was cut off after 605." in done
    assert revisions(there) == ["b2"]


def test_the_keeper_leaves_one_balancer(there: SimulatedHost) -> None:
    """Whichever serves: first the older one quits, then, ended, it is removed."""
    one = handover(there, revision="")
    (old,) = there.engine.of("balancer")
    assert one.spare() == {}
    one.tidy()
    new = there.engine.create("balancer", WELL)
    assert one.spare() == {old.id: "another one serves"}
    one.tidy()
    assert ("kill", old.id, "QUIT") in there.engine.calls
    there.engine.end(old)
    assert one.spare() == {old.id: "one has ended, another one serves"}
    one.tidy()
    assert (one.spare(), there.engine.of("balancer")) == ({}, [new])
