# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One check is one case: a command that must end with status 0, or a test out of a JUnit file."""

from __future__ import annotations

import math
import os
import re
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUTPUT = ROOT / "tests" / "output"
CACHE = ROOT / ".cache"
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")


@dataclass(frozen=True)
class Case:
    """A finished check. ``problem`` says what is wrong, ``skipped`` why it did not run."""

    name: str
    seconds: float
    problem: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Tally:
    """How many checks passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment, with this checkout's tools first and its configuration."""
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {
        **os.environ,
        "PATH": path,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **(extra or {}),
    }


def check(
    name: str,
    command: Sequence[str],
    cwd: Path = ROOT,
    extra: Mapping[str, str] | None = None,
    timeout: float = 900,
    telling: str = "",
    forbidden: str = "",
) -> Case:
    """Run a command quietly; what it printed is shown only when it fails.

    With ``telling``, a regular expression, only the lines that it matches. A line that matches
    ``forbidden`` is a failure whatever the status is.
    """
    start = time.monotonic()
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        printed = done.stdout.strip().splitlines()
        lines = [line for line in printed if re.match(telling, line)]
        bad = done.returncode or (forbidden and any(re.match(forbidden, line) for line in printed))
        problem = "\n".join(lines or printed) or "no output" if bad else ""
    except FileNotFoundError:
        problem = f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        problem = f"not finished after {timeout:.0f} s"
    return report(Case(name, time.monotonic() - start, problem))


def checks(commands: Mapping[str, Sequence[str]]) -> list[Case]:
    """Several commands by their names, two at a time: each of them keeps one processor busy."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(check, commands, commands.values()))


def report(case: Case) -> Case:
    """One line for a finished case, and its problem below."""
    state = "FAILED" if case.problem else f"skipped: {case.skipped}" if case.skipped else "ok"
    print(f"  {case.name:<24} {case.seconds:6.1f} s  {state}", flush=True)
    if case.problem:
        print("    " + case.problem.replace("\n", "\n    "), flush=True)
    return case


def tally(cases: Iterable[Case]) -> Tally:
    """Count cases."""
    total = Tally()
    for case in cases:
        if case.problem:
            total += Tally(failed=1)
        elif case.skipped:
            total += Tally(skipped=1)
        else:
            total += Tally(passed=1)
    return total


def read_junit(path: Path) -> list[Case]:
    """The cases of a JUnit file. A test that passed and whose teardown failed counts as failed."""
    cases = []
    for node in ET.parse(path).getroot().iter("testcase"):
        bad = node.find("failure") if node.find("failure") is not None else node.find("error")
        skip = node.find("skipped")
        cases.append(
            Case(
                f"{node.get('classname', '')}::{node.get('name', '')}",
                float(node.get("time", "0")),
                "" if bad is None else _problem(bad),
                "" if skip is None else skip.get("message", "") or "skipped",
            )
        )
    return cases


def read_coverage(path: Path) -> float:
    """Per cent of the lines that were run, out of coverage's XML report, rounded down to tenths."""
    rate = float(ET.parse(path).getroot().get("line-rate", "0"))
    return math.floor(1000 * rate) / 10


def _problem(node: ET.Element) -> str:
    """What went wrong: of a traceback the lines that say so and the place, else all there is."""
    message, text = node.get("message", "").strip(), (node.text or "").strip()
    lines = text.splitlines()
    telling = [line[1:].strip() for line in lines if re.match(r"E(\s|$)", line)]
    if telling:
        return "\n".join([*telling, lines[-1]])
    return (text if message in text else f"{message}\n{text}".strip()) or "failed"


def write_junit(part: str, cases: Sequence[Case]) -> None:
    """Cases that are commands, in the form in which pytest leaves its own."""
    suite = ET.Element("testsuite", name=part, tests=str(len(cases)))
    _append(suite, part, cases)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suite).write(OUTPUT / f"{part}.xml", encoding="utf-8", xml_declaration=True)


def extend_junit(part: str, cases: Sequence[Case]) -> None:
    """Cases of the runner's own added to the file that a part has left."""
    path = OUTPUT / f"{part}.xml"
    tree = ET.parse(path)
    suite = next(tree.getroot().iter("testsuite"))
    _append(suite, part, cases)
    for name, more in (("tests", len(cases)), ("failures", tally(cases).failed)):
        suite.set(name, str(int(suite.get(name, "0")) + more))
    tree.write(path, encoding="utf-8", xml_declaration=True)


def _append(suite: ET.Element, part: str, cases: Sequence[Case]) -> None:
    for case in cases:
        node = ET.SubElement(
            suite, "testcase", classname=part, name=case.name, time=f"{case.seconds:.3f}"
        )
        if case.problem:
            ET.SubElement(node, "failure", message=case.problem.splitlines()[0]).text = case.problem
        elif case.skipped:
            ET.SubElement(node, "skipped", message=case.skipped)
