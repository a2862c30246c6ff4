# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that look at the collection as it is shipped: built and installed, or in a real path."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.runner import importer
from tests.runner.cases import (
    BIN,
    CACHE,
    OUTPUT,
    ROOT,
    Case,
    check,
    environment,
    read_junit,
    report,
)

NAME = "digiz.load_balancing"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"  # the Python of .venv
SANITY = 3000.0  # seconds: it may run aside, where others leave it little
# What a checkout has besides the collection.
NOT_SHIPPED = re.compile(
    r"^(collections|tests/output|\.[^/]+)(/|$)|(^|/)__pycache__(/|$)|\.tar\.gz$"
)


def build() -> list[Case]:
    """Build the archive, look into it, install it offline and use it by its full names."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        galaxy = [str(BIN / "ansible-galaxy"), "collection"]
        cases = [check("build", [*galaxy, "build", "--output-path", name])]
        archives = list(folder.glob("*.tar.gz"))
        if not archives:
            return cases
        cases.append(_contents(archives[0]))
        cases += importer.run(archives[0], folder)
        extra = {
            "ANSIBLE_COLLECTIONS_PATH": f"{folder / 'tree'}:{ROOT / '.venv' / 'collections'}",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),  # none: the defaults
        }
        install = [*galaxy, "install", "--offline", "-p", str(folder / "tree"), str(archives[0])]
        installed = check("install", install, folder, extra)
        return [*cases, installed, *([] if installed.problem else _use(folder, extra))]


def _contents(archive: Path) -> Case:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    wrong = [name for name in names if NOT_SHIPPED.search(name)]
    missing = [name for name in ("README.md", "meta/runtime.yml") if name not in names]
    problem = [f"should not be shipped: {name}" for name in wrong[:10]]
    problem += [f"is missing: {name}" for name in missing]
    return report(Case("contents", 0, "\n".join(problem)))


def _use(folder: Path, extra: dict[str, str]) -> list[Case]:
    """Import all Python, read and lint all documentation and parse all playbooks, away from the
    checkout.
    """
    tree = folder / "tree" / "ansible_collections" / "digiz" / "load_balancing"
    cases = []
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    modules = [_dotted(path, tree) for path in sorted((tree / "plugins").rglob("*.py"))]
    path = {**extra, "PYTHONPATH": str(folder / "tree")}
    command = [str(BIN / "python"), "-c", code, *(f"ansible_collections.{m}" for m in modules)]
    cases.append(check("import", command, folder, path))
    for kind, where in (("module", "modules"), ("filter", "filter")):
        plugins = sorted({path.stem for path in (tree / "plugins" / where).glob("[!_]*.*")})
        names = [f"{NAME}.{plugin}" for plugin in plugins]
        if names:
            doc = [str(BIN / "ansible-doc"), "-t", kind, "--json", *names]
            cases.append(check(f"{kind}s", doc, folder, extra))
    lint = [str(BIN / "antsibull-docs"), "lint-collection-docs", "--plugin-docs"]
    lint += ["--validate-collection-refs", "dependent", "--disallow-unknown-collection-refs"]
    cases.append(check("antsibull-docs", [*lint, str(tree)], folder, extra))
    for playbook in sorted((tree / "playbooks").glob("*.yml")):
        syntax = [str(BIN / "ansible-playbook"), "--syntax-check", "-i", "localhost,"]
        name = f"{NAME}.{playbook.stem}"
        cases.append(check(f"playbook {playbook.stem}", [*syntax, name], folder, extra))
    return cases


def _dotted(path: Path, tree: Path) -> str:
    relative = path.relative_to(tree).with_suffix("")
    return ".".join([NAME, *relative.parts])


def sanity(programs: Path = BIN, python: str = RUNNING, prefix: str = "") -> list[Case]:
    """ansible-test sanity on a copy, because it insists on a real path that ends in the name.

    The copy lies outside the checkout, else git's list of what is ignored there would count. The
    environments stay below .cache/, so that nothing gets into the user's home folder.

    :param programs: where the ansible-test is; it runs on the Python of its environment.
    :param prefix: what the names of the JUnit files begin with.
    """
    home = CACHE / f"{prefix}ansible-test"
    _place_get_pip(home, programs.parent / "lib" / f"python{python}" / "site-packages")
    command = [str(programs / "ansible-test"), "sanity", "--venv", "--python", python]
    pip_cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    path = f"{programs}{os.pathsep}{environment()['PATH']}"
    extra = {"HOME": str(home), "PIP_CACHE_DIR": pip_cache, "PATH": path}
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "ansible_collections" / "digiz" / "load_balancing"
        shutil.copytree(ROOT, tree, ignore=_ignored)
        command += ["--color", "no", "--junit"]
        telling = "ERROR|FATAL|WARNING"
        case = check("ansible-test", command, tree, extra, timeout=SANITY, telling=telling)
        OUTPUT.mkdir(parents=True, exist_ok=True)
        for junit in sorted((tree / "tests" / "output" / "junit").glob("*.xml")):
            shutil.copy(junit, OUTPUT / (prefix + junit.name))
            cases.extend(read_junit(junit))
    if case.problem and not any(found.problem for found in cases):
        return [*cases, case]
    return cases or [report(Case("results", 0, "ansible-test left no results"))]


def _ignored(folder: str, names: list[str]) -> set[str]:
    base = Path(folder).relative_to(ROOT)
    return {name for name in names if NOT_SHIPPED.search((base / name).as_posix())}


def _place_get_pip(home: Path, packages: Path) -> None:
    """Lay our bootstrap of pip where ansible-test keeps what it has downloaded."""
    source = packages / "ansible_test" / "_internal" / "python_requirements.py"
    for version in re.findall(r"pip='([\d.]+)'", source.read_text(encoding="utf-8")):
        name = f"get_pip_{version.replace('.', '_')}.py"
        place = home / ".ansible" / "test" / "cache" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tools" / "get_pip.py", place)
