# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules deploy_lock and removal."""

from __future__ import annotations

import os
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import read_text
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.secret_store import SecretStore
from ansible_collections.digiz.load_balancing.plugins.modules import deploy_lock, removal
from tests.unit.fakes.host import SimulatedHost
from tests.unit.fakes.modules import Face, warnings_of


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    return SimulatedHost(tmp_path, monkeypatch)


@pytest.fixture(name="lock")
def lock_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module deploy_lock."""
    return Face(deploy_lock, there, monkeypatch)


@pytest.fixture(name="remove")
def remove_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module removal, on a stack that runs."""
    there.start_balancer([there.replica()])
    there.engine.volumes = ["shop_database"]
    SecretStore(there.paths).store({"key": "value"}, [])
    return Face(removal, there, monkeypatch)


# deploy_lock


def test_the_lock_is_taken_and_freed(there: SimulatedHost, lock: Face) -> None:
    taken = lock.run(who="ana", where="laptop", what="deploy")
    assert (taken["changed"], taken["taken_over"]) == (False, "")
    owner = DeployLock(there.paths).owner()
    assert owner is not None
    assert (owner.token, owner.who) == (taken["token"], "ana")
    freed = lock.run(state="absent", token=taken["token"], outcome="release 3 is out")
    assert (freed["changed"], freed["seconds"] >= 0) == (False, True)
    assert DeployLock(there.paths).owner() is None
    audit = str(read_text(os.path.join(there.paths.state, "audit.log")))
    assert audit.splitlines()[-1].endswith("ana@laptop deploy: release 3 is out")


def test_a_stale_lock_is_taken_over_with_a_warning(
    there: SimulatedHost, lock: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ansible shows a warning once in a process, so a test before this one may have had it.
    warnings = warnings_of(monkeypatch)
    DeployLock(there.paths, clock=lambda: 1.0).acquire("ana", "laptop", "deploy")
    taken = lock.run(who="ben")
    assert taken["taken_over"].startswith("deploy by ana from laptop since ")
    assert "The lock of a run that ended without freeing it was taken over" in warnings[0]


def test_a_lock_that_others_hold_fails(
    there: SimulatedHost, lock: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    def acquire(*_unused: object) -> tuple[str, str]:
        raise LoadBalancingError("The stack shop is being changed: by ana.")

    monkeypatch.setattr(DeployLock, "acquire", acquire)
    assert lock.fail() == "The stack shop is being changed: by ana."


def test_check_mode_takes_no_lock(there: SimulatedHost, lock: Face) -> None:
    taken = lock.run(check=True, who="ana")
    assert (taken["token"], taken["taken_over"], taken["changed"]) == ("", "", False)
    assert not os.path.exists(os.path.join(there.paths.state, "lock.json"))
    assert lock.run(check=True, state="absent", token="x")["seconds"] == 0


def test_freeing_needs_a_token(lock: Face) -> None:
    assert (
        lock.fail(state="absent") == "state is absent but all of the following are missing: token"
    )


# removal


def test_a_stack_is_removed_and_its_data_stay(
    there: SimulatedHost, lock: Face, remove: Face
) -> None:
    token = lock.run()["token"]
    planned = remove.run(check=True)
    assert len(there.engine.everyone()) == 2, "check mode removes nothing"
    done = remove.run(lock=token)
    assert done["changed"]
    assert done["kept"] == ["volume shop_database", f"folder {there.paths.secrets}"]
    assert (done["kept"], done["diff"]) == (planned["kept"], planned["diff"])
    assert "container shop-app-1\n" in done["diff"]["before"]
    assert done["diff"]["after"] == "".join(f"{line}\n" for line in done["kept"])
    assert there.engine.everyone() == []
    assert DeployLock(there.paths).owner() is None
    again = remove.run(lock=lock.run()["token"])
    assert (again["changed"], again["kept"]) == (False, done["kept"])


def test_everything_goes_when_the_data_go(there: SimulatedHost, lock: Face, remove: Face) -> None:
    done = remove.run(lock=lock.run()["token"], data=True)
    assert (done["changed"], done["kept"], done["diff"]["after"]) == (True, [], "")
    assert not os.path.exists(there.paths.root)
    assert not remove.run(lock=lock.run()["token"], data=True)["changed"]
    assert not os.path.exists(there.paths.root)


def test_without_an_engine_the_folders_go(there: SimulatedHost, lock: Face, remove: Face) -> None:
    there.engine.failing["ping"] = docker.errors.DockerException("no such file")
    assert remove.run(lock=lock.run()["token"], data=True)["changed"]
    assert not os.path.exists(there.paths.root)


def test_without_the_lock_nothing_is_removed(there: SimulatedHost, remove: Face) -> None:
    for token in ("another", None):
        assert remove.fail(lock=token).startswith("This run lost the lock of the stack shop")
    assert len(there.engine.everyone()) == 2


# both


def test_a_stack_must_be_named(lock: Face, remove: Face) -> None:
    for face in (lock, remove):
        assert face.fail(stack=None) == "missing required arguments: stack"
