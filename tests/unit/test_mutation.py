# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutation check: its data fit the code, what survives fails, and nothing is left behind."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("mutmut", reason="it runs on the Python of .venv")

from tests.mutation import __main__ as cli
from tests.mutation import trial
from tests.mutation.catalogue import AREAS, Area
from tests.mutation.explained import EXPLAINED, Explained
from tests.mutation.trial import Mutant, counts, judge
from tests.runner.cases import ROOT

MODULE = "ansible_collections.digiz.load_balancing.plugins.module_utils.plan"
SURVIVOR = Mutant("plan", f"{MODULE}.x_row__mutmut_3", "survived", "a < b", "a <= b")
KILLED = Mutant("plan", f"{MODULE}.xǁPlanǁrows__mutmut_1", "killed")
WHY = Explained("plan", "row", "a < b", "a <= b", "they are never the same")


@pytest.mark.parametrize("area", AREAS, ids=lambda area: str(area.name))
def test_an_area_names_what_exists(area: Area) -> None:
    assert [one for one in (*area.files, *area.paths) if not (ROOT / one).is_file()] == []
    for path in area.left_out:
        name, _unused, test = path.partition("::")
        assert name in area.paths
        assert f"\ndef {test}(" in (ROOT / name).read_text(encoding="utf-8")


def test_each_file_is_in_one_area() -> None:
    modules = [module for area in AREAS for module in area.modules]
    assert len(set(modules)) == len(modules)
    assert len({area.name for area in AREAS}) == len(AREAS)


def test_each_explanation_is_one_and_of_a_mutated_file() -> None:
    assert len({one.key for one in EXPLAINED}) == len(EXPLAINED)
    assert {one.module for one in EXPLAINED} <= {m for area in AREAS for m in area.modules}
    assert all(one.why for one in EXPLAINED)


def test_the_function_of_a_mutant() -> None:
    assert (SURVIVOR.function, KILLED.function) == ("row", "Plan.rows")


@pytest.mark.parametrize("status", ["survived", "no tests", "segfault", "not checked"])
def test_what_no_test_notices_has_to_be_explained(status: str) -> None:
    mutant = Mutant("plan", SURVIVOR.name, status, "a < b", "a <= b")
    assert judge("plan", [KILLED, mutant], []) == f"row: {status}\n  - a < b\n  + a <= b"
    assert judge("plan", [KILLED, mutant], [WHY]) == ""
    figures = "2 mutants     1 killed    1 survivors explained    0 not explained"
    assert figures in counts([KILLED, mutant], [WHY])


def test_an_explanation_that_nothing_needs_is_a_fault() -> None:
    expected = "row: explained, but noticed or no longer made\n  - a < b\n  + a <= b"
    assert judge("plan", [KILLED], [WHY]) == expected
    assert judge("replicas", [], [WHY]) == ""


CODE = """\
def bigger(one, other):
    return one if one > other else other
"""
TEST = """\
from ansible_collections.digiz.load_balancing.plugins.module_utils.bigger import bigger


def test_bigger():
    assert bigger(1, 2) == bigger(2, 1) == 2
"""

COPIED = ("tests/conftest.py", "tests/distribution.py", "tests/mutation/order.py")


@pytest.fixture(name="checkout")
def checkout_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small checkout; what is made of it must be gone in the end."""
    checkout, copies = tmp_path / "checkout", tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    files = {
        "plugins/module_utils/bigger.py": CODE,
        "tests/__init__.py": "",
        **{name: (ROOT / name).read_text(encoding="utf-8") for name in COPIED},
        "tests/mutation/__init__.py": "",
        "tests/unit/__init__.py": "",
        "tests/unit/test_bigger.py": TEST,
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
    }
    for name, text in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text, encoding="utf-8")
    home = checkout / "collections" / "ansible_collections" / "digiz"
    home.mkdir(parents=True)
    (home / "load_balancing").symlink_to("../../..")
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    yield checkout
    assert list(copies.iterdir()) == []


def test_a_small_checkout_from_end_to_end(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One mutant of the three survives; where it differs, both are the same number."""
    (case,) = trial.tried(Area("small", ("bigger",), ("test_bigger",)), [], checkout)
    line = "return one if one {} other else other"
    assert case.problem == f"bigger: survived\n  - {line.format('>')}\n  + {line.format('>=')}"
    figures = "3 mutants     2 killed    0 survivors explained    1 not explained"
    assert figures in capsys.readouterr().out


def test_tests_that_fail_without_a_mutant_prove_nothing(checkout: Path) -> None:
    (checkout / "tests/unit/test_bigger.py").write_text(TEST.replace("== 2", "== 3"))
    (case,) = trial.tried(Area("small", ("bigger",), ("test_bigger",)), [], checkout)
    assert case.name == "small"
    assert case.problem.startswith("mutmut failed:\n")


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list", "repairs"]) == 0
    assert capsys.readouterr().out == (
        "repairs      repairs: test_repairs, test_repairs_properties\n"
    )
    with pytest.raises(SystemExit):
        cli.main(["nothing"])
    assert "there is no area 'nothing': planner, repairs," in capsys.readouterr().err
