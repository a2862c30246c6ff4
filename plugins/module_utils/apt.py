# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few things that are asked of apt."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils import programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY_MIRROR = "http://deb.debian.org/debian-security"
#: Another apt may be at work, such as the daily upgrade: wait for it, seconds.
_LOCK_TIMEOUT = 120
_QUERY_TIMEOUT = 30
_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
#: A question must leave nothing on the host, as check mode promises.
_NO_CACHE = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
_GET = ["apt-get", "--yes", "-o", f"DPkg::Lock::Timeout={_LOCK_TIMEOUT}"]


@dataclass(frozen=True)
class Mirrors:
    """Where Debian packages come from: the main archive and the one for security updates."""

    main: str = DEFAULT_MIRROR
    security: str = DEFAULT_SECURITY_MIRROR


def update(timeout: float) -> str:
    """Refresh the package lists; gives apt's complaint instead of raising it.

    One broken third-party source must not stop an installation that does not need it.
    """
    try:
        programs.run([*_GET, "update"], "apt-get update", timeout, environment=_ENVIRONMENT)
    except LoadBalancingError as error:
        return str(error)
    return ""


def install(packages: Sequence[str], timeout: float, complaint: str = "") -> None:
    """Install packages without recommended ones; configuration files of the owner's stay.

    :param complaint: what :func:`update` said, for the error.
    """
    options = ["--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
    what = f"installing {' '.join(packages)}"
    try:
        command = [*_GET, "install", *options, *packages]
        programs.run(command, what, timeout, environment=_ENVIRONMENT)
    except LoadBalancingError as error:
        raise LoadBalancingError(f"{error}\n{complaint}".rstrip()) from error


def candidates(packages: Sequence[str]) -> dict[str, str]:
    """The versions that apt would install of these packages, without those of which it has none.
    Without its cache apt reads all lists for each question: so there is one.
    """
    try:
        command = ["apt-cache", *_NO_CACHE, "policy", *packages]
        text = programs.run(command, "apt-cache policy", _QUERY_TIMEOUT)
    except LoadBalancingError:
        return {}
    return parse_candidates(text)


def parse_candidates(policy: str) -> dict[str, str]:
    """The candidates' versions in the output of ``apt-cache policy``."""
    found: dict[str, str] = {}
    package = ""
    for line in policy.splitlines():
        name, _colon, value = line.partition(":")
        if not line.startswith(" "):
            package = name
        elif name.strip() == "Candidate" and value.strip() != "(none)":
            found[package] = value.strip()
    return found


def parse_mirrors(targets: str) -> Mirrors:
    """Debian's mirrors as the host's own apt has them, else the public ones.

    :param targets: lines "URI ORIGIN CODENAME" of ``apt-get indextargets``.
    """
    main, security = "", ""
    for line in targets.splitlines():
        uri, origin, codename = [*line.split(), "", "", ""][:3]
        if origin != "Debian":
            continue
        if codename.endswith("-security"):
            security = security or uri.rstrip("/")
        else:
            main = main or uri.rstrip("/")
    return Mirrors(main or DEFAULT_MIRROR, security or DEFAULT_SECURITY_MIRROR)


def mirrors() -> Mirrors:
    """Debian's mirrors as the host's own apt has them, else the public ones."""
    command = [
        "apt-get",
        *_NO_CACHE,
        "indextargets",
        "--format",
        "$(REPO_URI) $(ORIGIN) $(CODENAME)",
    ]
    try:
        return parse_mirrors(programs.run(command, "reading apt's sources", _QUERY_TIMEOUT))
    except LoadBalancingError:
        return Mirrors()


def read_file(path: str) -> str:
    """The text of one of apt's files, "" if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def outdated_files(files: Mapping[str, str]) -> dict[str, str]:
    """Those of the files (path -> text) that are not on the host with that text."""
    return {path: text for path, text in files.items() if read_file(path) != text}


def write_files(files: Mapping[str, str]) -> None:
    """Write apt's files, readable by all, each swapped in whole."""
    for path, text in files.items():
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        staged = f"{path}.new"
        with open(staged, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(staged, 0o644)
        os.replace(staged, path)
