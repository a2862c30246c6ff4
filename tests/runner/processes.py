# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes come from a run of the tests, even those whose parent has ended.

A run marks its environment, which everything that it starts inherits; a run within it adds its own
mark, so that what it starts is known as both's. A service manager gives an
environment of its own; what it started is known by the checkout or a stack of the tests in its
command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.runner.cases import ROOT

VARIABLE = "LBTEST_RUN"
WITHIN = "/"  # between the mark of a run and that of one within it
OF_STACKS = re.compile(r"\blb-?test-")
IN_CONTAINER = re.compile(r"docker[-/][0-9a-f]{64}")
# The engine outlives the part that starts it again; the runner itself stops it.
OF_THE_ENGINE = re.compile(r"dockerd|containerd|docker-(proxy|init)|runc")


@dataclass(frozen=True)
class Process:
    """A process; a pid that is used again has another start."""

    pid: int
    parent: int
    start: int
    name: str
    state: str

    @property
    def identity(self) -> str:
        return f"{self.pid}@{self.start}"


def look(proc: Path = Path("/proc")) -> Iterator[Process]:
    """Every process that can be seen, but the dead ones that wait for their parent."""
    for path in proc.glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        head, _paren, tail = text.rpartition(")")
        fields = tail.split()
        name = head.partition("(")[2]
        found = Process(int(path.parent.name), int(fields[1]), int(fields[19]), name, fields[0])
        if found.state not in ("Z", "X"):
            yield found


def identity(pid: int) -> str:
    """The identity of a process; without a start if there is no such process."""
    return next((found.identity for found in look() if found.pid == pid), f"{pid}@")


def is_alive(wanted: str) -> bool:
    """Whether the very process of this identity still runs."""
    return any(found.identity == wanted for found in look())


def mark() -> str:
    """This run's mark, which what it starts from now on inherits."""
    marks = os.environ.get(VARIABLE, "").split(WITHIN)
    own = identity(os.getpid())
    if marks[-1] != own:
        os.environ[VARIABLE] = WITHIN.join([*filter(None, marks), own])
    return os.environ[VARIABLE]


def marked(run: str, proc: Path = Path("/proc")) -> dict[str, str]:
    """What a run, or one within it, has started and still runs: command lines by identities."""
    entry = f"{run}{WITHIN}"
    return {
        found.identity: words
        for found, words in _outside_of_containers(proc)
        if f"{_mark(proc / str(found.pid))}{WITHIN}".startswith(entry)
    }


def below(runner: int, proc: Path = Path("/proc")) -> dict[str, str]:
    """The descendants of a process."""
    parents = {found.pid: found.parent for found in look(proc)}
    return {
        found.identity: words
        for found, words in _outside_of_containers(proc)
        if runner in _ancestors(found.pid, parents)
    }


def of_runs(runs: Collection[str], proc: Path = Path("/proc")) -> set[str]:
    """Runs within this one, by their identities, and all that they have started."""
    seen = {found.pid: found for found in look(proc)}
    parents = {pid: found.parent for pid, found in seen.items()}
    ours = {pid for pid, found in seen.items() if found.identity in runs}
    return {
        found.identity
        for pid, found in seen.items()
        if ours.intersection([pid, *_ancestors(pid, parents)])
        or not _marks(proc / str(pid)).isdisjoint(runs)
    }


def orphans(proc: Path = Path("/proc")) -> dict[str, str]:
    """Processes without a parent of their own that name this checkout or a stack of the tests."""
    return {
        found.identity: words
        for found, words in _outside_of_containers(proc)
        if found.parent == 1 and (str(ROOT) in words or OF_STACKS.search(words))
    }


def _outside_of_containers(proc: Path) -> Iterator[tuple[Process, str]]:
    """Processes with their command lines, but those of the engine and of this very runner."""
    for found in look(proc):
        folder = proc / str(found.pid)
        if found.pid == os.getpid() or OF_THE_ENGINE.match(found.name):
            continue
        if not IN_CONTAINER.search(_read(folder / "cgroup")):
            words = _read(folder / "cmdline").replace("\0", " ").strip()
            yield found, f"{found.pid} {words or found.name}"[:160]


def _mark(process: Path) -> str:
    """The mark that a process has inherited; nothing if it has none."""
    variables = _read(process / "environ").split("\0")
    start = f"{VARIABLE}="
    return next((one.removeprefix(start) for one in variables if one.startswith(start)), "")


def _marks(process: Path) -> set[str]:
    """The identities of the runs that a process comes from."""
    return set(_mark(process).split(WITHIN))


def _ancestors(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while parent := parents.get(pid, 0):
        yield parent
        pid = parent


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # it has ended, or belongs to somebody else
