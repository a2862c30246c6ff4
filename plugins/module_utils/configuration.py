# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A published configuration: what is in it, the files that it becomes, and how to read them back.

It lies in a folder of its own, ``nginx/<generation>/``; ``nginx/current`` points to the one in
force.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    generation_file,
    upstream_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    NO_MAINTENANCE,
    Maintenance,
    maintenance_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_tls import certificate_file
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    read_text,
    write_json,
    write_text,
)

STATIC = "nginx.conf"
UPSTREAM = "upstream.conf"
GENERATION = "generation.conf"
CERTIFICATE = "certificate.conf"
MAINTENANCE = "maintenance.conf"
MEMBERS = "members.json"

LAST_SLOT = 10_000
"""A number beyond it is nothing that was written here."""


@dataclass(frozen=True)
class Member:
    """A replica that the balancer sends to. ``slot``, from 1, is what the cookie of a sticky
    session names; 0 as long as it has none.
    """

    id: str
    name: str
    address: str
    port: int
    slot: int = 0


@dataclass(frozen=True)
class Configuration:
    """A published configuration: ``static`` is the text of nginx.conf, empty when nothing was
    published yet; ``certificate`` the name of a folder in ``nginx/tls/``, empty without TLS.
    """

    generation: int = 0
    static: str = ""
    upstream: str = ""
    members: tuple[Member, ...] = ()
    certificate: str = ""
    maintenance: Maintenance = NO_MAINTENANCE

    def content(self) -> tuple[object, ...]:
        """All but the generation, which always changes: what two configurations are compared by."""
        return (self.static, self.upstream, self.members, self.certificate, self.maintenance)

    def texts(self) -> dict[str, str]:
        """The files that people read in a diff."""
        return {STATIC: self.static, UPSTREAM: self.upstream}

    def write(self, folder: str) -> None:
        """Write all files into a folder that is there. Raises LoadBalancingError."""
        texts = {
            **self.texts(),
            GENERATION: generation_file(self.generation),
            CERTIFICATE: certificate_file(self.certificate),
            MAINTENANCE: maintenance_file(self.maintenance),
        }
        for name, text in texts.items():
            write_text(os.path.join(folder, name), text)
        write_json(os.path.join(folder, MEMBERS), members_file(self))


def upstream_text(members: Iterable[Member]) -> str:
    """The text of upstream.conf for these members."""
    keys = ("address", "port", "name", "slot")
    return upstream_file([{key: getattr(one, key) for key in keys} for one in members])


def assign_slots(before: Iterable[Member], chosen: Sequence[Member]) -> tuple[Member, ...]:
    """The chosen members with slots: who was a member keeps its own, each other one takes the
    lowest that is free or becomes free by this change. So the sessions of a replica that is
    replaced go to its successor.
    """
    there = {one.slot: one.id for one in before if 0 < one.slot <= LAST_SLOT}
    ids = {one.id for one in chosen}
    kept = {one: slot for slot, one in there.items() if one in ids}
    free = (slot for slot in itertools.count(1) if slot not in kept.values())
    return tuple(replace(one, slot=kept.get(one.id) or next(free)) for one in chosen)


def read_configuration(paths: StackPaths) -> Configuration:
    """What is published for a stack according to its files; empty if nothing is. Of files that are
    damaged, what can still be read: the generation by its folder, the static part, no members.
    """
    data = read_json(os.path.join(paths.current, MEMBERS))
    try:
        static = read_text(os.path.join(paths.current, STATIC)) or ""
        upstream = read_text(os.path.join(paths.current, UPSTREAM)) or ""
        members = tuple(_member(one) for one in data["members"])
        certificate = str(data.get("certificate", ""))
        maintenance = Maintenance.from_mapping(data.get("maintenance") or {})
        return Configuration(
            int(data["generation"]), static, upstream, members, certificate, maintenance
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        folder = os.path.basename(os.path.realpath(paths.current))
        return Configuration(int(folder) if folder.isdigit() else 0, _readable(paths))


def members_file(configuration: Configuration) -> Mapping[str, Any]:
    """What others may read of a published configuration."""
    return {
        "generation": configuration.generation,
        "members": [asdict(member) for member in configuration.members],
        "certificate": configuration.certificate,
        "maintenance": configuration.maintenance.as_dict(),
    }


def generations(paths: StackPaths) -> Sequence[int]:
    """The generations that have a folder."""
    try:
        return [int(name) for name in os.listdir(paths.nginx) if name.isdigit()]
    except FileNotFoundError:
        return []


def _member(data: Mapping[str, Any]) -> Member:
    slot = int(data.get("slot", 0))
    return Member(str(data["id"]), str(data["name"]), str(data["address"]), int(data["port"]), slot)


def _readable(paths: StackPaths) -> str:
    """The static part that is in force, empty if it is missing or no text."""
    try:
        return read_text(os.path.join(paths.current, STATIC)) or ""
    except ValueError:
        return ""
