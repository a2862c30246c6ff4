# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let mutmut change the heart of the collection in a copy of the checkout, and count what the
unit tests notice.

mutmut finds the tests of a mutant by the name under which the tests import its module. So the
files to mutate stand beside the copy under the collection's own name, and the copy, in which
mutmut runs the tests, is its folder ``mutants``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.defects.trial import UnfitError, copy_checkout
from tests.mutation.catalogue import AREAS, Area
from tests.mutation.explained import EXPLAINED, Explained
from tests.runner.cases import ROOT, Case, environment

HOME = "ansible_collections/digiz/load_balancing"
LIMIT = 1800.0
"""Seconds that one area may take. The usual is one or two minutes."""

JOBS = 2
NOTICED = ("killed", "timeout")
SETTINGS = """\
[mutmut]
source_paths=
    ansible_collections
pytest_add_cli_args=
    -o
    addopts=
    -p
    no:cacheprovider
    -p
    tests.mutation.order{left_out}
pytest_add_cli_args_test_selection=
    {tests}
timeout_constant=5
timeout_multiplier=3
track_dependencies=false
use_git_change_detection=false
use_setproctitle=false
"""


@dataclass(frozen=True)
class Mutant:
    """What mutmut made, and how it ended; the changed lines only of one that was not noticed."""

    module: str
    name: str
    status: str
    old: str = ""
    new: str = ""

    @property
    def function(self) -> str:
        """The function or Class.method out of mutmut's name for it."""
        mangled = self.name.rpartition(".")[2].partition("__mutmut_")[0]
        return mangled[1:].strip("ǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled[2:]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What an explanation is found by."""
        return self.module, self.function, self.old, self.new


def prepare(work: Path, area: Area, checkout: Path) -> None:
    """The folder in which mutmut runs. Raises UnfitError."""
    copy = work / "mutants"
    copy.mkdir(parents=True)
    copy_checkout(checkout, copy)
    (copy / "ansible_collections").symlink_to("collections/ansible_collections")
    for name in area.files:
        target = work / HOME / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(copy / name, target)
    tests = "\n    ".join(area.paths)
    left_out = "".join(f"\n    --deselect={test}" for test in area.left_out)
    settings = SETTINGS.format(tests=tests, left_out=left_out)
    (work / "setup.cfg").write_text(settings, encoding="utf-8")
    (work / "tmp").mkdir()


def run(work: Path, command: Sequence[str]) -> str:
    """What a command prints there. Raises UnfitError where it fails or does not end in time."""
    extra = {
        "ANSIBLE_CONFIG": str(work / "mutants" / "ansible.cfg"),
        "CI": "true",  # with it Hypothesis tries the same examples each time
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(work / "tmp"),
    }
    process = subprocess.Popen(
        command,
        cwd=work,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _unused = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise UnfitError(f"{command[0]} has not finished after {LIMIT:g} s") from error
    finally:
        if process.poll() is None:  # its workers are in its session
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise UnfitError(f"{command[0]} failed:\n{output[-4000:]}")
    return output


def mutate(area: Area, checkout: Path = ROOT) -> list[Mutant]:
    """Every mutant of an area. Raises UnfitError where its tests do not pass without one."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        work = Path(folder)
        prepare(work, area, checkout)
        run(work, ["mutmut", "run", "--max-children", str(JOBS)])
        listed = run(work, [sys.executable, "-m", "tests.mutation.listing"])
    return [Mutant(**each) for each in json.loads(listed)]


def judge(module: str, mutants: Sequence[Mutant], explained: Sequence[Explained]) -> str:
    """What is wrong with the mutants of a module: not noticed and not explained, or explained and
    not there.
    """
    survivors = {mutant.key: mutant for mutant in mutants if mutant.status not in NOTICED}
    known = {one.key for one in explained if one.module == module}
    lines = [
        f"{mutant.function}: {mutant.status}\n  - {mutant.old}\n  + {mutant.new}"
        for key, mutant in survivors.items()
        if key not in known
    ]
    lines += [
        f"{one.function}: explained, but noticed or no longer made\n  - {one.old}\n  + {one.new}"
        for one in explained
        if one.module == module and one.key not in survivors
    ]
    return "\n".join(lines)


def tried(area: Area, explained: Sequence[Explained], checkout: Path = ROOT) -> Iterator[Case]:
    """One case for each file of an area."""
    start = time.monotonic()
    try:
        mutants = mutate(area, checkout)
    except UnfitError as error:
        yield told(Case(area.name, time.monotonic() - start, str(error)), "")
        return
    seconds = (time.monotonic() - start) / len(area.modules)
    for module in area.modules:
        own = [mutant for mutant in mutants if mutant.module == module]
        problem = judge(module, own, explained) if own else "mutmut made no mutant of it"
        yield told(Case(module, seconds, problem), counts(own, explained))


def counts(mutants: Sequence[Mutant], explained: Sequence[Explained]) -> str:
    """The figures of one file."""
    known = {one.key for one in explained}
    left = [mutant for mutant in mutants if mutant.status not in NOTICED]
    why = sum(1 for mutant in left if mutant.key in known)
    noticed = len(mutants) - len(left)
    return (
        f"{len(mutants):>5} mutants {noticed:>5} killed {why:>4} survivors explained "
        f"{len(left) - why:>4} not explained"
    )


def check(areas: Sequence[Area] = AREAS) -> list[Case]:
    """The whole check."""
    return [case for area in areas for case in tried(area, EXPLAINED)]


def told(case: Case, figures: str) -> Case:
    """Print one line for a case, and its problem below."""
    below = f"\n{case.problem}".replace("\n", "\n    ") if case.problem else ""
    print(f"  {case.name:<24} {case.seconds:6.1f} s {figures}{below}", flush=True)
    return case
