# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's code: which module_utils it is made of, and how they get into the stack's folder.

    /opt/<stack>/keeper/<digest>/ansible_collections/…/module_utils/*.py
    /opt/<stack>/keeper/current      a link to one of them, swapped by rename

A process that runs there keeps what it was started with: its working directory is the folder, not
the link.
"""

from __future__ import annotations

import ast
import contextlib
import glob
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
    replace_link,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import digest

PACKAGE = __name__.rpartition(".")[0]
CURRENT = "current"
KEPT = 2
"""Versions that stay on the host, the one in force included."""


def collect(programs: Iterable[str], package: str = PACKAGE) -> dict[str, str]:
    """Sources of these modules of a package, and of all that they import from it: name -> text.

    The sources are where the modules came from, so this works from files and from the archive in
    which Ansible sends module_utils to a host. Nothing is imported: what the keeper imports need
    not be there.

    :param programs: full names. Imports inside of functions count, too.
    :raises LoadBalancingError: if one of them is not there.
    """
    missing = [name.rpartition(".")[2] for name in programs]
    found: dict[str, str] = {}
    while missing:
        name = missing.pop()
        found[name] = _source(f"{package}.{name}")
        missing += sorted(imported(found[name], package) - {*found, *missing})
    return found


def imported(source: str, package: str = PACKAGE) -> set[str]:
    """Names of the package's modules that a source imports anywhere."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from package import module` and `from package.module import thing`
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    inside = f"{package}."
    return {n[len(inside) :].partition(".")[0] for n in names if n.startswith(inside)}


def fingerprint(sources: Mapping[str, str]) -> str:
    """What tells one version of the code from another, 12 hexadecimal digits; "" for none."""
    return digest(json.dumps(sources, sort_keys=True)) if sources else ""


def folder(paths: StackPaths) -> str:
    """Where all versions of the code lie."""
    return os.path.join(paths.root, "keeper")


def current(paths: StackPaths) -> str:
    """The link to the version in force."""
    return os.path.join(folder(paths), CURRENT)


def version(path: str) -> str:
    """Fingerprint of the code that lies in a folder, "" if there is none. It is that of the files,
    so a version that was damaged is another one.
    """
    found = {}
    for file in glob.glob(os.path.join(glob.escape(path), *PACKAGE.split("."), "[!_]*.py")):
        with contextlib.suppress(ValueError):
            found[os.path.basename(file)[: -len(".py")]] = read_text(file) or ""
    return fingerprint(found)


def install(paths: StackPaths, sources: Mapping[str, str]) -> None:
    """Write a version where it is not there yet, and put it in force.

    :raises LoadBalancingError: if the host refuses; what was in force stays in force.
    """
    name = fingerprint(sources)
    target = os.path.join(folder(paths), name)
    try:
        os.makedirs(folder(paths), mode=0o700, exist_ok=True)
        os.chmod(folder(paths), 0o700)
        if version(target) != name:
            _write(target, sources)
        os.utime(target)
    except OSError as error:
        raise LoadBalancingError(
            f"{target} cannot be written: {error.strerror}. What was there is untouched."
        ) from error
    use(paths, name)


def use(paths: StackPaths, name: str) -> None:
    """Put a version that is there in force, and remove all others but the newest."""
    replace_link(current(paths), name)
    listed = [entry for entry in os.scandir(folder(paths)) if entry.is_dir(follow_symlinks=False)]
    listed.sort(key=lambda entry: (entry.name == name, entry.stat().st_mtime_ns), reverse=True)
    for entry in listed[KEPT:]:
        shutil.rmtree(entry.path, ignore_errors=True)


def _write(target: str, sources: Mapping[str, str]) -> None:
    """Write all files beside the target, then rename: nobody ever sees half of a version."""
    staged = tempfile.mkdtemp(prefix=".", dir=os.path.dirname(target))
    try:
        inside = staged
        for part in PACKAGE.split("."):
            inside = os.path.join(inside, part)
            os.mkdir(inside, 0o700)
            # A package of that name elsewhere on the host must not win over this one.
            write_text(os.path.join(inside, "__init__.py"), "", 0o600)
        for name, source in sources.items():
            write_text(os.path.join(inside, f"{name}.py"), source, 0o600)
        if os.path.exists(target):  # damaged: a process that runs in it keeps its folder
            os.rename(target, os.path.join(staged, "before"))
        os.rename(staged, target)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    shutil.rmtree(os.path.join(target, "before"), ignore_errors=True)


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    loader: Any = spec.loader if spec else None
    text = loader.get_source(name) if hasattr(loader, "get_source") else None
    if not text:
        raise LoadBalancingError(f"The keeper needs {name}, whose source is not there.")
    return str(text)
