# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The definition of the execution environment is one that ansible-builder takes, with our pins."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
# What ansible-builder knows in a definition of version 3.
BUILDER = {
    "version": set(),
    "images": {"base_image"},
    "dependencies": {
        *("python", "galaxy", "system", "python_interpreter", "ansible_core", "ansible_runner"),
        "exclude",
    },
    "build_arg_defaults": set(),
    "additional_build_files": set(),
    "additional_build_steps": set(),
    "options": set(),
}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_execution_environment_is_one_that_ansible_builder_takes() -> None:
    definition = read("execution-environment.yml")
    assert definition["version"] == 3
    assert set(definition) <= set(BUILDER)
    for section in ("images", "dependencies"):
        assert set(definition[section]) <= BUILDER[section]
    assert set(definition["images"]["base_image"]) == {"name"}
    dependencies = definition["dependencies"]
    assert set(dependencies["python_interpreter"]) == {"package_system", "python_path"}
    assert dependencies["python_interpreter"]["python_path"].endswith(
        dependencies["python_interpreter"]["package_system"]
    )
    for tool in ("ansible_core", "ansible_runner"):
        assert set(dependencies[tool]) == {"package_pip"}
    for kind in ("galaxy", "system"):
        assert (ROOT / dependencies[kind]).is_file()


def test_ansible_builder_makes_the_context_of_the_image(tmp_path: Path) -> None:
    """Its image has what the definition names; it could not be built without a registry."""
    done = subprocess.run(
        [str(BIN / "ansible-builder"), "create", "--context", str(tmp_path / "context")],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (recipe,) = [*tmp_path.glob("context/Containerfile"), *tmp_path.glob("context/Dockerfile")]
    text = recipe.read_text(encoding="utf-8")
    definition = read("execution-environment.yml")
    dependencies = definition["dependencies"]
    assert f'ARG EE_BASE_IMAGE="{definition["images"]["base_image"]["name"]}"' in text
    assert dependencies["ansible_core"]["package_pip"] in text
    for kind in ("galaxy", "system"):
        copied = tmp_path / "context" / "_build" / Path(dependencies[kind]).name
        assert copied.read_bytes() == (ROOT / dependencies[kind]).read_bytes()


def test_the_execution_environment_has_the_pinned_ansible() -> None:
    dependencies = read("execution-environment.yml")["dependencies"]
    python = dependencies["python_interpreter"]["package_system"].removeprefix("python")
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("; ") for line in requirements if line.startswith("ansible-core=="))
    assert pins[dependencies["ansible_core"]["package_pip"]] == f'python_version >= "{python}"'


def test_the_collection_names_the_same_system_packages_and_no_ansible() -> None:
    metadata = read("meta/execution-environment.yml")
    system = read("execution-environment.yml")["dependencies"]["system"]
    assert metadata == {"version": 1, "dependencies": {"system": system}}
    assert system not in read("galaxy.yml")["build_ignore"]
    packages = re.compile(r"[a-z0-9.+-]+( \[platform:(rpm|dpkg)\])?")
    for line in (ROOT / system).read_text(encoding="utf-8").splitlines():
        assert not line or line.startswith("#") or packages.fullmatch(line)
