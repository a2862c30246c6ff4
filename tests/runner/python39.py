# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs on managed hosts, run by the oldest Python that they may have."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.runner.cases import CACHE, OUTPUT, ROOT, Case, check, environment, read_junit, report

VENV = CACHE / "python39"
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
    "cryptography==3.4.8",  # the oldest that managed hosts have: Ubuntu 22.04's
]
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

COMPILE_ALL = """
import pathlib, sys
for folder in sys.argv[1:]:
    for path in pathlib.Path(folder).rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
"""
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(len(names), "modules")
"""


def interpreter() -> str | None:
    """A Python 3.9 that runs: on PATH, or one of pyenv's (whose shims prove nothing)."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which("python3.9"), *map(str, versions.glob("3.9.*/bin/python3.9"))]
    for candidate in filter(None, candidates):
        if not subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode:
            return candidate
    return None


def run() -> list[Case]:
    """Compile and import everything in module_utils, then run the unit tests that need no more."""
    python = interpreter()
    if python is None:
        return [report(Case("python3.9", 0, skipped="there is no Python 3.9 on this machine"))]
    made = check("environment", ["sh", "-c", _environment_script(), "sh", python, str(VENV)])
    if made.problem:
        return [made]
    path = {"PYTHONPATH": str(ROOT / "collections")}
    run_python = str(VENV / "bin" / "python")
    plugins = [str(ROOT / "plugins" / name) for name in ("module_utils", "modules")]
    return [
        check("compile", [run_python, "-c", COMPILE_ALL, *plugins]),
        check("import", [run_python, "-c", IMPORT_ALL, f"{OURS}.module_utils"], extra=path),
        *_unit_tests(run_python),
    ]


def _environment_script() -> str:
    stamp = " ".join(PACKAGES)
    return (
        f'[ "$(cat "$2/.ready" 2>/dev/null)" = "{stamp}" ] || {{ "$1" -m venv --clear "$2" && '
        f'"$2/bin/python" -m pip install -q --disable-pip-version-check {stamp} && '
        f'echo "{stamp}" >"$2/.ready"; }}'
    )


def _unit_tests(python: str) -> list[Case]:
    files = [str(path) for path in sorted((ROOT / "tests/unit").rglob("test_*.py")) if fits(path)]
    junit = OUTPUT / "python39.xml"
    junit.unlink(missing_ok=True)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    arguments = ["-q", "-n", "2", f"--junitxml={junit}", *files]
    done = subprocess.run(
        [python, "-m", "pytest", *arguments],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    cases = read_junit(junit) if junit.exists() else []
    if done.returncode and not any(case.problem for case in cases):
        seconds = time.monotonic() - start
        cases.append(Case("pytest", seconds, f"pytest ended with status {done.returncode}"))
    return cases


def fits(path: Path) -> bool:
    """Whether a test imports only module_utils and what the small environment has."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return all(_is_allowed(name) for name in names)


def _is_allowed(name: str) -> bool:
    if name.startswith("ansible_collections."):
        return name.startswith(f"{OURS}.module_utils")
    top = name.split(".", maxsplit=1)[0]
    if top == "tests":
        return not name.startswith("tests.load")
    return top in ALLOWED or top in sys.stdlib_module_names
