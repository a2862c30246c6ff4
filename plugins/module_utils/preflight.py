# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a stack fits on its host: memory, processors, disk, ports, rights. Pure.

What the host has is collected by host_facts.py. Every fault is found at once, before anything has
changed; nothing here needs an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    size_in_bytes,
)

GIB = 2**30
LEAST_FREE = GIB
"""Bytes that must be free for the stack's folder and for the engine's: images and logs grow."""

ANY, LOOPBACK, OTHER = "any", "loopback", "other"
EMBEDDED, DEVELOPMENT = "embedded", "development"
BALANCER, KEEPER = "balancer", "keeper"
_PORTS = {
    "http_port": "balancer_http_port",
    "https_port": "balancer_https_port",
    "status_port": "balancer_status_port",
    "keeper_port": "keeper_port",
}
"""Options and the variables that they come from."""


@dataclass(frozen=True)
class Listener:
    """Who listens on a TCP port. ``scope``: on every address, on 127.0.0.1, or on another one.

    ``pid`` is 0 where the kernel does not tell. ``stack`` is set when it is one of ours, and
    ``service`` then tells which: a balancer or a keeper.
    """

    port: int
    scope: str
    process: str = ""
    pid: int = 0
    stack: str = ""
    service: str = BALANCER

    @property
    def text(self) -> str:
        """Who it is, for people."""
        if self.stack:
            return f"the {self.service} of the stack {self.stack}"
        return f"{self.process} (process {self.pid})" if self.pid else "another process"


@dataclass(frozen=True)
class Host:
    """What a host has. Memory and free disk in bytes, ``free`` by the folder that was asked for."""

    user: str
    memory: int
    cpus: int
    free: Mapping[str, int]
    listeners: tuple[Listener, ...] = ()

    @property
    def text(self) -> str:
        """The host in a line."""
        free = ", ".join(f"{gib(count)} free in {path}" for path, count in self.free.items())
        return f"{self.cpus} processors, {gib(self.memory)} of memory, {free}"


@dataclass(frozen=True)
class Wanted:
    """What is asked of a host. Sizes are texts such as 512m, empty where there is no limit;
    ``cpus`` is 0 where there is none, a port is 0 where it is not asked for.
    """

    stack: str
    replicas: int
    surge: int = 1
    mode: str = "production"
    cpus: float = 0.0
    memory: str = ""
    memory_reservation: str = ""
    database_memory: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def limited(self) -> bool:
        """Whether replicas have limits at all."""
        return self.mode != DEVELOPMENT

    @property
    def extra(self) -> int:
        """Replicas beyond the wanted ones during a rollout: never more than are replaced."""
        return min(self.surge, self.replicas)

    def total(self, each: str) -> int:
        """Bytes of all replicas of a rollout at ``each``, and of the database."""
        together = (self.replicas + self.extra) * (size_in_bytes(each) if each else 0)
        return together + (size_in_bytes(self.database_memory) if self.database_memory else 0)


@dataclass(frozen=True)
class Findings:
    """What is wrong (nothing may start) and what is risky, one line each."""

    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def wanted_from(given: Mapping[str, Any], project: Mapping[str, Any]) -> Wanted:
    """What is wanted, from options; what they leave out (None) is as in the Compose ``project`` of
    the release in force, which is empty on a first deploy.

    Raises LoadBalancingError for a size that is none.
    """
    services = project.get("services", {})
    resources = services.get("app", {}).get("deploy", {}).get("resources", {})
    limits, reservations = resources.get("limits", {}), resources.get("reservations", {})
    database = services.get("database", {}).get("deploy", {}).get("resources", {})
    database_memory = database.get("limits", {}).get("memory", "")
    if given.get("database") is not None:
        database_memory = given.get("database_memory") if given["database"] == EMBEDDED else ""
    wanted = Wanted(
        stack=given["stack"],
        replicas=given["replicas"],
        surge=given["surge"],
        mode=given["mode"],
        cpus=float(_first(given.get("cpus"), limits.get("cpus"), 0)),
        memory=str(_first(given.get("memory"), limits.get("memory"), "")),
        memory_reservation=str(
            _first(given.get("memory_reservation"), reservations.get("memory"), "")
        ),
        database_memory=str(database_memory or ""),
        ports={
            variable: given[option]
            for option, variable in _PORTS.items()
            if given.get(option) and (given.get("keeper_enabled") or variable != "keeper_port")
        },
    )
    for name in ("memory", "memory_reservation"):
        _check_size(f"app_{name}", getattr(wanted, name))
    _check_size("database_memory", wanted.database_memory)
    return wanted


def examine(wanted: Wanted, host: Host) -> Findings:
    """Everything that speaks against running the wanted stack on this host."""
    faults = [*_rights(host), *_memory(wanted, host), *_processors(wanted, host)]
    faults += [*_disk(host), *_ports(wanted, host)]
    return Findings(tuple(faults), tuple(_overcommitted(wanted, host)))


def gib(count: int) -> str:
    """Bytes for people."""
    return f"{count / GIB:.1f} GiB"


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _check_size(name: str, value: str) -> None:
    if not value:
        return
    try:
        size_in_bytes(value)
    except LoadBalancingError as error:
        raise LoadBalancingError(f"{name}: {error} Set the variable {name}.") from error


def _rights(host: Host) -> list[str]:
    if host.user == "root":
        return []
    return [
        f"become: the tasks run as {host.user} on the host, they need root. "
        "Set become: true for the play, or run it with --become."
    ]


def _memory(wanted: Wanted, host: Host) -> list[str]:
    needed = wanted.total(wanted.memory_reservation)
    if not wanted.limited or not wanted.memory_reservation or needed <= host.memory:
        return []
    database = f" and database_memory={wanted.database_memory}" if wanted.database_memory else ""
    return [
        f"replicas: {wanted.replicas} needs {gib(needed)} of memory for {wanted.replicas} + "
        f"{wanted.extra} replicas at app_memory_reservation={wanted.memory_reservation}{database}, "
        f"the host has {gib(host.memory)}. "
        "Set the variable replicas, rollout_surge or app_memory_reservation."
    ]


def _overcommitted(wanted: Wanted, host: Host) -> list[str]:
    """Limits are what may be used, not what is: more of them than memory is a risk to know of."""
    allowed = wanted.total(wanted.memory)
    if not wanted.limited or not wanted.memory or allowed <= host.memory:
        return []
    return [
        f"app_memory: {wanted.memory} lets {wanted.replicas} + {wanted.extra} replicas"
        f"{' and the database' if wanted.database_memory else ''} use {gib(allowed)} together, "
        f"the host has {gib(host.memory)}. If all of them use it, the kernel ends some. "
        "Set the variable app_memory or replicas."
    ]


def _processors(wanted: Wanted, host: Host) -> list[str]:
    if not wanted.limited or wanted.cpus <= host.cpus:
        return []
    return [
        f"app_cpus: {wanted.cpus:g} is not allowed: at most {host.cpus}, "
        "the processors of the host. Set the variable app_cpus."
    ]


def _disk(host: Host) -> list[str]:
    return [
        f"{path}: {gib(count)} of disk is not enough: at least {gib(LEAST_FREE)} must be free. "
        f"Make room on the disk of {path}."
        for path, count in host.free.items()
        if count < LEAST_FREE
    ]


def _ports(wanted: Wanted, host: Host) -> list[str]:
    faults = []
    for name, port in wanted.ports.items():
        # The application is served on every address, all else on 127.0.0.1 only.
        public = name in ("balancer_http_port", "balancer_https_port")
        scopes = (ANY, LOOPBACK, OTHER) if public else (ANY, LOOPBACK)
        foreign = [
            listener
            for listener in host.listeners
            if listener.port == port
            and listener.scope in scopes
            and not _makes_room(listener, wanted, name)
        ]
        if foreign:
            advice = "Set" if foreign[0].stack else "Free it or set"
            faults.append(
                f"{name}: {port} is in use by {foreign[0].text}. {advice} the variable {name}."
            )
    return faults


def _makes_room(listener: Listener, wanted: Wanted, name: str) -> bool:
    """Whether it is the stack's own and leaves the port in time, or has it already. The balancer is
    ready before the keeper is started again, so it cannot have a port that the keeper leaves then.
    """
    own = listener.stack == wanted.stack
    return own and (listener.service == BALANCER or name == "keeper_port")
