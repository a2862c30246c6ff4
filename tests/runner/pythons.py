# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on managed hosts, run by the Pythons that they may have.

A module brings ansible.module_utils along to the host, and that is all of Ansible that is there:
so it is here, in a package beside which there is nothing else of ansible-core.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from tests.runner.cases import CACHE, ROOT, Case, check, report
from tests.runner.environments import interpreter, make
from tests.runner.suite import pytest

# The last releases for Python 3.9.
PACKAGES = [
    "pytest==8.4.2",
    "pytest-xdist==3.8.0",
    "hypothesis==6.141.1",
    "PyYAML==6.0.3",
    "crossplane==0.5.8",
    "docker==7.1.0",
    "prometheus-client==0.26.0",
    "waitress==3.0.2",
]
# The oldest that a supported release with this Python has.
CRYPTOGRAPHY = {
    "3.9": "3.4.8",
    "3.10": "3.4.8",  # Ubuntu 22.04
    "3.11": "38.0.4",  # Debian 12
    "3.12": "41.0.7",  # Ubuntu 24.04
    "3.13": "43.0.0",  # Debian 13
}
BROUGHT = CACHE / "managed-host"
OURS = "ansible_collections.digiz.load_balancing.plugins"
ALLOWED = {
    "__future__",
    "pytest",
    "hypothesis",
    "yaml",
    "crossplane",
    "docker",
    "cryptography",
    "tests",
}
# Written for their Pythons.
OF_CONTROLLERS = ("tests.load", "tests.hosts", "tests.runner", "tests.defects", "tests.mutation")
OF_ANSIBLE = ("ansible.module_utils", f"{OURS}.module_utils", f"{OURS}.modules")

COMPILE_ALL = """
import pathlib, sys
for folder in sys.argv[1:]:
    for path in pathlib.Path(folder).rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
"""
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""
PACKAGES_OF_OURS = [f"{OURS}.module_utils", f"{OURS}.modules"]


def run(versions: Iterable[str]) -> list[Case]:
    """All of them; one that is not on this machine is skipped, and says so."""
    return [case for version in versions for case in run_one(version)]


def run_one(version: str) -> list[Case]:
    """Compile and import module_utils and modules, then run the unit tests that need no more."""
    python = interpreter(version)
    if python is None:
        why = f"there is no Python {version} with venv on this machine"
        return [report(Case(f"python{version}", 0, skipped=why))]
    name = f"python{version.replace('.', '')}"
    packages = [*PACKAGES, f"cryptography=={CRYPTOGRAPHY[version]}"]
    made = make(CACHE / name, python, packages)
    if made.problem:
        return [made]
    own = str(CACHE / name / "bin" / "python")
    path = {
        "PYTHONPATH": f"{ROOT / 'collections'}:{bring_module_utils()}",
        "TEST_EXAMPLES": "few",  # what differs is the Python
    }
    plugins = [str(ROOT / "plugins" / folder) for folder in ("module_utils", "modules")]
    files = [str(path) for path in sorted((ROOT / "tests/unit").rglob("test_*.py")) if fits(path)]
    return [
        made,
        check(f"compile {version}", [own, "-c", COMPILE_ALL, *plugins]),
        check(f"import {version}", [own, "-c", IMPORT_ALL, *PACKAGES_OF_OURS], extra=path),
        *pytest(f"{name}-unit", ["-n", "2", *files], path, own),
    ]


def bring_module_utils(folder: Path = BROUGHT) -> Path:
    """A folder with ansible.module_utils as .venv has it, and nothing else of Ansible."""
    package = folder / "ansible"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    link = package / "module_utils"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(sysconfig.get_path("purelib")) / "ansible" / "module_utils")
    return folder


def fits(path: Path) -> bool:
    """Whether a test imports only what is on a managed host, and what the environment has."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return all(_is_allowed(name) for name in names)


def _is_allowed(name: str) -> bool:
    if name.startswith(("ansible.", "ansible_collections.")):
        return name.startswith(OF_ANSIBLE)
    top = name.split(".", maxsplit=1)[0]
    if top == "tests":
        return not name.startswith(OF_CONTROLLERS)
    return top in ALLOWED or top in sys.stdlib_module_names
