# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard in the process of the test, with small children: what it does, step by step."""

from __future__ import annotations

import functools
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper_guard
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_guard import (
    BoundedLog,
    Guard,
    Patience,
)

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

SAYS = """
import os, socket, time
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
        notes.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
"""


class Log(BoundedLog):
    """A log that calls somebody as soon as it holds a text."""

    def __init__(self, path: Path, awaited: str) -> None:
        super().__init__(str(path))
        self._there = path
        self._awaited = awaited
        self.call: Callable[[], None] = lambda: None

    def append(self, data: bytes) -> None:
        """Add it, and look."""
        super().append(data)
        assert len(self.text()) < 10_000, "what is awaited does not come"
        if self._awaited in self.text():
            self.call()

    def text(self) -> str:
        """All that it holds."""
        return self._there.read_text(encoding="utf-8")


class Guarded:
    """A guard of commands, which is stopped when its log holds what is awaited."""

    def __init__(self, folder: Path) -> None:
        self.listen_at = folder / "notify"
        self.log = folder / "keeper.log"

    def run(self, command: list[str], awaited: str, **patience: float) -> list[str]:
        """Guard it until then; gives the lines of the log."""
        limits = {"pause": 0.01, "longest_pause": 0.03, **patience}
        log = Log(self.log, awaited)
        guard = Guard("shop", command, str(self.listen_at), log, Patience(**limits))
        log.call = guard.stop
        guard.run()
        assert not self.listen_at.exists()
        return log.text().splitlines()

    def told(self, command: list[str], awaited: str, **patience: float) -> list[str]:
        """The same; gives what the guard said itself."""
        lines = self.run(command, awaited, **patience)
        return [found.group(1) for line in lines if (found := re.search(r'"text": "(.*)"', line))]


@pytest.fixture(name="guarded")
def guarded_fixture(tmp_path: Path) -> Guarded:
    """Nothing runs yet."""
    return Guarded(tmp_path)


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def python(script: str) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", SAYS + script]


def test_what_ends_is_started_again_later_each_time(guarded: Guarded) -> None:
    lines = guarded.run(shell('echo "$WATCHDOG_USEC"; exit 3'), "in 0.03 s", silence=2.5)
    assert [line for line in lines if not line.startswith("{")] == ["2500000"] * 3
    said = "the keeper ended with status 3; it is started again in"
    for line, seconds in zip(lines[1::2], ("0.01", "0.02", "0.03")):
        assert f'"text": "{said} {seconds} s"' in line


def test_what_lived_long_enough_is_started_again_at_once(guarded: Guarded) -> None:
    script = f'[ -e "{guarded.log}.last" ] && exit 5; : >"{guarded.log}.last"; kill -KILL $$'
    told = guarded.told(shell(script), "status 5", short_life=0.0)
    assert told == [
        "the keeper was ended by signal 9; it is started again in 0.01 s",
        "the keeper ended with status 5; it is started again in 0.01 s",
    ]


def test_what_cannot_be_started_is_tried_again(guarded: Guarded) -> None:
    told = guarded.told(["/nowhere/keeper"], "in 0.02 s")
    reason = "could not be started: [Errno 2] No such file or directory: '/nowhere/keeper'"
    assert told == [f"the keeper {reason}; it is started again in {n} s" for n in (0.01, 0.02)]


def test_what_is_silent_is_killed(guarded: Guarded) -> None:
    (text,) = guarded.told(python("say('READY=1'); time.sleep(60)"), "started again", silence=0.2)
    assert text == "the keeper was silent for 0.2 s and was killed; it is started again in 0.01 s"


def test_what_is_not_ready_in_time_is_killed(guarded: Guarded) -> None:
    (text,) = guarded.told(shell("exec sleep 60"), "started again", start=0.1, silence=60)
    assert text.startswith("the keeper was not ready within 0.1 s and was killed; ")


def test_what_an_earlier_one_sent_is_not_the_next_ones(guarded: Guarded) -> None:
    """The first becomes ready as it ends; the second is given the time of one that starts."""
    script = (
        "\nimport sys\nfirst = not os.path.exists(sys.argv[1])\nopen(sys.argv[1], 'a').close()\n"
        "if first:\n    [say('READY=1') for _unused in range(9)]\nelse:\n    time.sleep(0.5)\n"
        "sys.exit(0 if first else 8)"
    )
    mark = str(guarded.log.with_name("mark"))
    told = guarded.told([*python(script), mark], "status 8", silence=0.01)
    assert told[-1].startswith("the keeper ended with status 8; ")


def test_a_stop_is_passed_on(guarded: Guarded) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo there; while :; do sleep 0.01; done"
    assert guarded.run(shell(script), "there") == ["there", "bye"]


def test_what_does_not_stop_is_killed(guarded: Guarded) -> None:
    script = "trap '' TERM; echo there; while :; do sleep 0.01; done"
    assert guarded.run(shell(script), "there", stop=0.1) == ["there"]


def test_a_pause_ends_with_a_stop(guarded: Guarded) -> None:
    told = guarded.told(shell("exit 1"), "started again in 30 s", pause=30.0)
    assert told == ["the keeper ended with status 1; it is started again in 30 s"]


def test_what_closes_its_output_runs_on(guarded: Guarded) -> None:
    lines = guarded.run(shell("echo there; exec >&- 2>&-; sleep 0.3; exit 4"), "status 4")
    assert lines[0] == "there"
    assert "the keeper ended with status 4" in lines[1]


def test_the_program_is_nice_and_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers: dict[int, Any] = {}
    priorities: list[int] = []
    others: list[int] = []

    def setpriority(_which: int, _who: int, priority: int) -> None:
        priorities.append(priority)
        raise PermissionError("not in this container")

    def run(_guard: Guard) -> None:
        if not others:
            others.append(keeper_guard.main(["--stack", "shop"]))
        handlers[signal.SIGTERM](signal.SIGTERM, None)

    monkeypatch.setattr(keeper_guard, "RUN_DIRECTORY", str(tmp_path))
    paths = functools.partial(keeper_guard.StackPaths, base=str(tmp_path))
    monkeypatch.setattr(keeper_guard, "StackPaths", paths)
    monkeypatch.setattr(os, "setpriority", setpriority)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(Guard, "run", run)
    assert keeper_guard.main(["--stack", "shop"]) == 0
    assert sorted(handlers) == [signal.SIGINT, signal.SIGTERM]
    assert handlers[signal.SIGTERM].__self__._stopped.is_set()
    assert (others, priorities) == ([1], [keeper_guard.NICE] * 2)
    assert capsys.readouterr().err == "The keeper of the stack shop is guarded already.\n"
