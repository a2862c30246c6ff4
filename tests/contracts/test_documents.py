# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the READMEs claim is what the collection states elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import docs

ROOT = Path(__file__).resolve().parent.parent.parent
READMES = ("README.md", "README.vi.md")


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def oldest_ansible() -> str:
    """``2.19`` out of ``>=2.19.0``."""
    match = re.fullmatch(r">=(\d+\.\d+)\.0", load("meta/runtime.yml")["requires_ansible"])
    assert match, "requires_ansible should read >=X.Y.0"
    return match[1]


@pytest.mark.parametrize("name", READMES)
def test_readmes_are_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_variable_tables_are_fresh() -> None:
    stale = [str(path.relative_to(ROOT)) for path in docs.stale()]
    assert stale == [], "run: .venv/bin/python tools/docs.py"


def test_translations_are_of_the_present_text() -> None:
    english = {name: docs.plain(option) for name, option in docs.options(docs.FRONT).items()}
    assert {name: entry["en"] for name, entry in docs.vietnamese().items()} == english


@pytest.mark.parametrize("name", READMES)
def test_readmes_claim_the_required_ansible(name: str) -> None:
    """Every `ansible-core ≥ X.Y` in a README is what meta/runtime.yml requires."""
    claims = re.findall(r"ansible-core\s*(?:≥|>=)\s*(\d+\.\d+)", read(name))
    assert claims, "a README says which ansible-core is needed: ansible-core ≥ X.Y"
    assert set(claims) == {oldest_ansible()}


def test_the_pinned_ansible_is_not_older_than_the_required_one() -> None:
    pins = re.findall(r"^ansible-core==(\d+)\.(\d+)", read("requirements.txt"), re.MULTILINE)
    required = tuple(int(part) for part in oldest_ansible().split("."))
    assert pins
    assert min((int(major), int(minor)) for major, minor in pins) >= required


def test_requirements_are_the_dependencies() -> None:
    listed = {item["name"]: item["version"] for item in load("requirements.yml")["collections"]}
    assert listed == load("galaxy.yml")["dependencies"]


def test_dependencies_are_the_collections_in_use() -> None:
    """Every other collection that a role, playbook or inventory names, and none without use."""
    pattern = re.compile(r"\b((?:ansible|community)\.(?!builtin\b)\w+)\.\w+")
    used: set[str] = set()
    for folder in ("roles", "playbooks", "inventories"):
        for path in (ROOT / folder).rglob("*.yml"):
            used.update(pattern.findall(path.read_text(encoding="utf-8")))
    assert used - {"ansible.builtin"} == set(load("galaxy.yml")["dependencies"])
