# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a stack off the host, its data only when that is asked for."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    host_timers,
    keeper_install,
    monitor_service,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

GRACE = 10
"""Seconds that a container has to end by itself: the stack's users are gone already."""

LOCK_FILES = frozenset({"lock.json", "step.lock", "publish.lock", "audit.log", "members.json"})
"""They come with each run, this one included; nobody would miss them."""

DATA = ("secrets", "state")
"""Folders that belong to the data: a database is of no use without its password."""


@dataclass(frozen=True)
class Leftovers:
    """What there is of a stack: names of containers, networks and volumes, and the folders."""

    containers: tuple[str, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    folders: tuple[str, ...]

    def lines(self) -> str:
        """For a diff, one line each."""
        return "".join(
            f"{kind} {name}\n"
            for kind, names in (
                ("container", self.containers),
                ("network", self.networks),
                ("volume", self.volumes),
                ("folder", self.folders),
            )
            for name in names
        )

    def without_data(self) -> Leftovers:
        """The same, less what belongs to the data."""
        folders = tuple(f for f in self.folders if os.path.basename(f) not in DATA)
        return Leftovers(self.containers, self.networks, (), folders)


def find(paths: StackPaths, host: DockerHost | None) -> Leftovers:
    """What there is of a stack; without an engine, only its folders."""
    inside = (os.path.join(paths.root, name) for name in _entries(paths.root))
    inside = (path for path in inside if _holds_something(path))
    outside = [paths.logrotate] if os.path.exists(paths.logrotate) else []
    outside += [*keeper_install.outside(paths), *monitor_service.outside(paths)]
    outside += host_timers.files(paths)
    return Leftovers(
        containers=tuple(sorted(_name(one) for one in host.containers())) if host else (),
        networks=tuple(host.project_networks()) if host else (),
        volumes=tuple(host.project_volumes()) if host else (),
        folders=tuple(sorted([*inside, *outside])),
    )


def remove(paths: StackPaths, host: DockerHost | None, leftovers: Leftovers) -> None:
    """Remove these. The monitor goes first, or it would raise alerts, and the keeper, or it would
    mend what is being removed; then the containers, the balancer before the replicas that it sends
    to.
    """
    monitor_service.stop(paths)
    keeper_install.remove(paths)
    host_timers.stop(paths)
    if host:
        first = host.containers(role="balancer")
        rest = [one for one in host.containers() if one not in first]
        for container in [*first, *rest]:
            host.stop_and_remove(container["Id"], GRACE)
        for network in leftovers.networks:
            host.remove_network(network)
        for volume in leftovers.volumes:
            host.remove_volume(volume)
    for path in leftovers.folders:
        if os.path.lexists(path):  # those of services are gone already
            _remove_path(path)
    if not find(paths, None).folders:
        shutil.rmtree(paths.root, ignore_errors=True)


def _remove_path(path: str) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except OSError as error:
        raise LoadBalancingError(f"{path} cannot be removed: {error.strerror}.") from error


def _holds_something(path: str) -> bool:
    if not os.path.isdir(path) or os.path.islink(path):
        return True
    return any(set(names) - LOCK_FILES for _folder, _folders, names in os.walk(path))


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _name(container: dict[str, list[str]]) -> str:
    return container["Names"][0].lstrip("/")
