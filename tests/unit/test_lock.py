# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deploy lock: one at a time, a dead run blocks nobody for long, a live one is left alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
    write_json,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import (
    DeployLock,
    Owner,
    kernel_lock,
)
from tests.unit.fakes.lock import ANA, BEN, SetClock, fast_heart

STALE = 30.0


@pytest.fixture(name="clock")
def clock_fixture() -> SetClock:
    """The clock that the locks of a test read."""
    return SetClock()


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> Iterator[StackPaths]:
    """A stack's folder."""
    stack = contextlib.ExitStack()
    try:
        yield stack.enter_context(fast_heart(tmp_path))
    finally:
        stack.close()


@pytest.fixture(name="lock")
def lock_fixture(paths: StackPaths, clock: SetClock) -> DeployLock:
    """A lock that reads the test's clock."""
    return DeployLock(paths, clock)


def lock_file(paths: StackPaths) -> str:
    return os.path.join(paths.state, "lock.json")


def audit(paths: StackPaths) -> list[str]:
    return str(read_text(os.path.join(paths.state, "audit.log"))).splitlines()


# taking and freeing


def test_a_free_lock_is_taken_and_names_its_owner(
    lock: DeployLock, paths: StackPaths, clock: SetClock
) -> None:
    token, taken_over = lock.acquire(*ANA)
    assert re.fullmatch(r"[0-9a-f]{16}", token)
    assert taken_over == ""
    assert lock.owner() == Owner(token, *ANA, since=clock.now, alive=clock.now)
    assert os.stat(lock_file(paths)).st_mode & 0o777 == 0o600
    assert os.stat(paths.state).st_mode & 0o777 == 0o700


def test_freeing_tells_how_long_it_was_held(
    lock: DeployLock, paths: StackPaths, clock: SetClock
) -> None:
    token, _unused = lock.acquire(*ANA)
    clock.now += 12.5
    assert lock.release(token, "release 4 is out") == 12.5
    assert lock.owner() is None
    assert lock.release(token) == 0.0, "it is free already"
    assert audit(paths) == [
        "2026-03-01T10:00:00+0000 ana@laptop deploy: begins",
        "2026-03-01T10:00:12+0000 ana@laptop deploy: release 4 is out",
    ]


def test_a_foreign_token_frees_nothing(lock: DeployLock, paths: StackPaths) -> None:
    token, _unused = lock.acquire(*ANA)
    assert lock.release("another") == 0.0
    assert lock.release("") == 0.0
    owner = lock.owner()
    assert owner is not None
    assert owner.token == token
    assert len(audit(paths)) == 1


def test_a_lock_that_is_taken_over_while_it_is_freed_stays(
    lock: DeployLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _unused = lock.acquire(*ANA)
    mine, theirs = lock.owner(), Owner("theirs", *BEN, since=1.0, alive=1.0)
    answers = iter([mine, theirs])
    with monkeypatch.context() as patch:
        patch.setattr(DeployLock, "owner", lambda _unused: next(answers))
        assert lock.release(token) == 0.0
    assert lock.owner() == mine


# others


def test_a_silent_owner_is_taken_over_and_named(
    lock: DeployLock, paths: StackPaths, clock: SetClock
) -> None:
    lock.acquire(*ANA)
    clock.now += STALE + 11
    token, taken_over = lock.acquire(*BEN, stale_after=STALE)
    assert taken_over == (
        "deploy by ana from laptop since 2026-03-01 10:00:00, last sign of life 41 s ago"
    )
    owner = lock.owner()
    assert owner is not None
    assert (owner.who, owner.token) == ("ben", token)
    assert audit(paths)[-1] == (
        f"2026-03-01T10:00:41+0000 ben@awx scale: takes over the lock of {taken_over}"
    )


def test_an_owner_that_begins_another_step_refuses(paths: StackPaths) -> None:
    lock = DeployLock(paths)
    token, _unused = lock.acquire(*ANA)
    refused = threading.Event()

    def step() -> None:
        time.sleep(0.05)
        with lock.held(token):
            refused.wait(5)

    thread = threading.Thread(target=step)
    thread.start()
    with pytest.raises(LoadBalancingError) as caught:
        DeployLock(paths).acquire(*BEN, stale_after=5)
    refused.set()
    thread.join()
    assert re.fullmatch(
        r"The stack shop is being changed: deploy by ana from laptop since "
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, last sign of life 0 s ago\. "
        r"Wait for it to end, then run this again\.",
        str(caught.value),
    )
    owner = lock.owner()
    assert owner is not None
    assert owner.token == token


def test_a_step_that_outlives_its_run_is_waited_for(paths: StackPaths) -> None:
    """It gives signs of life, but no other step follows."""
    lock = DeployLock(paths)
    token, _unused = lock.acquire(*ANA)
    began = threading.Event()

    def step() -> None:
        with lock.held(token):
            began.set()
            time.sleep(0.3)

    thread = threading.Thread(target=step)
    thread.start()
    began.wait(5)
    started = time.monotonic()
    _unused, taken_over = DeployLock(paths).acquire(*BEN, stale_after=0.2)
    assert time.monotonic() - started >= 0.3
    assert taken_over.startswith("deploy by ana from laptop since ")
    thread.join()


def test_a_step_that_does_not_end_is_not_waited_for_for_ever(paths: StackPaths) -> None:
    lock = DeployLock(paths)
    token, _unused = lock.acquire(*ANA)
    with lock.held(token), pytest.raises(LoadBalancingError, match="The stack shop is being chan"):
        DeployLock(paths).acquire(*BEN, stale_after=0.2, wait=0.0)


def test_a_lock_that_is_freed_meanwhile_is_taken(paths: StackPaths) -> None:
    lock = DeployLock(paths)
    token, _unused = lock.acquire(*ANA)
    timer = threading.Timer(0.05, lock.release, [token])
    timer.start()
    assert DeployLock(paths).acquire(*BEN, stale_after=5)[1] == ""
    timer.join()


def test_of_two_that_take_a_stale_lock_over_one_is_refused(
    lock: DeployLock, paths: StackPaths, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that it is stale; the other one was first to get the kernel's lock."""
    lock.acquire(*ANA)
    clock.now += STALE + 1
    real = DeployLock.exclusive

    def late(self: DeployLock, timeout: float) -> AbstractContextManager[None]:
        monkeypatch.setattr(DeployLock, "exclusive", real)
        DeployLock(paths, clock).acquire("cid", "awx", "deploy")
        return real(self, timeout)

    monkeypatch.setattr(DeployLock, "exclusive", late)
    with pytest.raises(LoadBalancingError, match="is being changed: deploy by cid from awx"):
        lock.acquire(*BEN)
    owner = lock.owner()
    assert owner is not None
    assert owner.who == "cid"


def test_a_sign_of_life_from_the_future_does_not_block(lock: DeployLock, clock: SetClock) -> None:
    """The clock was a day ahead when the host lost its power."""
    lock.acquire(*ANA)
    clock.now -= 86_400
    _unused, taken_over = lock.acquire(*BEN, stale_after=0.1)
    assert taken_over.endswith("last sign of life 0 s ago")


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"token": "x"}', b'{"token":1,"since":"soon"}', b"\xff\xfe\x00"]
)
def test_a_damaged_lock_is_a_free_one(lock: DeployLock, paths: StackPaths, damage: bytes) -> None:
    paths.create()
    Path(lock_file(paths)).write_bytes(damage)
    assert lock.acquire(*ANA)[1] == ""


def test_a_lock_of_an_earlier_version_is_understood(lock: DeployLock, paths: StackPaths) -> None:
    paths.create()
    old = {"token": "t", "who": "ana", "where": "l", "what": "deploy", "since": 1, "alive": 2.5}
    write_json(lock_file(paths), old)
    assert lock.owner() == Owner("t", "ana", "l", "deploy", 1.0, 2.5, steps=0)


def test_a_host_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file is in the way", encoding="utf-8")
    with pytest.raises(LoadBalancingError) as caught:
        DeployLock(StackPaths("shop", str(tmp_path))).acquire(*ANA)
    assert str(caught.value) == f"{tmp_path}/shop/state cannot be made: Not a directory."


# holding


def test_the_heart_beats_while_a_step_works(paths: StackPaths) -> None:
    lock = DeployLock(paths)
    token, _unused = lock.acquire(*ANA)
    first = lock.owner()
    assert first is not None
    with lock.held(token):
        time.sleep(0.15)
        during = lock.owner()
    assert during is not None
    assert (during.token, during.since, during.steps) == (token, first.since, 1)
    assert during.alive > first.alive
    with lock.held(token):
        second = lock.owner()
    assert second is not None
    assert second.steps == 2


def test_a_lost_lock_changes_nothing(lock: DeployLock, clock: SetClock) -> None:
    token, _unused = lock.acquire(*ANA)
    clock.now += 60
    lock.acquire(*BEN)
    with pytest.raises(LoadBalancingError) as caught, lock.held(token):
        pytest.fail("the step must not run")
    assert str(caught.value) == (
        "This run lost the lock of the stack shop: it is held by scale by ben from awx since "
        "2026-03-01 10:01:00, last sign of life 0 s ago. Nothing more is changed by this run."
    )


def test_a_freed_lock_is_lost_too(lock: DeployLock) -> None:
    token, _unused = lock.acquire(*ANA)
    lock.release(token)
    with pytest.raises(LoadBalancingError) as caught, lock.held(token):
        pytest.fail("the step must not run")
    assert str(caught.value) == (
        "This run lost the lock of the stack shop: it was freed. "
        "Nothing more is changed by this run."
    )


def test_a_heart_stops_quietly_when_its_lock_is_lost(paths: StackPaths) -> None:
    lock = DeployLock(paths)
    token, _unused = lock.acquire(*ANA)
    with lock.held(token):
        os.unlink(lock_file(paths))
        time.sleep(0.1)
        assert lock.owner() is None, "it is not written again"


def test_a_stack_without_a_folder_cannot_be_held(lock: DeployLock, paths: StackPaths) -> None:
    with pytest.raises(LoadBalancingError) as caught, lock.held("token"):
        pytest.fail("the step must not run")
    assert str(caught.value) == (
        f"{paths.state}/step.lock cannot be locked: No such file or directory. "
        "Run the playbook deploy first, or correct stack_name."
    )


def test_a_failing_step_frees_the_kernels_lock(lock: DeployLock) -> None:
    token, _unused = lock.acquire(*ANA)
    with pytest.raises(RuntimeError, match="the step failed"), lock.held(token):
        raise RuntimeError("the step failed")
    with lock.held(token), pytest.raises(LoadBalancingError), lock.exclusive(timeout=0.0):
        pytest.fail("two at a time")


def test_a_process_that_does_not_let_go_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "step.lock")
    with open(path, "w", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LoadBalancingError) as caught, kernel_lock(path, 0.1):
            pytest.fail("two at a time")
    assert str(caught.value) == (
        f"Another process holds {path} for more than 0.1 s. See which one with: fuser {path}"
    )
    with kernel_lock(path, 0.0):
        pass
