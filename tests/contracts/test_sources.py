# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every source file and every module."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
NAME = "digiz.load_balancing"
LEFT_OUT = {"collections", "output", "__pycache__", "LICENSES", "node_modules"}
SUFFIXES = {
    *(".cfg", ".css", ".html", ".j2", ".js", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml"),
    *(".yml", ""),
}
WITHOUT_HEADER = {"COPYING", ".gitignore"}
TRACKED = {".ci", ".config", ".github"}  # hidden folders that are ours
LONGEST = 400
# Ansible reads the arguments of all entry points of a role from this one file.
ONE_FILE = {"roles/settings/meta/argument_specs.yml"}
HEADER = (
    "# Copyright (c) ",
    "# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
)


def sources() -> list[Path]:
    """Every source file of the checkout that is not empty; other hidden folders are tools' own."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in LEFT_OUT and (f in TRACKED or f[0] != ".")]
        paths = [Path(folder) / name for name in names]
        found += [p for p in paths if p.suffix in SUFFIXES and p.name not in WITHOUT_HEADER]
    return sorted(path for path in found if path.is_file() and path.stat().st_size)


def modules() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins/modules").glob("[!_]*.py"))


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_sources_carry_the_licence() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources()
        if not any("SPDX-License-Identifier: GPL-3.0-or-later" in line for line in lines(path)[:8])
    ]
    assert wrong == []


def test_python_sources_begin_with_the_header() -> None:
    wrong = []
    for path in sources():
        if path.suffix == ".py":
            first = [line for line in lines(path)[:6] if not line.startswith(("#!", "# -*-"))]
            if [line.startswith(h) for line, h in zip(first, HEADER)] != [True] * len(HEADER):
                wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


def test_sources_are_short() -> None:
    """A file of more than 400 lines wants to be two."""
    long = {str(p.relative_to(ROOT)) for p in sources() if len(lines(p)) > LONGEST}
    assert long == ONE_FILE


def test_no_check_is_switched_off_wholesale() -> None:
    assert not list((ROOT / "tests" / "sanity").glob("ignore-*.txt"))
    assert not (ROOT / ".ansible-lint-ignore").exists()
    assert "skip_list" not in (ROOT / ".ansible-lint").read_text(encoding="utf-8")


def test_modules_say_what_they_support() -> None:
    """check_mode, diff_mode and idempotent, with details wherever the answer is not full.

    That a module which only reads has no differences to show goes without saying.
    """
    if not modules():
        pytest.fail("there are no modules")
    names = [f"{NAME}.{module}" for module in modules()]
    done = subprocess.run(
        [str(BIN / "ansible-doc"), "-t", "module", "--json", *names],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    wrong = []
    for name, documented in json.loads(done.stdout).items():
        attributes = documented["doc"].get("attributes", {})
        for attribute in ("check_mode", "diff_mode", "idempotent"):
            support = attributes.get(attribute, {}).get("support")
            details = attributes.get(attribute, {}).get("details")
            if support is None:
                wrong.append(f"{name}: {attribute} is not declared")
            elif support not in ("full", "N/A") and not details and not name.endswith("_info"):
                wrong.append(f"{name}: {attribute} is {support}: the details say why")
    assert wrong == []


def test_changelog_fragments_are_valid() -> None:
    done = subprocess.run(
        [str(BIN / "antsibull-changelog"), "lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_actions_of_ours_are_named_in_full() -> None:
    """Tasks name modules by FQCN, so that they work from every playbook."""
    short = re.compile(rf"^\s+(?:- )?({'|'.join(modules())}):\s*$")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("roles", "playbooks")
        for path in (ROOT / folder).rglob("tasks/*.yml")
        for number, line in enumerate(lines(path), 1)
        if short.match(line)
    ]
    assert wrong == []
