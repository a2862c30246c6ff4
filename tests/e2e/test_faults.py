# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault matrix, its rows of replicas: noticed in seconds, survived, mended by the keeper."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import faults
from tests.e2e.fault_trial import Bar, Trial, trial
from tests.e2e.faults import Replica
from tests.e2e.stack import Stack, kill

LONGEST_IN_FLIGHT = 20.0  # seconds for which a request may wait for a replica that hangs
KILLS = 6  # the engine waits 0.1 s, 0.2 s, … 3.2 s: the last far beyond what a start takes
VISIT = 8.0  # seconds of a client that loops on what fails

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Case:
    """A fault of ``count`` replicas at once. ``excused``: what is in flight on them may fail."""

    fault: faults.Fault
    limits: Bar
    excused: bool = True
    count: int = 1


CASES = {
    "process killed with SIGKILL": Case(faults.crash, Bar(2, 15)),
    "docker kill": Case(faults.by_docker("kill"), Bar(2, 15)),
    "docker stop": Case(faults.by_docker("stop"), Bar(2, 30)),
    "docker rm -f": Case(faults.by_docker("rm", "--force"), Bar(2, 30)),
    "health path answers 503": Case(faults.ill("off"), Bar(5, 30), excused=False),
    "health path never answers": Case(faults.ill("hang"), Bar(5, 30), excused=False),
    "cut off its network": Case(faults.unplug, Bar(5, 30)),
    "two of three die at once": Case(faults.crash, Bar(2, 30), count=2),
}


@pytest.mark.parametrize("name", CASES)
def test_a_replica_fails(faulty: Stack, name: str) -> None:
    """Out of rotation and whole again in time; only what was in flight on it may fail."""
    case = CASES[name]
    victims = faults.replicas(faulty, case.count)
    with trial(faulty, name, case.limits) as row:
        strike_and_see(row, case.fault(*victims), victims, case.excused)


def strike_and_see(
    row: Trial, fault: Callable[[], object], victims: list[Replica], excused: bool = True
) -> None:
    """The usual course of things."""
    row.strike(fault, victims)
    out = row.wait_until_left()
    if excused:
        row.excuse_in_flight(out)
    row.wait_until_whole()


def test_a_replica_hangs(faulty: Stack) -> None:
    """What is in flight on it ends with its restart, not after the read timeout."""
    victims = faults.replicas(faulty, 1)
    with trial(faulty, "hang (SIGSTOP)", Bar(5, 30)) as row:
        strike_and_see(row, faults.hang(*victims), victims)
    waited = [
        entry.ended - row.struck
        for entry in row.log.values()
        if victims[0].address in entry.upstreams and entry.began <= row.struck + 5
    ]
    assert max(waited, default=0) <= LONGEST_IN_FLIGHT


def test_a_replica_crashes_again_and_again(faulty: Stack) -> None:
    """It stays out, its restarts grow apart, and it is back when it stops to crash."""
    victim = faults.replicas(faulty, 1)[0]
    rounds: list[faults.Round] = []
    with trial(faulty, f"crash loop ({KILLS} times)", Bar()) as row:
        row.strike(
            lambda: rounds.extend(faults.crash_again_and_again(victim, KILLS)), victims=[victim]
        )
        last = rounds[-1].killed
        out = row.wait_until_left()
        row.excuse_in_flight(out)
        back = [
            look.time - row.struck
            for look in row.watch.looks_in(out, last)
            if look.members and victim.id in look.members
        ]
        row.check(not back, f"in rotation again at {back[:3]} s, before its last crash")
        pauses = [one.pause for one in rounds]
        said = ", ".join(f"{pause:.1f}" for pause in pauses)
        row.check(pauses[-1] > 2 * pauses[0], f"the restarts do not grow apart: {said} s")
        row.check(bool(told(faulty, "crash_loop", row.struck)), "the keeper calls it no crash loop")
        row.wait_until_whole(since=last)
    print(f"\nrestarted after {said} s")


def told(stack: Stack, event: str, since: float) -> str:
    """What the keeper told last about an event since a moment; empty if nothing."""
    changes: list[dict[str, Any]] = stack.status().get("changes", [])
    texts = [one["text"] for one in changes if one["event"] == event and one["time"] >= since]
    return texts[0] if texts else ""


def test_clients_that_loop_on_what_fails_harm_nobody(faulty: Stack) -> None:
    """One each on paths that answer 503, 500, and never: no replica leaves for that."""
    quiet: dict[str, Any] = {"open_rate": 0.0, "idle": 0, "sse": 0, "websockets": 0}
    loop = {**quiet, "closed": 1, "contract": "plain", "failure_pause": 0.0, "request_timeout": 2.0}
    with trial(faulty, "clients loop on 503, 500 and silence", Bar()) as row, ExitStack() as block:
        loops = [
            block.enter_context(faulty.traffic(get_path=f"/fault/{path}", **loop))
            for path in ("status/503", "status/500", "hang")
        ]
        row.strike(lambda: time.sleep(VISIT))
        results = [one.stop() for one in loops]
        row.check(all(one.failed == one.sent > 0 for one in results), "they did not fail")
        row.check(row.watch.nobody_left(row.struck), "a replica was taken out")
    print(f"\nfailed: {[one.failed for one in results]} of those who looped")


def test_all_health_checks_fail_while_the_application_works(faulty: Stack) -> None:
    """As after a wrong path: nobody leaves, nobody is restarted, and the keeper says so."""
    victims = faults.replicas(faulty, 3)
    assert len(victims) == 3
    before = faults.lives(faulty)
    with trial(faulty, "all health checks fail", Bar()) as row:
        row.strike(faults.ill("off")(*victims), victims)
        down = row.watch.says_that(lambda said: said.get("state") == "down", row.struck, 10)
        row.check(down is not None, "the keeper does not say that nobody is healthy")
        # Longer than one that is ill is left alone while others are well.
        row.watch.says_that(lambda _said: False, row.struck, 17)
        text = faulty.status().get("text", "")
        row.check("the members stay as they are" in text, f"it says: {text}")
        faults.ill("on")(*victims)()
        row.wait_until_whole(since=time.time())
        row.check(row.watch.nobody_left(row.struck), "a replica was taken out")
        row.check(faults.lives(faulty) == before, "a replica was restarted")


def test_a_replica_crashes_while_a_rollout_runs(faulty: Stack) -> None:
    """The rollout notices, plans again, and ends right."""
    victims = faults.replicas(faulty, 1)
    # At full speed, traffic leaves a deploy little of this machine.
    light = {"closed": 20, "think_time": 0.05}
    name = "crash during a rollout"
    with trial(faulty, name, Bar(out=2), **light) as row, ExitStack() as block:
        process = faulty.begin("deploy", app_version=2)
        block.callback(kill, process, with_children=True)
        faults.wait_for(lambda: len(faulty.containers()) > 3, 120)
        row.strike(faults.crash(*victims), victims)
        row.excuse_in_flight(row.wait_until_left())
        status = process.wait(180)
        row.check(status == 0, f"the rollout ended with {status}")
        row.wait_until_whole(since=time.time())
        row.check(faulty.versions() == ["2"] * 3, f"versions {faulty.versions()}")
        row.check(set(faulty.members()) == set(faults.lives(faulty)), "others are published")
    assert status == 0, faulty.log.read_text(encoding="utf-8")[-6000:]
