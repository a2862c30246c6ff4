# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs what a host lacks of the engine, its plugins, the SDK and busybox."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    apt,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_packages as packages,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

_KEY_HEAD = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_PLUGIN_ITEMS = ("engine", "client", "compose", "buildx")


@dataclass(frozen=True)
class Installed:
    """What was installed, or would be: source, packages, written apt files (path -> text)."""

    source: str
    packages: tuple[str, ...]
    files: Mapping[str, str]


def read(url: str, timeout: float) -> str:
    """A text from the web, through the host's proxy settings."""
    with urllib.request.build_opener().open(url, timeout=timeout) as response:
        return str(response.read().decode("utf-8"))


def docker_key(host: packages.Host, timeout: float, check: bool) -> str:
    """The key of Docker's repository, if that can be reached and has packages for this host.

    A minimal host has no CA certificates: they are installed for the question to be asked again.

    :raises LoadBalancingError: why it cannot be used.
    """
    base = f"{packages.DOCKER_URL}/{host.distribution}"
    for attempt in (1, 2):
        try:
            key = read(f"{base}/gpg", timeout)
            read(f"{base}/dists/{host.codename}/InRelease", timeout)
        except urllib.error.HTTPError as error:
            reason = f"it has nothing for {host.name} ({error.code})"
        except (OSError, ValueError) as error:
            untrusted = isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)
            if untrusted and attempt == 1 and not check:
                apt.install(["ca-certificates"], timeout=300)
                continue
            reason = str(getattr(error, "reason", error))
        else:
            if key.startswith(_KEY_HEAD):
                return key
            reason = "what it sends is no key"
        break
    raise LoadBalancingError(
        f"docker_engine_source: docker is not possible here: {packages.DOCKER_URL} cannot be used: "
        f"{reason}. Let the host reach it, or set docker_engine_source=distribution."
    )


def choose_source(
    host: packages.Host, family: str, source: str, timeout: float, check: bool
) -> tuple[str, str]:
    """Where packages come from, ``docker`` or ``distribution``, and the key of Docker's repository.

    Plugins come from where the engine came from. The key is "" where apt knows the repository
    already.
    """
    if family == "docker":
        return "docker", ""
    no_package = family == "other" and source == "auto"
    if family == "distribution" or source == "distribution" or no_package:
        return "distribution", ""
    try:
        return "docker", docker_key(host, timeout, check)
    except LoadBalancingError:
        if source == "docker":
            raise
        return "distribution", ""


def plan(
    host: packages.Host, missing: Sequence[str], source: str, key: str, check: bool
) -> packages.PackagePlan:
    """Packages and apt files for what is missing. In check mode the package lists may be empty."""
    if source == "docker":
        files = packages.docker_files(host, key) if key else {}
        return packages.PackagePlan(source, packages.docker_packages(missing), files)
    known = apt.candidates(packages.ASKED)
    if check and "docker.io" not in known:
        known = packages.expected(host)
    found = packages.distribution_packages(missing, known)
    pinned = apt.read_file(packages.NEXT_PIN)
    if found is not None and not pinned:
        return packages.PackagePlan(source, found)
    suite = packages.NEXT_SUITE.get(host.codename, "")
    if not suite:
        raise packages.too_old(host)
    files = packages.next_suite_files(suite, apt.mirrors(), missing, pinned)
    there = packages.Host(host.distribution, suite, host.name)
    named = packages.distribution_packages(missing, packages.expected(there))
    return packages.PackagePlan(source, named or (), files)


def install(
    missing: Sequence[str],
    family: str,
    source: str,
    check: bool,
    reach_timeout: float = 5,
    timeout: float = 900,
) -> Installed:
    """Install what is missing, or say what would be.

    :param family: whose engine is there: docker, distribution, other, none.
    :param reach_timeout: seconds that Docker's repository has to answer.
    :raises LoadBalancingError: if it is not possible, with apt's last lines.
    """
    packages.check_possible(missing, source)
    host = packages.parse_os_release(Path("/etc/os-release").read_text(encoding="utf-8"))
    complaint = "" if check else apt.update(timeout)
    chosen, key = "distribution", ""
    if set(missing) & set(_PLUGIN_ITEMS):
        chosen, key = choose_source(host, family, source, reach_timeout, check)
    try:
        todo = plan(host, missing, chosen, key, check)
    except LoadBalancingError as error:
        raise LoadBalancingError(f"{error}\n{complaint}".rstrip()) from error
    files = apt.outdated_files(todo.files)
    names = todo.packages
    if "engine" in missing:
        # Without it the engine trusts no registry; the engine's packages only recommend it.
        names = (*names, "ca-certificates")
    if not check:
        if files:
            apt.write_files(files)
            complaint = apt.update(timeout)
        apt.install(names, timeout, complaint)
    return Installed(chosen, names, files)
