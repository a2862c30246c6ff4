# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The deploy lock among real processes, and its audit log."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import lock as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    read_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from tests.unit.fakes.lock import ANA, BEN, SetClock, fast_heart

PLUGINS = "ansible_collections.digiz.load_balancing.plugins.module_utils"


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> Iterator[StackPaths]:
    """A stack's folder."""
    stack = contextlib.ExitStack()
    try:
        yield stack.enter_context(fast_heart(tmp_path))
    finally:
        stack.close()


@pytest.fixture(name="lock")
def lock_fixture(paths: StackPaths) -> DeployLock:
    """A lock whose clock stands still."""
    return DeployLock(paths, SetClock())


def lock_file(paths: StackPaths) -> str:
    return os.path.join(paths.state, "lock.json")


def audit(paths: StackPaths) -> list[str]:
    return str(read_text(os.path.join(paths.state, "audit.log"))).splitlines()


# processes

CONTENDER = f"""
import sys, time
from {PLUGINS} import lock
from {PLUGINS}.files import StackPaths
base, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
lock.HEARTBEAT = 0.02
for _unused in range(rounds):
    mine = lock.DeployLock(StackPaths("shop", base))
    while True:
        try:
            token, _unused = mine.acquire(name, "host", "test", stale_after=5)
            break
        except lock.LoadBalancingError:
            time.sleep(0.01)
    with mine.held(token):
        path = base + "/inside"
        open(path, "x").close()
        time.sleep(0.01)
        __import__("os").unlink(path)
    mine.release(token)
print("done")
"""


def contender(base: Path, *arguments: str, script: str = CONTENDER) -> subprocess.Popen[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(base), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_processes_take_turns(tmp_path: Path) -> None:
    running = [contender(tmp_path, name, "5") for name in ("ana", "ben", "cid")]
    assert [one.communicate(timeout=30)[0] for one in running] == ["done\n"] * 3
    lines = audit(StackPaths("shop", str(tmp_path)))
    assert len(lines) == 30, "each of them began and ended five times"
    assert not [line for line in lines if "takes over" in line]


HOLDER = f"""
import sys, time
from {PLUGINS} import lock
from {PLUGINS}.files import StackPaths
mine = lock.DeployLock(StackPaths("shop", sys.argv[1]))
token, _unused = mine.acquire("ana", "laptop", "deploy")
with mine.held(token):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_frees_the_kernels_lock_and_grows_stale(paths: StackPaths) -> None:
    holder = contender(Path(paths.base), script=HOLDER)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    lock = DeployLock(paths)
    with pytest.raises(LoadBalancingError, match="Another process holds"), lock.exclusive(0.0):
        pytest.fail("two at a time")
    holder.kill()
    holder.communicate()
    assert lock.acquire(*BEN, stale_after=0.1)[1].startswith("deploy by ana from laptop since ")


# the audit log


def test_a_line_is_one_line_and_holds_no_token(lock: DeployLock, paths: StackPaths) -> None:
    token, _unused = lock.acquire("ana\nroot", "laptop", "deploy\t2")
    lock.release(token, "failed:\r\n  no space")
    assert [line.split(" ", maxsplit=1)[1] for line in audit(paths)] == [
        "ana root@laptop deploy 2: begins",
        "ana root@laptop deploy 2: failed: no space",
    ]
    assert not [line for line in audit(paths) if token in line]
    assert os.stat(os.path.join(paths.state, "audit.log")).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", [10, 3000])
def test_the_older_half_goes_when_the_log_is_full(
    lock: DeployLock, paths: StackPaths, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(module, "AUDIT_SIZE", 20_000)
    paths.create()
    for number in range(4000 // size + 20):
        lock.audit("ana", "laptop", "deploy", f"{number} " + "ệ" * size)
        log = os.path.join(paths.state, "audit.log")
        assert os.path.getsize(log) <= 20_000
    lines = audit(paths)
    assert all(re.match(r"2026-03-01T10:00:00\+0000 ana@laptop deploy: \d+ ệ+$", x) for x in lines)
    assert f"deploy: {number} " in lines[-1]
    assert os.stat(log).st_mode & 0o777 == 0o600


def test_names_that_are_no_text_do_not_stop_a_deploy(lock: DeployLock, paths: StackPaths) -> None:
    paths.create()
    lock.audit("an\udce1", "laptop", "deploy", "begins")
    assert audit(paths)[0].endswith("an?@laptop deploy: begins")


def test_a_run_whose_begin_cannot_be_noted_takes_nothing(
    lock: DeployLock, paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.create()

    def refuse(*_unused: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        lock.acquire(*ANA)
    assert str(caught.value) == (
        f"{paths.state}/audit.log cannot be written: No space left on device."
    )
    assert lock.owner() is None
    assert read_json(lock_file(paths)) == {}
