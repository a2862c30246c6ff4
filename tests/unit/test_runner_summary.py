# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run: table, times, and what failed, in a form that survives a log that is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner import cases
from tests.runner.cases import Case
from tests.runner.summary import Result, excerpt, longest, summary, times

TRACEBACK = """def test_it():
        value = 1
>       assert value == 2, "more"
E       AssertionError: more
E         the answer was late
E
E       assert 1 == 2

tests/unit/test_x.py:5: AssertionError"""


@pytest.mark.parametrize(
    ("message", "text", "problem"),
    [
        (
            "AssertionError: more",
            TRACEBACK,
            "AssertionError: more\nthe answer was late\n\nassert 1 == 2\n"
            "tests/unit/test_x.py:5: AssertionError",
        ),
        ("failed on setup", "the image\nis missing", "failed on setup\nthe image\nis missing"),
        ("first", "first\nsecond", "first\nsecond"),
        ("only this", "", "only this"),
        ("", "", "failed"),
    ],
)
def test_the_problem_has_the_text_of_the_assertion(
    tmp_path: Path, message: str, text: str, problem: str
) -> None:
    path = tmp_path / "x.xml"
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    path.write_text(
        f'<testsuite><testcase classname="a" name="b"><failure message="{message}">{escaped}'
        "</failure></testcase></testsuite>",
        encoding="utf-8",
    )
    assert [case.problem for case in cases.read_junit(path)] == [problem]


def test_cases_of_the_runner_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "OUTPUT", tmp_path)
    cases.write_junit("unit", [Case("one", 1.0)])
    cases.extend_junit("unit", [Case("leftovers", 0.1, "left behind:\nvolume x")])
    read = cases.read_junit(tmp_path / "unit.xml")
    assert [(case.name, case.problem) for case in read] == [
        ("unit::one", ""),
        ("unit::leftovers", "left behind:\nvolume x"),
    ]
    assert 'tests="2" failures="1"' in (tmp_path / "unit.xml").read_text(encoding="utf-8")


def test_a_summary() -> None:
    results = [
        Result("lint", (Case("ruff", 1.0),), 10.0),
        Result("unit", (Case("a::b", 1.0, "assert 1 == 2\nx.py:5"), Case("c", 0, "", "no")), 30.0),
    ]
    assert list(summary(results, 33.0)) == [
        "part            passed  failed  skipped   seconds",
        "lint                 1       0        0      10.0",
        "unit                 0       1        1      30.0",
        "",
        "time: 33 s; unit 75 %, lint 25 %",
        "",
        "FAILED unit: a::b",
        "    assert 1 == 2",
        "    x.py:5",
        "",
        "1 passed, 1 failed, 1 skipped",
    ]


def test_a_summary_is_bounded() -> None:
    """Ten cases of twelve lines; how many there are is said."""
    bad = tuple(Case(f"case {number}", 1.0, "x\n" * 100) for number in range(13))
    lines = list(summary([Result("hosts", bad, 1.0)], 1.0))
    assert [line for line in lines if line.startswith("FAILED")] == [
        f"FAILED hosts: case {number}" for number in range(10)
    ]
    assert lines[-3] == "… and 3 more that failed"
    assert len(lines) == 2 + 2 + 10 * (2 + 12) + 4


def test_first_and_last_lines_are_told() -> None:
    assert excerpt("\n".join(map(str, range(12)))) == [str(number) for number in range(12)]
    assert excerpt("\n".join(map(str, range(30)))) == [
        *("0", "1", "2", "3", "4", "5", "… 19 lines …", "25", "26", "27", "28", "29")
    ]
    assert len(excerpt("x" * 5000)[0]) == 300


def test_short_parts_share_a_place() -> None:
    parts = [Result(name, (), seconds) for name, seconds in (("a", 0.5), ("b", 99), ("c", 0.5))]
    assert list(times(parts, 90.0)) == ["time: 90 s; b 99 %, others 1 %"]
    assert list(times([], 0.0)) == []


def test_the_longest_checks_are_told() -> None:
    cases = tuple(Case(f"case {number}", float(number)) for number in range(5, 30))
    lines = list(longest([Result("hosts", cases, 1.0), Result("unit", (Case("a", 11.5),), 1.0)]))
    assert lines[0] == "     29 s  hosts: case 29"
    assert len(lines) == 12
    few = longest([Result("unit", (Case("a", 11.5), Case("b", 9.9)), 1.0)])
    assert list(few) == ["     12 s  unit: a"]
