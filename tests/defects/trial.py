# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sow a defect into a copy of the checkout, run its tests there, and tell whether they noticed."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.defects.catalogue import Defect
from tests.runner.cases import ROOT, Case, environment, read_junit

SOUND = "without a defect"
"""The name of the first case: all chosen tests pass on the copy as it is."""

LIMIT = 120.0
"""Seconds that one run of pytest may take; the usual is one or two."""

PYTEST = ("-m", "pytest", "-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider")
TESTS_FAILED = 1  # pytest's exit status; others mean that the tests could not be run
NANOSECONDS = 1_000_000_000


class UnfitError(Exception):
    """What cannot be tried: a defect under which the code has changed, or a folder without git."""


@dataclass(frozen=True)
class Run:
    """How a run of pytest ended: its exit status, None if it did not end in time; the first test
    that failed; what it printed.
    """

    status: int | None
    failed: str
    output: str
    seconds: float


def copy_checkout(checkout: Path, tree: Path) -> None:
    """Copy what git knows or would add. The links among it stay links into the copy, and the
    virtual environment is linked. Raises UnfitError.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise UnfitError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        raise UnfitError(f"git cannot list {checkout}: {error.stderr.strip()}") from error
    for name in listed.stdout.split("\0"):
        source, target = checkout / name, tree / name
        if name and (source.is_symlink() or source.is_file()):  # git also lists what was deleted
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    environment_folder = checkout / ".venv"
    if environment_folder.exists() and not (tree / ".venv").is_symlink():
        (tree / ".venv").symlink_to(environment_folder.resolve())


@contextlib.contextmanager
def sown(tree: Path, defect: Defect) -> Iterator[None]:
    """The copy with this defect; afterwards it is as before. Raises UnfitError."""
    path = tree / defect.file
    before = path.read_bytes() if path.is_file() else b""
    count = before.count(defect.old.encode())
    if count != 1:
        raise UnfitError(
            f"its old text occurs {count} times in {defect.file}, not once. "
            "Correct it in tests/defects/catalogue.py."
        )
    stat = path.stat()
    path.write_bytes(before.replace(defect.old.encode(), defect.new.encode()))
    # Python knows a compiled file by the size and the whole seconds of its source.
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 2 * NANOSECONDS))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def run_tests(tree: Path, tests: Sequence[str], compiled: bool = False) -> Run:
    """Run tests in a copy; with ``compiled``, Python leaves there what it has compiled."""
    junit = tree.with_name(f"{tree.name}.xml")
    junit.unlink(missing_ok=True)
    extra = {
        "ANSIBLE_CONFIG": str(tree / "ansible.cfg"),
        "PYTEST_ADDOPTS": "",
        "PYTHONDONTWRITEBYTECODE": "" if compiled else "1",
    }
    start = time.monotonic()
    status: int | None = None
    try:
        done = subprocess.run(
            [sys.executable, *PYTEST, f"--junitxml={junit}", *tests],
            cwd=tree,
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
        status, output = done.returncode, done.stdout.strip()
    except subprocess.TimeoutExpired:
        output = f"not finished after {LIMIT:g} s"
    cases = read_junit(junit) if junit.exists() else []
    failed = next((case.name for case in cases if case.problem), "")
    return Run(status, failed, output, time.monotonic() - start)


def without_defect(tree: Path, defects: Sequence[Defect]) -> Case:
    """All tests of these defects on the copy as it is: they have to pass."""
    tests = list(dict.fromkeys(test for defect in defects for test in defect.paths))
    run = run_tests(tree, tests, compiled=True)
    problem = "" if run.status == 0 else f"these tests do not pass:\n{run.output}"
    return told(Case(SOUND, run.seconds, problem), f"{len(tests)} tests or groups pass")


def judge(tree: Path, defect: Defect) -> Case:
    """Whether one of its tests fails with this defect."""
    start = time.monotonic()
    try:
        with sown(tree, defect):
            run = run_tests(tree, defect.paths)
    except UnfitError as error:
        return told(Case(defect.name, time.monotonic() - start, str(error)))
    if run.status == TESTS_FAILED and run.failed:
        return told(Case(defect.name, run.seconds), f"noticed by {run.failed}")
    if run.status == 0:
        problem = f"no test notices that {defect.why}: {', '.join(defect.paths)}"
    else:
        problem = f"its tests could not be run:\n{run.output}"
    return told(Case(defect.name, run.seconds, problem))


def rehearse(defects: Sequence[Defect], jobs: int = 1, checkout: Path = ROOT) -> list[Case]:
    """One case for each defect, after one for the copy without any. Where that one fails, the
    defects are not tried: they would prove nothing.
    """
    with tempfile.TemporaryDirectory(prefix="defects-") as folder:
        first = Path(folder, "0")
        first.mkdir()
        try:
            copy_checkout(checkout, first)
        except UnfitError as error:
            return [told(Case(SOUND, 0.0, str(error)))]
        sound = without_defect(first, defects)
        if sound.problem:
            return [sound]
        free: queue.SimpleQueue[Path] = queue.SimpleQueue()
        free.put(first)
        for number in range(1, min(jobs, len(defects))):
            free.put(shutil.copytree(first, Path(folder, str(number)), symlinks=True))

        def judged(defect: Defect) -> Case:
            tree = free.get()
            try:
                return judge(tree, defect)
            finally:
                free.put(tree)

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            return [sound, *pool.map(judged, defects)]


def told(case: Case, good: str = "") -> Case:
    """Print one line for a case, and its problem below."""
    verdict = "FAILED" if case.problem else good
    below = f"\n{case.problem}".replace("\n", "\n    ") if case.problem else ""
    print(f"  {case.name:<28} {case.seconds:5.1f} s  {verdict}{below}", flush=True)
    return case
