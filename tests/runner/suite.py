# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest as a part, or a piece of one, with .venv or with another environment."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence

from tests.runner.cases import OUTPUT, PYTHON, ROOT, Case, environment, read_junit

NO_TESTS = 5  # pytest's exit status when nothing was collected


def pytest(
    name: str,
    arguments: Sequence[str],
    extra: Mapping[str, str] | None = None,
    python: str = PYTHON,
) -> list[Case]:
    """Run pytest with its output in view; its JUnit file is the result."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    junit = OUTPUT / f"{name}.xml"
    junit.unlink(missing_ok=True)
    start = time.monotonic()
    command = [python, "-m", "pytest", "-q", f"--junitxml={junit}", "-o", "junit_logging=all"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=environment(extra),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    cases = read_junit(junit) if junit.exists() else []
    if done.returncode and not any(case.problem for case in cases):
        why = "no test was found" if done.returncode == NO_TESTS else f"status {done.returncode}"
        cases.append(Case(f"{name}::pytest", time.monotonic() - start, f"pytest failed: {why}"))
    return cases


def parallel(processes: int, marks: str, folders: Sequence[str]) -> list[str]:
    """pytest's arguments for files that run beside each other, as far as tests/distribution.py lets
    them. Those with most tests begin: a file with one or two would take the next one with it.
    """
    return ["-n", str(processes), "--dist", "loadfile", "-m", marks, *folders]


def side_by_side(name: str, processes: int, marks: str, folders: Sequence[str]) -> list[Case]:
    """Tests that count share the machine, see :func:`parallel`. Then those that measure times run
    one by one: they are marked ``alone``.
    """
    return [
        *pytest(name, parallel(processes, f"{marks} and not alone", folders)),
        *pytest(f"{name}-alone", ["-m", f"{marks} and alone", *folders]),
    ]
