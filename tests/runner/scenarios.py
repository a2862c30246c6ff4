# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part that runs Molecule: all scenarios one after the other, each of them one case."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tests.hosts import leftovers
from tests.runner.cases import BIN, CACHE, OUTPUT, ROOT, Case, environment, report

PREFIX = "lbtest-host-molecule-"
HOSTS = "hosts"  # the case of what all scenarios share
STATE = CACHE / "molecule"
SHARED = ("create", "destroy")
STEP = re.compile(
    r"\[(?P<scenario>\w+) > (?P<action>\w+)\].*(?P<event>Executing$|Executed: (?:Failed|Missing))"
)
SKIPPED = re.compile(rf"SKIPPED {PREFIX}(?P<host>\w+): (?P<why>.*)")
COLOUR = re.compile(r"\x1b?\[\d+(;\d+)*m")
CHOICE = "MOLECULE_SCENARIOS"  # names in the environment: no others are run
LIMIT = 2400.0  # seconds
SHOWN = 60  # lines of what failed


def names() -> list[str]:
    """The scenarios, in Molecule's order."""
    return sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def chosen(known: list[str]) -> list[str]:
    """Those that the environment names; none if it names none.

    :raises ValueError: if there is no such scenario.
    """
    wanted = os.environ.get(CHOICE, "").split()
    for name in wanted:
        if name not in known:
            raise ValueError(f"{CHOICE}: there is no scenario {name!r}: {', '.join(known)}")
    return [name for name in known if name in wanted]


class Reading:
    """What Molecule prints, as cases."""

    def __init__(self, known: Iterable[str]) -> None:
        self.seconds = dict.fromkeys([HOSTS, *known], 0.0)
        self.skipped: dict[str, str] = {}
        self.problem: dict[str, str] = {}
        self._known = list(known)
        self._reason = ""  # the host whose reason goes on in the next line
        self._tail: deque[str] = deque(maxlen=SHOWN)
        self._now = HOSTS
        self._since = time.monotonic()

    def line(self, text: str) -> None:
        """One more line."""
        plain = COLOUR.sub("", text).rstrip()
        self._tail.append(plain)
        self._read_skipped(plain)
        step = STEP.search(plain)
        if step is None:
            return
        if step["event"] == "Executing":
            print(f"  {step['scenario']}: {step['action']}", flush=True)
            self._enter(HOSTS if step["action"] in SHARED else step["scenario"])
        else:
            self._fail()

    def _read_skipped(self, plain: str) -> None:
        """Which host is skipped, and why; Ansible goes on in the next lines, up to a quote."""
        found = SKIPPED.search(plain)
        if found:
            self._reason = found["host"]
            self.skipped[self._reason] = found["why"].rstrip("'")
        elif self._reason:
            self.skipped[self._reason] += f" {plain.strip()}".rstrip("'")
        if plain.endswith("'") or not plain:
            self._reason = ""

    def cases(self, status: int) -> list[Case]:
        """All of them, once Molecule has ended with a status."""
        self._enter(HOSTS)
        if status and not self.problem:
            self._fail()
        first = next(iter(self.problem), "")
        for name in self._known:
            if not self.seconds[name] and first:
                self.problem.setdefault(name, f"not run, since {first} failed before")
            elif not self.seconds[name]:
                self.problem[name] = "Molecule has not run it"
        done = [Case(name, took, self.problem.get(name, "")) for name, took in self.seconds.items()]
        return done + [Case(host, 0, skipped=why) for host, why in self.skipped.items()]

    def _enter(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[self._now] = self.seconds.get(self._now, 0.0) + now - self._since
        self._now, self._since = name, now

    def _fail(self) -> None:
        self.problem.setdefault(self._now, "\n".join(self._tail))


def run() -> list[Case]:
    """Run the scenarios; nothing of them is left, however that ends."""
    some = chosen(names())
    reading = Reading(some or names())
    OUTPUT.mkdir(parents=True, exist_ok=True)
    _clear()
    try:
        with (
            _molecule(some) as process,
            (OUTPUT / "molecule.log").open("w", encoding="utf-8") as log,
        ):
            for line in process.stdout or ():
                log.write(line)
                reading.line(line)
            status = process.wait()
    finally:
        _clear()
    return [report(case) for case in reading.cases(status)]


def _clear() -> None:
    """Remove what this run or an earlier, killed one has made: hosts, and the note of them."""
    for host in leftovers():
        if host.name.startswith(PREFIX):
            host.destroy()
    shutil.rmtree(STATE, ignore_errors=True)


@contextmanager
def _molecule(some: Iterable[str]) -> Iterator[subprocess.Popen[str]]:
    """Molecule and all that it starts, ended with the block or at the limit."""
    which = [f"--scenario-name={name}" for name in some] or ["--all"]
    with subprocess.Popen(
        [str(BIN / "molecule"), "test", *which],
        cwd=ROOT,
        env=environment(
            {
                "MOLECULE_EPHEMERAL_DIRECTORY": str(STATE),
                "NO_COLOR": "1",
                "ANSIBLE_NOCOLOR": "1",
                "PY_COLORS": "0",
            }
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        timer = threading.Timer(LIMIT, _end, [process])
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
