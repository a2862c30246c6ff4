# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper does to a stack: it publishes, and carries out one repair, beside no deploy."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import SupersededError
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import write_json
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_view import View
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_work import (
    publish,
    repair,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import (
    BALANCER,
    MISSING,
    Repair,
)
from tests.unit.fakes.engine import HUNG
from tests.unit.fakes.host import STATIC, as_member
from tests.unit.fakes.kept import KeptHost
from tests.unit.fakes.steps import calls


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptHost:
    """A host with three replicas that are well."""
    return KeptHost(tmp_path, monkeypatch)


def look(there: KeptHost) -> View:
    return there.keeper._lookout.look()


def wanted(there: KeptHost, action: str, number: int, gently: bool = False) -> Repair:
    one = there.app(number)
    return Repair(action, one.id, one.name, "for a test", gently=gently)


# repairs


def test_each_repair_is_what_the_engine_is_told(there: KeptHost) -> None:
    stopped, paused, cut = there.app(1), there.app(2), there.app(3)
    there.engine.end(stopped)
    paused.status = "paused"
    cut.address = ""
    assert repair(there.paths, there.stack, wanted(there, "start", 1)) == (
        "start shop-app-1: for a test"
    )
    repair(there.paths, there.stack, wanted(there, "unpause", 2))
    repair(there.paths, there.stack, wanted(there, "connect", 3))
    assert calls(there, "start")[-1] == (stopped.id,)
    assert calls(there, "unpause") == [(paused.id,)]
    assert calls(there, "connect") == [(cut.id, "shop_edge")]
    there.clock.sleep(1)
    assert len(there.well()) == 3


@pytest.mark.parametrize(
    ("gently", "own", "grace"), [(True, 20, 20), (True, 300, 30), (False, 20, 0)]
)
def test_a_restart_gives_the_time_that_a_replica_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gently: bool, own: int, grace: int
) -> None:
    """One that gives no answer is not asked to end; nobody gets longer than 30 s."""
    there = KeptHost(tmp_path, monkeypatch, stop_grace=own)
    there.app(2).fault = HUNG
    there._note_health()
    repair(there.paths, there.stack, wanted(there, "restart", 2, gently))
    assert calls(there, "stop") == [(there.app(2).id, grace)]
    assert there.repairs == [("restart", "shop-app-2")]


def test_what_compose_is_told(there: KeptHost) -> None:
    for name in ("shop-app-2", "shop-app-3", "shop-balancer-1"):
        del there.engine.containers[there.engine.named(name).id]
    there.engine.on_change()
    create = Repair("create", MISSING, "2 replicas", "1 of 3 are there", count=3)
    assert repair(there.paths, there.stack, create) == "create 2 replicas: 1 of 3 are there"
    bring_up = Repair("start", BALANCER, "the balancer", "it does not run")
    assert repair(there.paths, there.stack, bring_up) == "start the balancer: it does not run"
    assert [" ".join(map(str, arguments)) for arguments in calls(there, "compose")] == [
        "up --detach --no-deps --no-build --pull never --no-recreate --scale app=3 app",
        "up --detach --no-deps --no-build --pull never balancer",
    ]
    assert (len(there.engine.of("app")), len(there.engine.of("balancer"))) == (3, 1)


def test_a_repair_that_fails_says_what_and_why(there: KeptHost) -> None:
    there.engine.end(there.app(2))
    there.engine.failing["start"] = docker.errors.APIError("no such image: shop:2")
    with pytest.raises(LoadBalancingError) as caught:
        repair(there.paths, there.stack, wanted(there, "start", 2))
    assert str(caught.value) == (
        "start shop-app-2: for a test. That failed: Docker's engine refused: no such image: shop:2."
    )


def test_nothing_is_repaired_once_a_deploy_has_begun(there: KeptHost) -> None:
    there.engine.end(there.app(2))
    there.lock()
    assert repair(there.paths, there.stack, wanted(there, "start", 2)) == ""
    assert there.repairs == []


@contextmanager
def step(there: KeptHost) -> Iterator[None]:
    """A step of a deploy holds the kernel's lock, as another process would."""
    path = os.path.join(there.paths.state, "step.lock")
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_a_step_that_is_at_work_is_no_failure_of_a_repair(there: KeptHost) -> None:
    there.engine.end(there.app(2))
    there.lock()
    with step(there):
        began = there.clock.now
        assert repair(there.paths, there.stack, wanted(there, "start", 2)) == ""
    assert there.clock.now - began == pytest.approx(2.0, abs=0.1)
    assert there.repairs == []


def test_somebody_else_who_holds_the_lock_is_told(there: KeptHost) -> None:
    there.engine.end(there.app(2))
    with step(there), pytest.raises(LoadBalancingError) as caught:
        repair(there.paths, there.stack, wanted(there, "start", 2))
    assert str(caught.value).startswith(
        "start shop-app-2: for a test. That failed: Another process holds "
    )


# publishing


def test_members_are_published_as_they_were_seen(there: KeptHost) -> None:
    view = look(there)
    done = publish(there.paths, view, view.observed.replicas[:2])
    assert [(one.name, one.address, one.port) for one in done.after.members] == [
        ("shop-app-1", "10.0.0.1", 8000),
        ("shop-app-2", "10.0.0.2", 8000),
    ]
    assert there.nginx.members == {"10.0.0.1", "10.0.0.2"}


def test_a_decision_that_was_overtaken_is_not_carried_out(there: KeptHost) -> None:
    view = look(there)
    there.balancer().publish([as_member(there.app(3))])
    with pytest.raises(SupersededError):
        publish(there.paths, view, view.observed.replicas[:2])
    assert there.nginx.members == {"10.0.0.3"}


@pytest.mark.parametrize("damage", ["", None, b"\xff\xfe"], ids=["empty", "missing", "no text"])
def test_a_lost_static_part_is_put_back_from_the_release(
    there: KeptHost, damage: str | bytes | None
) -> None:
    path = Path(there.paths.current, "nginx.conf")
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    view = look(there)
    done = publish(there.paths, view, view.observed.replicas)
    assert done.after.static == STATIC
    assert len(there.nginx.members) == 3


def test_without_a_release_there_is_nothing_to_put_back(there: KeptHost) -> None:
    Path(there.paths.current, "nginx.conf").unlink()
    view = look(there)
    write_json(os.path.join(there.paths.release, "project.json"), {})
    with pytest.raises(LoadBalancingError) as caught:
        publish(there.paths, view, view.observed.replicas)
    assert str(caught.value) == (
        "Release 1 of the stack shop is missing or damaged. Run the playbook deploy."
    )
    assert len(there.nginx.members) == 3, "nginx serves on"
