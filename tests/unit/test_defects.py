# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trials of seeded defects: what fits the code, what is noticed, and what is left behind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.defects import __main__ as cli
from tests.defects import trial
from tests.defects.catalogue import DEFECTS, Defect
from tests.runner.cases import ROOT, Case

CODE = "def doubled(number: int) -> int:\n    return number + number\n"
TEST = """\
from code_under_test import doubled


def test_doubled():
    assert doubled(2) == 4
    assert doubled(3) == 6


def test_nothing_much():
    assert doubled
"""
FILE = "code_under_test.py"


def defect(**changes: object) -> Defect:
    given = {
        "name": "one-too-many",
        "file": FILE,
        "old": "number + number",
        "new": "number * number",
        "tests": ("test_code.py",),
        "why": "it is squared",
        **changes,
    }
    return Defect(**given)  # type: ignore[arg-type]


@pytest.fixture(name="checkout")
def checkout_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small checkout; the copies of it must be gone in the end."""
    checkout, copies = tmp_path / "checkout", tmp_path / "copies"
    (checkout / "tests" / "unit").mkdir(parents=True)
    copies.mkdir()
    monkeypatch.setattr(trial.tempfile, "tempdir", str(copies))
    (checkout / FILE).write_text(CODE, encoding="utf-8")
    (checkout / "tests" / "unit" / "test_code.py").write_text(TEST, encoding="utf-8")
    pyproject = '[tool.pytest.ini_options]\npythonpath = ["."]\n'
    (checkout / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    (checkout / ".gitignore").write_text("ignored\n.venv\n", encoding="utf-8")
    (checkout / "ignored").touch()
    (checkout / "itself").symlink_to(".")
    (tmp_path / "venv").mkdir()
    (checkout / ".venv").symlink_to("../venv")
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    yield checkout
    assert list(copies.iterdir()) == []
    assert (checkout / FILE).read_text(encoding="utf-8") == CODE


def problems(cases: list[Case]) -> dict[str, str]:
    return {case.name: case.problem for case in cases}


@pytest.mark.parametrize("one", DEFECTS, ids=lambda one: str(one.name))
def test_each_defect_fits_the_code(one: Defect) -> None:
    assert (ROOT / one.file).read_text(encoding="utf-8").count(one.old) == 1
    assert one.new != one.old
    assert re.fullmatch(r"[a-z0-9-]{1,28}", one.name)
    for path in one.paths:
        name, _unused, test = path.partition("::")
        assert f"\ndef {test}(" in (ROOT / name).read_text(encoding="utf-8") or not test


def test_names_are_names() -> None:
    assert len({one.name for one in DEFECTS}) == len(DEFECTS)


def test_a_defect_that_a_test_notices(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = trial.rehearse([defect()], checkout=checkout)
    assert problems(found) == {trial.SOUND: "", "one-too-many": ""}
    assert "noticed by tests.unit.test_code::test_doubled\n" in capsys.readouterr().out


def test_a_defect_that_no_test_notices(checkout: Path) -> None:
    """Another one is tried all the same, on another copy, without the first defect."""
    weak = defect(name="weak", tests=("test_code.py::test_nothing_much",))
    found = trial.rehearse([weak, defect()], jobs=2, checkout=checkout)
    assert problems(found) == {
        trial.SOUND: "",
        "weak": "no test notices that it is squared: tests/unit/test_code.py::test_nothing_much",
        "one-too-many": "",
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"old": "number - number"}, f"its old text occurs 0 times in {FILE}"),
        ({"old": "number"}, f"its old text occurs 3 times in {FILE}"),
        ({"file": "gone.py"}, "its old text occurs 0 times in gone.py"),
    ],
)
def test_a_defect_that_does_not_fit(tmp_path: Path, changes: dict[str, str], text: str) -> None:
    (tmp_path / FILE).write_text(CODE, encoding="utf-8")
    found = trial.judge(tmp_path, defect(**changes))
    assert found.problem == f"{text}, not once. Correct it in tests/defects/catalogue.py."


def test_code_that_cannot_be_read_proves_nothing(checkout: Path) -> None:
    broken = defect(new="number +")
    problem = problems(trial.rehearse([broken], checkout=checkout))["one-too-many"]
    assert problem.startswith("its tests could not be run:\n")
    assert "SyntaxError" in problem


def test_tests_that_fail_anyway_prove_nothing(checkout: Path) -> None:
    absent = defect(tests=("test_code.py::test_of_yesterday",))
    (found,) = trial.rehearse([absent], checkout=checkout)
    assert found.name == trial.SOUND
    assert found.problem.startswith("these tests do not pass:\n")
    assert "test_of_yesterday" in found.problem


def test_tests_that_do_not_end(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LIMIT", 0.001)
    (found,) = trial.rehearse([defect()], checkout=checkout)
    assert found.problem == "these tests do not pass:\nnot finished after 0.001 s"


def test_a_folder_that_git_does_not_know(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = trial.rehearse([defect()], checkout=checkout.parent)
    assert found.problem.startswith(f"git cannot list {checkout.parent}: fatal: not a git repo")
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = trial.rehearse([defect()], checkout=checkout)
    assert found.problem == "git is not installed"


def test_what_a_copy_holds(checkout: Path, tmp_path: Path) -> None:
    (checkout / "gone").touch()
    subprocess.run(["git", "add", "gone"], cwd=checkout, check=True)
    (checkout / "gone").unlink()
    tree = tmp_path / "tree"
    tree.mkdir()
    trial.copy_checkout(checkout, tree)
    assert sorted(path.name for path in tree.iterdir()) == [
        ".gitignore",
        ".venv",
        "code_under_test.py",
        "itself",
        "pyproject.toml",
        "tests",
    ]
    assert (tree / "itself").readlink() == Path(".")
    assert (tree / ".venv").resolve() == (tmp_path / "venv").resolve()


def test_a_copy_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(CODE, encoding="utf-8")
    before = path.stat()
    with trial.sown(tmp_path, defect()):
        assert "number * number" in path.read_text(encoding="utf-8")
        changed = path.stat()
        assert (changed.st_size, int(changed.st_mtime)) != (before.st_size, int(before.st_mtime))
    assert (path.read_text(encoding="utf-8"), path.stat().st_mtime_ns) == (CODE, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("cases", "status", "text"),
    [
        ([Case(trial.SOUND, 1.0), Case("max-fails-3", 1.0)], 0, "1 of 1 defects were noticed"),
        ([Case(trial.SOUND, 1.0), Case("max-fails-3", 1.0, "no")], 1, "0 of 1 defects"),
        ([Case(trial.SOUND, 1.0, "no")], 1, "0 of 1 defects were noticed"),
    ],
)
def test_the_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cases: list[Case],
    status: int,
    text: str,
) -> None:
    asked = []

    def rehearse(defects: list[Defect], jobs: int) -> list[Case]:
        asked.append(([one.name for one in defects], jobs))
        return cases

    monkeypatch.setattr(cli, "rehearse", rehearse)
    assert cli.main(["max-fails-3", "--jobs", "2"]) == status
    assert asked == [(["max-fails-3"], 2)]
    assert text in capsys.readouterr().out


def test_defects_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        one.name for one in DEFECTS
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["max-fails-4"], "there is no defect 'max-fails-4': reload-left-out, "),
        (["--jobs", "0"], "--jobs: 0 is not allowed: a whole number from 1"),
    ],
)
def test_what_is_refused(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(words)
    assert text in capsys.readouterr().err


def test_being_ended_removes_the_copies() -> None:
    with pytest.raises(SystemExit):
        cli.stop(15, None)
