# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Balancer, database and the command before a rollout: brought up, waited for, told about."""

from __future__ import annotations

import os
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    replace_link,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import digest
from ansible_collections.digiz.load_balancing.plugins.module_utils.services import (
    ServiceWork,
    bring_up,
    outdated,
    run_pre_deploy,
)
from tests.unit.fakes.engine import NEVER_HEALTHY, WELL, Behaviour, Service
from tests.unit.fakes.host import STATIC, SimulatedHost
from tests.unit.fakes.nginx import REJECTED

WANTED = {"balancer": "b1", "database": "d1"}
UP = "up --detach --no-deps --no-build --pull never"


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with a release in force, of which nothing runs yet."""
    there = SimulatedHost(tmp_path, monkeypatch)
    there.engine.services["database"] = Service(
        "database", "d1", behaviours=(Behaviour(ready_after=3.0),)
    )
    there.engine.services["pre-deploy"] = Service("pre_deploy", "p1")
    release(there, STATIC)
    return there


def release(there: SimulatedHost, static: str) -> None:
    """Take a release with this static part into force."""
    number = str(len(os.listdir(there.paths.releases)) + 1)
    os.makedirs(os.path.join(there.paths.releases, number))
    write_text(os.path.join(there.paths.releases, number, "nginx.conf"), static)
    replace_link(there.paths.release, number)


def work(
    there: SimulatedHost, static: str = STATIC, wanted: dict[str, str] | None = None
) -> ServiceWork:
    return ServiceWork(there.host, there.balancer(), wanted or WANTED, digest(static))


def composed(there: SimulatedHost) -> list[str]:
    return [" ".join(call[1:]) for call in there.engine.calls if call[0] == "compose"]


# what is outdated


def test_what_does_not_run_as_wanted_is_outdated(there: SimulatedHost) -> None:
    assert outdated(there.host, WANTED) == ["balancer", "database"]
    there.engine.create("database", WELL)
    assert outdated(there.host, WANTED) == ["balancer"]
    assert outdated(there.host, {"database": "d2"}) == ["database"]
    there.engine.of("database")[0].status = "exited"
    assert outdated(there.host, WANTED) == ["balancer", "database"]
    assert outdated(there.host, {}) == []


# bringing up


def test_services_are_brought_up_together_and_waited_for(there: SimulatedHost) -> None:
    there.balancer().publish([], STATIC)
    ready = bring_up(there.host, ["balancer", "database"], there.balancer())
    assert composed(there) == [f"{UP} balancer database"]
    assert ready == {"balancer": 0.0, "database": 3.0}


def test_a_service_without_a_health_check_is_ready_when_it_runs(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(there.engine, "health", lambda one: "about an hour ago")
    assert bring_up(there.host, ["database"], there.balancer()) == {"database": 0.0}


@pytest.mark.parametrize(
    "behaviour", [NEVER_HEALTHY, Behaviour(ends_after=0.1, log=b"loading\nstill loading\n")]
)
def test_a_service_that_does_not_come_up_is_told(
    there: SimulatedHost, behaviour: Behaviour
) -> None:
    there.engine.services["database"] = Service("database", "d1", behaviours=(behaviour,))
    with pytest.raises(LoadBalancingError) as caught:
        bring_up(there.host, ["database"], there.balancer())
    assert str(caught.value) == (
        "database is not ready after 120 s. Its last lines:\nloading\nstill loading"
    )


def test_a_service_that_is_not_there_is_told(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.engine.compose_answer = (0, "", "")
    with pytest.raises(LoadBalancingError) as caught:
        bring_up(there.host, ["cache", "database"], there.balancer())
    assert str(caught.value) == (
        "cache, database is not ready after 120 s. Its last lines:\n(there is no container)"
    )


def test_a_balancer_is_ready_when_it_serves_what_is_published(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.balancer().publish([], STATIC)
    monkeypatch.setattr(there.nginx, "start", lambda: None)
    with pytest.raises(LoadBalancingError, match="balancer is not ready after 120 s"):
        bring_up(there.host, ["balancer"], there.balancer())


def test_an_engine_that_refuses_is_told(there: SimulatedHost) -> None:
    there.engine.failing["containers"] = docker.errors.APIError("server error")
    with pytest.raises(LoadBalancingError, match="Docker's engine refused: server error"):
        outdated(there.host, WANTED)


# all of it


def test_the_first_deploy_publishes_and_brings_up(there: SimulatedHost) -> None:
    assert work(there).preview() == (
        True,
        "would bring up balancer, would bring up database, would reload nginx",
    )
    assert work(there).carry_out() == (
        True,
        "configuration generation 1, balancer ready after 0.0 s, database ready after 3.0 s",
    )
    assert there.balancer().is_served()


def test_what_is_as_wanted_is_left_alone(there: SimulatedHost) -> None:
    work(there).carry_out()
    before = len(composed(there))
    assert work(there).preview() == (False, "all as wanted")
    assert work(there).carry_out() == (False, "all as wanted")
    assert (len(composed(there)), there.nginx.reloads) == (before, 0)


def test_another_static_part_is_a_reload_that_keeps_the_members(there: SimulatedHost) -> None:
    there.start_balancer([there.replica()])
    there.engine.create("database", WELL)
    release(there, "# another\n")
    assert work(there, "# another\n").preview() == (True, "would reload nginx")
    assert work(there, "# another\n").carry_out() == (True, "configuration generation 2")
    assert there.nginx.members == {"10.0.0.1"}
    assert there.nginx.reloads == 1


def test_a_reload_that_a_killed_run_left_out_is_done(there: SimulatedHost) -> None:
    there.start_balancer()
    there.engine.create("database", WELL)
    there.nginx.generation = 0
    assert work(there).carry_out() == (True, "configuration generation 2")
    assert there.balancer().is_served()


def test_a_rejected_static_part_starts_nothing(there: SimulatedHost) -> None:
    release(there, f"{REJECTED};\n")
    with pytest.raises(LoadBalancingError, match="nginx rejects the configuration"):
        work(there, f"{REJECTED};\n").carry_out()
    assert composed(there) == []


def test_without_the_balancer_nothing_is_published(there: SimulatedHost) -> None:
    only = {"database": "d1"}
    assert work(there, wanted=only).preview() == (True, "would bring up database")
    assert work(there, wanted=only).carry_out() == (True, "database ready after 3.0 s")
    assert there.balancer().published().generation == 0


# the command before a rollout


def test_the_command_before_runs_once(there: SimulatedHost) -> None:
    there.engine.compose_answer = (0, "3 migrations\n", "")
    assert run_pre_deploy(there.host, 60) == "3 migrations\n"
    assert composed(there) == ["--profile pre-deploy run --rm --no-deps -T pre-deploy"]


def test_a_killed_runs_command_is_ended_first(there: SimulatedHost) -> None:
    left = there.engine.create("pre-deploy", WELL)
    run_pre_deploy(there.host, 60)
    assert ("stop", left.id, 1) in there.engine.calls
    assert there.engine.of("pre-deploy") == []


def test_a_command_that_fails_is_told_and_ended(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose(*_arguments: str, timeout: float) -> str:
        there.engine.create("pre-deploy", WELL)
        raise LoadBalancingError(f"docker compose run took longer than {timeout:g} s.")

    monkeypatch.setattr(there.host, "compose", compose)
    with pytest.raises(LoadBalancingError) as caught:
        run_pre_deploy(there.host, 1800)
    assert str(caught.value) == (
        "app_pre_deploy failed, no replica was touched. docker compose run took longer than 1800 s."
    )
    assert there.engine.of("pre-deploy") == [], "it would go on migrating"


# another balancer


def replacing(there: SimulatedHost, *behaviours: Behaviour) -> ServiceWork:
    """A balancer of the revision b1 serves, b2 is wanted, and streams last for 8 s."""
    there.start_balancer([there.replica()])
    there.nginx.request_seconds = 8.0
    there.engine.services["balancer"] = Service("balancer", "b2", behaviours=behaviours or (WELL,))
    return work(there, wanted={"balancer": "b2"})


def test_a_balancer_is_replaced_by_one_beside_it(there: SimulatedHost) -> None:
    wanted = replacing(there)
    (old,) = there.engine.of("balancer")
    assert wanted.preview() == (True, "would replace the balancer without a gap")
    changed, text = wanted.carry_out()
    assert changed
    assert text.startswith("balancer replaced, new one ready after 0.0 s, the old one drained of 1")
    assert composed(there) == [f"{UP} --no-recreate --scale balancer=2 balancer"]
    assert ("kill", old.id, "QUIT") in there.engine.calls
    (new,) = there.engine.of("balancer")
    assert (new.labels["digiz.load_balancing.revision"], new.status) == ("b2", "running")
    assert wanted.carry_out() == (False, "all as wanted")


def test_two_balancers_are_both_reloaded_and_one_that_quits_is_not(there: SimulatedHost) -> None:
    replacing(there)
    old, new = *there.engine.of("balancer"), there.engine.create("balancer", WELL)
    there.balancer().publish([], STATIC)
    assert [c[1] for c in there.engine.calls if c[0] == "kill"] == [new.id, old.id]
    assert there.balancer().is_served()
    there.host.signal(old.id, "QUIT")
    there.engine.calls.clear()
    there.balancer().publish([], f"{STATIC}# more\n")
    assert [c[1] for c in there.engine.calls if c[0] == "kill"] == [new.id]


def test_a_new_balancer_that_does_not_come_up_is_removed(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = replacing(there, Behaviour(log=b"unknown option\n"))
    (old,) = there.engine.of("balancer")
    monkeypatch.setattr(type(there.nginx), "start", lambda nginx: None)
    with pytest.raises(LoadBalancingError) as caught:
        wanted.carry_out()
    assert str(caught.value) == (
        "The new balancer does not come up; it was removed, the old one serves on. "
        "Its last words:\nunknown option"
    )
    assert there.engine.of("balancer") == [old]
    assert there.nginx.members == {"10.0.0.1"}
