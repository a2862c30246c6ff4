# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runner's counting, and the tools that it and the bootstrap use."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.runner import artifact, cases, core219, environments, parts, pythons, suite
from tests.runner.__main__ import arguments
from tools import docs, install_collections

# Makes a folder with a program that succeeds, as the module venv does.
FAKE_PYTHON = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
mkdir -p "$4/bin" && printf '#!/bin/sh\\n' >"$4/bin/python" && chmod +x "$4/bin/python"
"""
JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="passed" time="1.5"/>
<testcase classname="a" name="failed"><failure message="1 != 2">…</failure></testcase>
<testcase classname="a" name="broken"><error message="teardown"/></testcase>
<testcase classname="a" name="left out"><skipped message="no engine"/></testcase>
</testsuite></testsuites>"""


def test_counts_come_out_of_junit(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(JUNIT, encoding="utf-8")
    found = cases.read_junit(tmp_path / "a.xml")
    assert found[0] == cases.Case("a::passed", 1.5)
    assert [case.problem for case in found] == ["", "1 != 2\n…", "teardown", ""]
    assert cases.tally(found) == cases.Tally(passed=1, failed=2, skipped=1)


def test_what_measures_times_runs_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, list[str]] = {}

    def run(name: str, arguments: list[str]) -> list[cases.Case]:
        called[name] = arguments
        return [cases.Case(name, 0)]

    monkeypatch.setattr(suite, "pytest", run)
    found = suite.side_by_side("rollout", 2, "rollout", ["tests/e2e"])
    assert [case.name for case in found] == ["rollout", "rollout-alone"]
    assert "rollout and not alone" in called["rollout"]
    assert called["rollout-alone"] == ["-m", "rollout and alone", "tests/e2e"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (cases.Tally(3), "3 passed, 0 failed"),
        (cases.Tally(3, 1, 2), "3 passed, 1 failed, 2 skipped"),
    ],
)
def test_the_last_line(count: cases.Tally, text: str) -> None:
    assert str(count) == text


def test_what_is_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "OUTPUT", tmp_path)
    given = [
        cases.Case("one", 1.0),
        cases.Case("two", 0.5, "bad\nvery"),
        cases.Case("3", 0, "", "x"),
    ]
    cases.write_junit("lint", given)
    read = cases.read_junit(tmp_path / "lint.xml")
    assert [case.name for case in read] == ["lint::one", "lint::two", "lint::3"]
    assert cases.tally(read) == cases.tally(given) == cases.Tally(1, 1, 1)


def test_a_command_that_is_not_there_is_a_failure() -> None:
    assert cases.check("x", ["no-such-command"]).problem == "no-such-command is not installed"


@pytest.mark.parametrize(
    ("rate", "name", "enough"),
    [
        ("0.95", "coverage of plugins: 95.0 % of lines, 95 wanted", True),
        ("0.9499", "coverage of plugins: 94.9 % of lines, 95 wanted", False),
    ],
)
def test_the_bar_of_the_coverage(tmp_path: Path, rate: str, name: str, enough: bool) -> None:
    path = tmp_path / "coverage.xml"
    assert parts.coverage(path).problem == "there is no report of it"
    path.write_text(f'<coverage line-rate="{rate}" branch-rate="1"/>', encoding="utf-8")
    case = parts.coverage(path)
    assert (case.name, not case.problem) == (name, enough)


def test_parts_keep_their_order() -> None:
    assert [part.name for part in arguments(["unit", "lint"])] == ["lint", "unit"]
    assert "sanity" not in [part.name for part in arguments(["fast"])]
    assert [part.name for part in arguments(["fast", "sanity"])][-1] == "sanity"


def test_an_unknown_part_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["units"])
    assert "there is no part 'units': fast, lint," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "shipped"),
    [
        ("plugins/module_utils/nginx.py", True),
        ("tests/unit/test_nginx.py", True),
        ("tests/output/unit.xml", False),
        ("collections/ansible_collections", False),
        (".venv/bin/python", False),
        ("plugins/__pycache__/x.pyc", False),
        ("digiz-load_balancing-0.1.0.tar.gz", False),
        ("roles/images/files/.dockerignore", True),
    ],
)
def test_what_is_shipped(path: str, shipped: bool) -> None:
    assert (artifact.NOT_SHIPPED.search(path) is None) == shipped


def test_only_tests_of_what_hosts_have_run_on_their_pythons(tmp_path: Path) -> None:
    ours = "from ansible_collections.digiz.load_balancing.plugins"
    for name, text, fits in (
        ("a", f"import json\nimport pytest\n{ours}.module_utils import nginx\n", True),
        ("b", f"{ours}.module_utils.nginx import x\n", True),
        ("c", f"{ours}.filter import nginx\n", False),
        ("d", "import ansible.errors\n", False),
        ("e", "from tests.load import wire\n", False),
        ("i", "from tests.hosts.watch import Record\n", False),
        ("j", "from tests.runner.cases import Case\n", False),
        ("f", f"{ours}.modules import image\n", True),
        ("g", "from ansible.module_utils.basic import AnsibleModule\n", True),
        ("h", "from ansible_collections.community.crypto.plugins import x\n", False),
    ):
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        assert pythons.fits(path) is fits, name


def test_descriptions_become_markdown() -> None:
    option = {
        "description": ["Use V(a\\)b) or O(mode=x).", "See C(docker inspect),\n  L(this, x.y)."]
    }
    assert docs.plain(option) == "Use `a)b` or `mode=x`. See `docker inspect`, [this](x.y)."


def test_a_table() -> None:
    options = {
        "a": {"type": "list", "elements": "str", "default": ["x|y"], "description": "Some."},
        "b": {"choices": ["p", "q"], "description": "Which."},
        "c": {"type": "int", "required": True, "description": "Many."},
    }
    assert docs.table(options).splitlines() == [
        "| Variable | Type | Default | Meaning |",
        "| --- | --- | --- | --- |",
        r'| `a` | list of str | `["x\|y"]` | Some. |',
        "| `b` | `p`, `q` |  | Which. |",
        "| `c` | int, required |  | Many. |",
    ]


def manifest(version: str, dependencies: dict[str, str]) -> str:
    return json.dumps({"collection_info": {"version": version, "dependencies": dependencies}})


def test_collections_are_missed_by_name_and_by_version(tmp_path: Path) -> None:
    folder = tmp_path / "ansible_collections" / "a" / "b"
    folder.mkdir(parents=True)
    assert install_collections.missing({"a.b": "*"}, tmp_path) == ["a.b"]
    (folder / "MANIFEST.json").write_text(manifest("4.1.0", {}), encoding="utf-8")
    assert install_collections.missing({"a.b": "*"}, tmp_path) == []
    assert install_collections.missing({"a.b": ">=4.0.0"}, tmp_path) == []
    assert install_collections.missing({"a.b": ">=5.0.0"}, tmp_path) == ["a.b"]


def test_a_wheel_gives_what_is_wanted_and_what_that_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(command: list[str], check: bool) -> None:
        assert check
        folder = Path(command[command.index("-d") + 1])
        with zipfile.ZipFile(folder / "ansible-1-py3-none-any.whl", "w") as wheel:
            for name, needs in (("a/b", {"c.d": "*"}), ("c/d", {}), ("e/f", {})):
                place = f"ansible_collections/{name}"
                wheel.writestr(f"{place}/MANIFEST.json", manifest("1.0.0", needs))
                wheel.writestr(f"{place}/plugins/x.py", "new")

    old = tmp_path / "ansible_collections" / "a" / "b"
    old.mkdir(parents=True)
    (old / "interrupted.py").write_text("old", encoding="utf-8")
    monkeypatch.setattr(install_collections.subprocess, "run", download)
    install_collections.from_wheel(["a.b"], tmp_path)
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert found == [
        f"ansible_collections/{name}"
        for name in (
            "a/b/MANIFEST.json",
            "a/b/plugins/x.py",
            "c/d/MANIFEST.json",
            "c/d/plugins/x.py",
        )
    ]


def test_only_the_telling_lines_of_a_failure_are_shown() -> None:
    script = "echo noise; echo 'ERROR: a'; echo; echo 'ERROR: b'; exit 3"
    assert cases.check("x", ["sh", "-c", script], telling="ERROR").problem == "ERROR: a\nERROR: b"
    assert cases.check("x", ["sh", "-c", "exit 3"]).problem == "no output"
    assert cases.check("x", ["sh", "-c", "echo fine"]).problem == ""


def test_a_remark_is_a_failure_whatever_the_status() -> None:
    script = "echo loading; echo 'WARNING: a'"
    failed = cases.check("x", ["sh", "-c", script], telling="WARN", forbidden="WARN")
    assert failed.problem == "WARNING: a"
    broken = cases.check("x", ["sh", "-c", "echo a; exit 1"], telling="WARN", forbidden="WARN")
    assert broken.problem == "a"
    assert cases.check("x", ["echo", "a"], telling="WARN", forbidden="WARN").problem == ""


def test_a_python_that_is_not_there_is_skipped_visibly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a name on PATH that does not run nor one of pyenv's without ensurepip counts."""
    for name in ("shims/python3.10", "versions/3.10.1/bin/python3.10"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\nexit 127\n", encoding="ascii")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert environments.interpreter("3.10") is None
    (case,) = pythons.run(["3.10"])
    assert case.skipped == "there is no Python 3.10 with venv on this machine"
    (case,) = core219.run()
    assert case.skipped == "there is no Python 3.11 with venv on this machine"
    path.write_text("#!/bin/sh\n", encoding="ascii")
    assert environments.interpreter("3.10") == str(path)


def test_an_environment_is_made_anew_when_its_packages_change(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON, encoding="ascii")
    python.chmod(0o755)
    for packages, made in ((["a==1", "b"], 1), (["a==1", "b"], 1), (["a==2", "b"], 2)):
        assert environments.make(tmp_path / "cache" / "x", str(python), packages).problem == ""
        assert len((tmp_path / "calls").read_text(encoding="ascii").splitlines()) == made
        kept = (tmp_path / "cache/x/.ready").read_text(encoding="ascii")
        assert kept == "\n".join([*packages, ""])


def test_hosts_have_only_module_utils_of_ansible(tmp_path: Path) -> None:
    package = pythons.bring_module_utils(pythons.bring_module_utils(tmp_path)) / "ansible"
    assert sorted(path.name for path in package.iterdir()) == ["__init__.py", "module_utils"]
    assert (package / "module_utils" / "basic.py").is_file()
