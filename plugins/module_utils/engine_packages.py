# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages bring what is missing, and from where. Pure; ``engine_install`` carries it out.

Docker's own repository is preferred where it can be reached. The distribution's packages serve
otherwise; where its Compose is too old (Debian 12) the next suite is added, pinned low, and only
Docker's packages are taken from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.digiz.load_balancing.plugins.module_utils.apt import Mirrors
from ansible_collections.digiz.load_balancing.plugins.module_utils.engine_state import (
    MINIMUM_COMPOSE,
    version_tuple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

SOURCES = ("auto", "docker", "distribution", "none")
DOCKER_URL = "https://download.docker.com/linux"
DOCKER_KEY = "/etc/apt/keyrings/docker.asc"
DOCKER_SOURCES = "/etc/apt/sources.list.d/docker.sources"
NEXT_SOURCES = "/etc/apt/sources.list.d/load-balancing-next.sources"
NEXT_PIN = "/etc/apt/preferences.d/load-balancing-next"
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

#: A suite whose Compose is too old -> the one that Docker's packages are taken from instead. A host
#: that prefers another suite's packages than its own may need its own named.
NEXT_SUITE = {"bookworm": "trixie", "trixie": "trixie"}
#: Releases whose own packages have no recent Compose.
_WITHOUT_COMPOSE = ("bullseye", "bookworm", "focal")
#: What an engine from the next suite is made of. containerd and runc stay with the host's own
#: suite: the next one's runc would need its C library.
_NEXT_ENGINE = ("docker.io", "docker-cli")
_NEXT_PLUGINS = {"compose": "docker-compose", "buildx": "docker-buildx", "client": "docker-cli"}
_NEXT_NAMES = ("docker.io", "docker-cli", "docker-compose", "docker-buildx")

_DOCKER_NAMES = {
    "engine": ("docker-ce", "containerd.io"),
    "client": ("docker-ce-cli",),
    "compose": ("docker-compose-plugin",),
    "buildx": ("docker-buildx-plugin",),
}
_COMMON_NAMES = {
    "sdk": ("python3-docker",),
    "busybox": ("busybox-static",),
    "logrotate": ("logrotate",),
}
_COMPOSE_NAMES = ("docker-compose-v2", "docker-compose")
ASKED = ("docker.io", "docker-cli", *_COMPOSE_NAMES)
"""Of these it matters which version apt would install."""


@dataclass(frozen=True)
class Host:
    """The distribution: ``debian`` or ``ubuntu``, its codename, and how it calls itself."""

    distribution: str
    codename: str
    name: str


@dataclass(frozen=True)
class PackagePlan:
    """What to install: where from, which packages, and apt files (path -> text) before that."""

    source: str
    packages: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


def parse_os_release(text: str) -> Host:
    """The host from /etc/os-release (os-release(5)); derivatives count as what they are like.

    :raises LoadBalancingError: if it is neither Debian nor Ubuntu.
    """
    values = {}
    for line in text.splitlines():
        key, _equals, value = line.partition("=")
        values[key.strip()] = value.strip().strip("\"'")
    kinds = [values.get("ID", ""), *values.get("ID_LIKE", "").split()]
    name = values.get("PRETTY_NAME", "this distribution")
    for kind in kinds:
        if kind in ("debian", "ubuntu"):
            preferred = values.get("UBUNTU_CODENAME") if kind == "ubuntu" else None
            return Host(kind, preferred or values.get("VERSION_CODENAME", ""), name)
    raise LoadBalancingError(
        f"docker_engine_source: nothing can be installed on {name}: Debian and Ubuntu are known. "
        "Install Docker Engine, Compose and buildx yourself and set docker_engine_source=none."
    )


def docker_packages(missing: Sequence[str]) -> tuple[str, ...]:
    """Packages of Docker's own repository for what is missing."""
    names = {**_DOCKER_NAMES, **_COMMON_NAMES}
    return tuple(package for item in missing for package in names[item])


def docker_files(host: Host, key: str) -> dict[str, str]:
    """The files that make apt know Docker's repository."""
    lines = [
        "Types: deb",
        f"URIs: {DOCKER_URL}/{host.distribution}",
        f"Suites: {host.codename}",
        "Components: stable",
        f"Signed-By: {DOCKER_KEY}",
    ]
    return {DOCKER_KEY: key, DOCKER_SOURCES: "\n".join(lines) + "\n"}


def next_suite_files(
    suite: str, mirrors: Mirrors, missing: Sequence[str], pinned: str = ""
) -> dict[str, str]:
    """The files that make Docker's packages, and no others, come from another Debian suite.

    Only what is missing is preferred from there, so that an engine of the host's own suite stays
    what it is.

    :param pinned: the pin file of an earlier run; what it took from there stays with that suite.
    """
    wanted = {_NEXT_PLUGINS[item] for item in missing if item in _NEXT_PLUGINS}
    wanted |= set(_NEXT_ENGINE) if "engine" in missing else set()
    earlier = set(pinned.split())
    names = [name for name in _NEXT_NAMES if name in wanted | earlier]

    def source(uri: str, suites: str) -> str:
        head = f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\n"
        return f"{head}Signed-By: {DEBIAN_KEYRING}\n"

    pins = [("*", 100), (" ".join(names), 500)]
    suites = (suite, f"{suite}-security")
    stanzas = [
        f"Package: {packages}\nPin: release n={codename}\nPin-Priority: {priority}\n"
        for packages, priority in pins
        for codename in suites
    ]
    return {
        NEXT_SOURCES: source(mirrors.main, suite) + "\n" + source(mirrors.security, suites[1]),
        NEXT_PIN: "\n".join(stanzas),
    }


def distribution_packages(
    missing: Sequence[str], candidates: Mapping[str, str]
) -> tuple[str, ...] | None:
    """The distribution's packages for what is missing; None if its Compose is missing or too old.

    :param candidates: the versions that apt would install, of those of :data:`ASKED` that it has.
    """
    packages: list[str] = []
    for item in missing:
        if item in _COMMON_NAMES:
            packages += _COMMON_NAMES[item]
        elif item == "engine":
            packages.append("docker.io")
        elif item == "buildx":
            packages.append("docker-buildx")
        elif item == "client":
            # Before it had a package of its own, the client was a part of docker.io.
            packages.append("docker-cli" if "docker-cli" in candidates else "docker.io")
        else:
            good = [
                name
                for name in _COMPOSE_NAMES
                if version_tuple(candidates.get(name, "")) >= MINIMUM_COMPOSE
            ]
            if not good:
                return None
            packages.append(good[0])
    return tuple(dict.fromkeys(packages))


def expected(host: Host) -> dict[str, str]:
    """The candidates to expect where there are no package lists."""
    own = {"debian": ("docker-cli", "docker-compose"), "ubuntu": ("docker-compose-v2",)}
    named = () if host.codename in _WITHOUT_COMPOSE else own[host.distribution]
    return dict.fromkeys(named, ".".join(map(str, MINIMUM_COMPOSE)))


def check_possible(missing: Sequence[str], source: str) -> None:
    """Stop where something is missing and nothing may be installed.

    :raises LoadBalancingError: naming what is missing.
    """
    if source not in SOURCES:
        raise LoadBalancingError(
            f"docker_engine_source: {source} is not allowed: one of {', '.join(SOURCES)}. "
            "Set the variable docker_engine_source."
        )
    if missing and source == "none":
        raise LoadBalancingError(
            f"docker_engine_source: none is not possible here: {', '.join(missing)} is missing on "
            "the host. Install it, or set docker_engine_source=auto."
        )


def too_old(host: Host) -> LoadBalancingError:
    """The error for a distribution that has no recent Compose at all."""
    least = ".".join(map(str, MINIMUM_COMPOSE))
    return LoadBalancingError(
        f"docker_engine_source: distribution is not possible on {host.name}: it has no Docker "
        f"Compose of at least {least}. Set docker_engine_source=docker, or install Compose and set "
        "docker_engine_source=none."
    )
