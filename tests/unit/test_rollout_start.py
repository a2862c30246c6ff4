# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting replicas: waited for until they are healthy, taken back when they do not become so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import docker_host
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.engine import NEVER_HEALTHY, WELL, Behaviour
from tests.unit.fakes.host import STACK, SimulatedHost, names
from tests.unit.fakes.steps import calls, rollout, serving, start, will

CRASHING = Behaviour(ready_after=9, ends_after=0.5, exit_code=3, restarts=True, log=b"no route\n")


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    return SimulatedHost(tmp_path, monkeypatch)


def test_a_start_adds_what_is_missing_and_waits(there: SimulatedHost) -> None:
    old = serving(there, 2, "old")
    will(there, Behaviour(ready_after=3.0))
    done = rollout(there).carry_out(start(2))
    (arguments,) = calls(there, "compose")
    assert " ".join(map(str, arguments)) == (
        "up --detach --no-recreate --no-deps --no-build --pull never --scale app=4 app"
    )
    assert done.changed
    assert done.text == "shop-app-3 healthy after 3.2 s, shop-app-4 healthy after 3.2 s"
    assert done.details == {"seconds_to_healthy": {"shop-app-3": 3.2, "shop-app-4": 3.2}}
    assert there.well("new") == ["shop-app-3", "shop-app-4"]
    assert there.serving() == names(old), "nobody is published yet"


def test_a_start_that_holds_already_does_nothing(there: SimulatedHost) -> None:
    serving(there, 2)
    done = rollout(there).carry_out(start(2))
    assert (done.text, done.changed, done.stale) == (
        "all of the wanted version are healthy",
        False,
        False,
    )
    assert calls(there, "compose") == []


def test_replicas_that_a_killed_run_started_are_waited_for(there: SimulatedHost) -> None:
    there.replica(Behaviour(ready_after=4), age=1)
    done = rollout(there).carry_out(start(2))
    assert calls(there, "compose")[0][-2] == "app=2"
    assert sorted(done.details["seconds_to_healthy"]) == ["shop-app-1", "shop-app-2"]
    assert len(there.well("new")) == 2


def test_ill_replicas_are_replaced_not_waited_for(there: SimulatedHost) -> None:
    """All of them hang: the same deploy once more must bring the stack back."""
    ill = [there.replica(Behaviour(hung=True)) for _unused in range(3)]
    there.start_balancer(ill)
    done = rollout(there).carry_out(start(1))
    assert done.text == "shop-app-4 healthy after 1.2 s"
    assert {one.id for one in ill} < set(there.engine.containers), "members stay as they are"


def test_what_restarted_long_ago_does_not_fail_a_start(there: SimulatedHost) -> None:
    serving(there, 1)[0].restart_count = 7
    assert rollout(there).carry_out(start(2)).text == "shop-app-2 healthy after 1.2 s"


def test_two_good_answers_in_a_row_are_needed(there: SimulatedHost) -> None:
    will(there, Behaviour(ready_after=0))
    first = rollout(there).carry_out(start(1))
    assert first.details["seconds_to_healthy"] == {"shop-app-1": 0.2}


@pytest.mark.parametrize(("rise", "seconds"), [(1, 0.0), (2, 0.2), (5, 0.8)])
def test_the_stack_says_how_many(there: SimulatedHost, rise: int, seconds: float) -> None:
    will(there, Behaviour(ready_after=0))
    done = rollout(there, health_rise=rise).carry_out(start(1))
    assert done.details["seconds_to_healthy"] == {"shop-app-1": seconds}


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (
            NEVER_HEALTHY,
            "did not become healthy within 60 s (/health: answered 503). It was removed; what "
            "served before still serves. Its last lines:\nloading\nstill loading",
        ),
        (
            Behaviour(ends_after=0.5, ready_after=9, exit_code=3, log=b"no \x1b[1mroute\n"),
            "ended with exit status 3. It was removed; what served before still serves. "
            "Its last lines:\nno [1mroute",
        ),
        (
            Behaviour(ends_after=0.5, ready_after=9, exit_code=127, error="no such file: app"),
            "ended with exit status 127 (no such file: app). It was removed; what served before "
            "still serves. Its last lines:\n(it printed nothing)",
        ),
        (
            CRASHING,
            "ended with exit status 3. It was removed; what served before still serves. "
            "Its last lines:\nno route",
        ),
        (
            dataclasses.replace(CRASHING, looks="running"),
            "does not stay up: it was started again 3 times. It was removed; what served before "
            "still serves. Its last lines:\nno route",
        ),
    ],
)
def test_a_start_that_fails_takes_back_exactly_what_it_started(
    there: SimulatedHost, behaviour: Behaviour, reason: str
) -> None:
    old = serving(there, 2, "old")
    will(there, WELL, behaviour)
    before = there.balancer().published()
    with pytest.raises(LoadBalancingError) as caught:
        rollout(there).carry_out(start(2))
    assert str(caught.value) == f"shop-app-4 {reason}"
    assert names(there.engine.of("app")) == names(old) == there.serving()
    assert there.balancer().published() == before
    assert all(call[1] == STACK.stop_grace for call in calls(there, "stop"))


def test_a_crash_loop_is_told_long_before_the_timeout(there: SimulatedHost) -> None:
    will(there, CRASHING)
    started = there.clock.now
    with pytest.raises(LoadBalancingError, match="ended with exit status 3"):
        rollout(there).carry_out(start(1))
    assert there.clock.now - started < 10


def test_what_a_killed_run_started_goes_too_if_it_never_becomes_healthy(
    there: SimulatedHost,
) -> None:
    there.replica(Behaviour(ready_after=100), age=50)
    with pytest.raises(LoadBalancingError, match=r"shop-app-1 did not become healthy within 5 s"):
        rollout(there, start_timeout=5.0).carry_out(start(1))
    assert there.engine.of("app") == []


def test_a_member_that_still_starts_is_never_removed(there: SimulatedHost) -> None:
    member = there.replica(Behaviour(ready_after=100), age=50)
    there.start_balancer([member])
    with pytest.raises(LoadBalancingError) as caught:
        rollout(there, start_timeout=5.0).carry_out(start(1))
    assert str(caught.value).startswith(
        "shop-app-1 did not become healthy within 5 s (/health: answered 503). "
        "It stays, because it is a member. Its last lines:"
    )
    assert there.engine.of("app") == [member]


def test_a_replica_without_an_address_is_not_healthy(there: SimulatedHost) -> None:
    service = there.engine.services["app"]
    there.engine.services["app"] = dataclasses.replace(service, network="")
    with pytest.raises(LoadBalancingError, match=r"within 60 s \(/health: it has no address\)"):
        rollout(there).carry_out(start(1))
    assert there.engine.of("app") == []


def test_a_replica_that_others_remove_meanwhile_makes_the_plan_stale(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    will(there, Behaviour(ready_after=5))
    sleep = there.clock.sleep

    def remove(seconds: float) -> None:
        for one in there.engine.of("app"):
            del there.engine.containers[one.id]
        sleep(seconds)

    monkeypatch.setattr(there.clock, "sleep", remove)
    done = rollout(there).carry_out(start(2))
    assert (done.text, done.changed, done.stale) == (
        "0 of 2 are there, others were removed meanwhile: plan again",
        True,
        True,
    )


def test_an_engine_that_cannot_start_one_leaves_none(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = serving(there, 1, "old")
    run = there.engine.run

    def broken(command: list[str], *options: object) -> object:
        there.engine.compose_answer = None
        run(command, *options)
        there.engine.of("app")[-1].status = "created"
        there.engine.compose_answer = (1, "", "Error response from daemon: no such device\n")
        return run(command, *options)

    monkeypatch.setattr(docker_host, "capture", broken)
    with pytest.raises(LoadBalancingError, match=r"failed \(1\)\.\nError response from daemon"):
        rollout(there).carry_out(start(2))
    assert there.engine.of("app") == old


def test_an_image_that_is_not_there_is_told_before_anything_starts(there: SimulatedHost) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        rollout(there, image="shop:99").carry_out(start(1))
    assert str(caught.value) == (
        "The image shop:99 is not on the host. "
        "Correct app_image or app_version, or make it available."
    )
    assert there.engine.of("app") == []


def test_an_unreadable_log_does_not_hide_the_reason(there: SimulatedHost) -> None:
    will(there, NEVER_HEALTHY)
    there.engine.failing["logs"] = docker.errors.APIError("configured logging driver does not")
    with pytest.raises(LoadBalancingError) as caught:
        rollout(there).carry_out(start(1))
    assert str(caught.value).startswith("shop-app-1 did not become healthy within 60 s")
    assert "Its last lines:\n(Docker's engine refused: configured logging" in str(caught.value)
    assert there.engine.of("app") == []
