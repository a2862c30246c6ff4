# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard with real children: what ends is started again, what is silent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper_guard
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_guard import (
    BoundedLog,
    only_one,
)

PLUGINS = "ansible_collections.digiz.load_balancing.plugins.module_utils"
PATIENCE = 60.0
"""Seconds after which a test gives up; what is waited for comes in a fraction of that."""

GUARD = f"""
import signal, sys
from {PLUGINS}.keeper_guard import BoundedLog, Guard, Patience
folder, patience, *command = sys.argv[1:]
log = BoundedLog(folder + "/keeper.log")
guard = Guard("shop", command, folder + "/notify", log, eval(patience))
signal.signal(signal.SIGTERM, guard.stop)
guard.run()
log.write("the guard ends\\n")
"""
HEAD = f"""
import os, signal, sys, time
from {PLUGINS} import service_notify
folder = sys.argv[1]
with open(folder + "/starts", "a") as file:
    file.write(str(os.getpid()) + "\\n")
"""
LIVES = """
service_notify.ready()
while True:
    time.sleep(0.1)
    service_notify.alive()
"""
SHORT_LIFE = """
for _unused in range(30):
    time.sleep(0.1)
    service_notify.alive()
sys.exit(7)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


class Guarded:
    """A guard and its child, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.guard: subprocess.Popen[bytes] | None = None

    def start(self, script: str, patience: str = "", command: str = "") -> None:
        """Guard a child that runs this script; patience is that of the guard, in Python."""
        path = os.pathsep.join(entry for entry in sys.path if entry)
        child = [command] if command else [sys.executable, "-c", HEAD + script, str(self.folder)]
        limits = f"Patience({patience})"
        self.guard = subprocess.Popen(
            [sys.executable, "-c", GUARD, str(self.folder), limits, *child],
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        )

    def starts(self) -> list[int]:
        """Process ids of the children that there were."""
        path = self.folder / "starts"
        text = path.read_text(encoding="ascii") if path.exists() else ""
        return [int(line) for line in text.split()]

    def log(self) -> str:
        """What is in the log."""
        path = self.folder / "keeper.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the guard a signal; gives its exit status."""
        assert self.guard is not None
        self.guard.send_signal(number)
        return self.guard.wait(PATIENCE)


@pytest.fixture(name="guarded")
def guarded_fixture(tmp_path: Path) -> Iterator[Guarded]:
    """Nothing runs yet; nothing is left."""
    guarded = Guarded(tmp_path)
    yield guarded
    if guarded.guard and guarded.guard.poll() is None:
        guarded.end(signal.SIGKILL)


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_one_that_ends_is_started_again_later_each_time(guarded: Guarded) -> None:
    guarded.start("print('told'); sys.exit(3)", "pause=0.01, longest_pause=0.03")
    wait_for(lambda: len(guarded.starts()) >= 4)
    assert guarded.end() == 0
    told = [line for line in guarded.log().splitlines() if '"keeper"' in line]
    assert guarded.log().startswith("told\n{")
    for line, seconds in zip(told, ("0.01", "0.02", "0.03")):
        text = f"the keeper ended with status 3; it is started again in {seconds} s"
        assert (
            f'"level": "error", "stack": "shop", "event": "keeper", "replica": "", "text": "{text}"'
            in line
        )
    assert not os.path.exists(guarded.folder / "notify")


def test_one_that_lived_long_enough_is_started_again_at_once(guarded: Guarded) -> None:
    guarded.start("os.kill(os.getpid(), signal.SIGSEGV)", "pause=0.01, short_life=0.0")
    wait_for(lambda: len(guarded.starts()) >= 4)
    assert guarded.end() == 0
    assert "was ended by signal 11; it is started again in 0.01 s" in guarded.log()
    assert "0.02 s" not in guarded.log()


def test_one_that_is_silent_is_killed_and_started_again(guarded: Guarded) -> None:
    script = (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nservice_notify.ready()\ntime.sleep(600)"
    )
    guarded.start(script, "silence=0.3, pause=0.01")
    wait_for(lambda: len(guarded.starts()) >= 2)
    first = guarded.starts()[0]
    assert not runs(first)
    assert "the keeper was silent for 0.3 s and was killed; it is started again in" in guarded.log()


def test_one_that_does_not_become_ready_is_killed(guarded: Guarded) -> None:
    guarded.start("time.sleep(600)", "start=0.3, silence=600, pause=0.01")
    # Not its own note is waited for: on a busy machine it is killed before it can write one.
    wait_for(
        lambda: guarded.log().count("the keeper was not ready within 0.3 s and was killed") > 1
    )


def test_signs_of_life_keep_it_alive(guarded: Guarded) -> None:
    script = f"service_notify.ready()\n{SHORT_LIFE}"
    guarded.start(script, "silence=2.0, pause=0.01")
    wait_for(lambda: len(guarded.starts()) >= 2)
    assert "the keeper ended with status 7; it is started again in 0.01 s" in guarded.log()


def test_signs_of_life_before_it_is_ready_ask_for_more_time(guarded: Guarded) -> None:
    guarded.start(SHORT_LIFE, "start=2.0, silence=0.01, pause=0.01")
    wait_for(lambda: len(guarded.starts()) >= 2)
    assert "the keeper ended with status 7; it is started again in 0.01 s" in guarded.log()


def test_a_stop_is_passed_on_and_nothing_is_started_again(guarded: Guarded) -> None:
    script = (
        "signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(print('bye')))\nprint('there')"
    )
    guarded.start(script + LIVES)
    wait_for(lambda: "there" in guarded.log())
    assert guarded.end() == 0
    assert guarded.log() == "there\nbye\nthe guard ends\n"
    assert len(guarded.starts()) == 1
    assert not runs(guarded.starts()[0])


def test_one_that_does_not_stop_is_killed(guarded: Guarded) -> None:
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('there')"
    guarded.start(script + LIVES, "stop=0.3")
    wait_for(lambda: "there" in guarded.log())
    assert guarded.end() == 0
    assert not runs(guarded.starts()[0])


def test_a_guard_that_is_killed_takes_its_child_with_it(guarded: Guarded) -> None:
    guarded.start("print('there')" + LIVES)
    wait_for(lambda: "there" in guarded.log())
    guarded.end(signal.SIGKILL)
    wait_for(lambda: not runs(guarded.starts()[0]))


def test_the_next_guard_takes_over_from_one_that_was_killed(guarded: Guarded) -> None:
    guarded.start(LIVES)
    wait_for(lambda: len(guarded.starts()) == 1)
    guarded.end(signal.SIGKILL)
    assert os.path.exists(guarded.folder / "notify")
    guarded.start("print('there')" + LIVES)
    wait_for(lambda: "there" in guarded.log())
    assert guarded.end() == 0


def test_one_that_cannot_be_started_is_told_and_tried_again(guarded: Guarded) -> None:
    guarded.start("", "pause=0.01, longest_pause=0.02", command="/nowhere/keeper")
    wait_for(lambda: "in 0.02 s" in guarded.log())
    assert guarded.end() == 0
    text = "the keeper could not be started: [Errno 2] No such file or directory: '/nowhere/keeper'"
    assert text in guarded.log()


def test_one_that_closes_its_output_runs_on(guarded: Guarded) -> None:
    script = "print('there')\nos.closerange(0, 3)"
    guarded.start(script + LIVES, "silence=30")
    wait_for(lambda: "there" in guarded.log())
    assert runs(guarded.starts()[0])
    assert guarded.end() == 0
    assert len(guarded.starts()) == 1


# the log


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=30))
def test_the_log_is_bounded_and_holds_what_came_last(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("log") / "keeper.log"
    log = BoundedLog(str(path), 100)
    for text in texts:
        log.append(text)
        assert path.stat().st_size <= 100
    older = path.with_name("keeper.log.1")
    held = (older.read_bytes() if older.exists() else b"") + (
        path.read_bytes() if path.exists() else b""
    )
    assert b"".join(texts).endswith(held)
    assert len(held) >= min(len(b"".join(texts)), 60)
    assert {entry.name for entry in path.parent.iterdir()} <= {"keeper.log", "keeper.log.1"}


def test_a_log_that_others_rename_goes_on_in_a_new_file(tmp_path: Path) -> None:
    log = BoundedLog(str(tmp_path / "keeper.log"))
    log.write("one\n")
    os.rename(tmp_path / "keeper.log", tmp_path / "keeper.log.1")
    log.write("two\n")
    log.flush()
    assert (tmp_path / "keeper.log").read_text(encoding="utf-8") == "two\n"
    assert (tmp_path / "keeper.log").stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    log = BoundedLog(str(tmp_path / "missing" / "keeper.log"))
    log.write("lost\n")
    assert list(tmp_path.iterdir()) == []


# the program


def test_there_is_one_guard_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "guard.lock")
    with only_one(path) as first, only_one(path) as second:
        assert (first, second) == (True, False)
    with only_one(path) as third:
        assert third


PROGRAM = f"""
import functools, sys
from {PLUGINS} import keeper_guard
folder = sys.argv[1]
keeper_guard.RUN_DIRECTORY = folder
keeper_guard.KEEPER = "a_keeper"
keeper_guard.StackPaths = functools.partial(keeper_guard.StackPaths, base=folder)
sys.exit(keeper_guard.main(["--stack", "shop"]))
"""


def test_the_program_guards_the_keeper_of_its_stack(tmp_path: Path) -> None:
    assert f"{PLUGINS}.keeper" == keeper_guard.KEEPER
    (tmp_path / "shop" / "logs").mkdir(parents=True)
    script = "import os, sys, time\nprint(sys.argv[1:], os.environ['WATCHDOG_USEC'], flush=True)\n"
    (tmp_path / "a_keeper.py").write_text(script + "time.sleep(600)\n", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": path}
    log = tmp_path / "shop" / "logs" / "keeper.log"
    silence = round(keeper_guard.Patience.silence * 1_000_000)
    with subprocess.Popen(command, env=environment) as guard:
        try:
            wait_for(lambda: log.exists() and log.read_text(encoding="utf-8").endswith("\n"))
            assert log.read_text(encoding="utf-8") == f"['--stack', 'shop'] {silence}\n"
            other = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            assert (other.returncode, other.stderr) == (
                1,
                "The keeper of the stack shop is guarded already.\n",
            )
            guard.terminate()
            assert guard.wait(PATIENCE) == 0
        finally:
            guard.kill()
