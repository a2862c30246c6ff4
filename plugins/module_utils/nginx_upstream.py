# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upstream: members as data to nginx's `upstream` block."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    block,
    refuse_unprintable,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    host,
    items,
    mapping,
    not_allowed,
    size,
    truth,
    whole,
)

# So many requests until nginx closes a connection to a member of its own accord.
KEEPALIVE_REQUESTS = 100_000

_MEMBER_KEYS = ("address", "port", "name", "weight", "max_conns", "backup", "drain", "slot")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
_TEXT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True)
class Member:
    """One server of an upstream. `max_conns` 0 is no limit; `drain` gets no new sessions. `slot` is
    what the cookie of a sticky session names, 0 for none.
    """

    address: str
    port: int
    name: str = ""
    weight: int = 1
    max_conns: int = 0
    backup: bool = False
    drain: bool = False
    slot: int = 0

    @classmethod
    def parse(cls, value: object, where: str) -> Member:
        """A member from `{"address", "port", …}` or `"host:port"`; raises LoadBalancingError."""
        if isinstance(value, str):
            match = _TEXT.fullmatch(value)
            if match is None:
                raise not_allowed(
                    where, value, "host:port, such as 172.18.0.3:8000 or [fd00::3]:8000"
                )
            value = match.groupdict()
            value = {"address": value["host"], "port": value["port"]}
        given = mapping(value, where, _MEMBER_KEYS)
        for key in ("address", "port"):
            if key not in given:
                raise not_allowed(where, value, "a mapping with address and port, or host:port")
        shown_name = str(given.get("name") or "")
        refuse_unprintable(shown_name)
        return cls(
            address=host(given["address"], f"{where}.address"),
            port=whole(given["port"], f"{where}.port", 1, 65535),
            name=shown_name,
            weight=whole(given.get("weight", 1), f"{where}.weight", 1, 1000),
            max_conns=whole(given.get("max_conns", 0), f"{where}.max_conns", 0, 1_000_000),
            backup=truth(given.get("backup", False), f"{where}.backup"),
            drain=truth(given.get("drain", False), f"{where}.drain"),
            slot=whole(given.get("slot", 0), f"{where}.slot", 0, 100_000),
        )

    @property
    def endpoint(self) -> str:
        """`address:port`, an IPv6 address in brackets."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"

    def sort_key(self) -> tuple[bool, int, int, str, int]:
        """Backups last; IPv4, IPv6, names; then by number, so that .9 comes before .10."""
        try:
            parsed = ipaddress.ip_address(self.address)
        except ValueError:
            return (self.backup, 9, 0, self.address, self.port)
        return (self.backup, parsed.version, int(parsed), "", self.port)

    def directive(self) -> Directive:
        """The `server` line. `max_fails=0`: health is decided by probes, never by traffic."""
        extra = ["max_fails=0"]
        if self.weight != 1:
            extra.append(f"weight={self.weight}")
        if self.max_conns:
            extra.append(f"max_conns={self.max_conns}")
        if self.slot:
            extra.append(f"route={self.slot}")
        extra += [word for word, on in (("backup", self.backup), ("drain", self.drain)) if on]
        return simple("server", self.endpoint, *extra, note=self.name)


def parse_members(members: object, where: str = "members") -> tuple[Member, ...]:
    """Members in a fixed order; raises LoadBalancingError, also when two are the same endpoint or
    in the same slot.
    """
    listed = items(members, where, "members: {address, port} or host:port")
    parsed: dict[str, Member] = {}
    slots: set[int] = set()
    for index, value in enumerate(listed):
        member = Member.parse(value, f"{where}[{index}]")
        if member.endpoint in parsed:
            raise not_allowed(f"{where}[{index}]", member.endpoint, "each member once")
        if member.slot in slots:
            raise not_allowed(f"{where}[{index}].slot", member.slot, "each slot once")
        slots |= {member.slot} - {0}
        parsed[member.endpoint] = member
    found = tuple(sorted(parsed.values(), key=Member.sort_key))
    if found and all(member.backup for member in found):
        raise LoadBalancingError(
            f"{where}: every member is a backup. Make at least one a member without backup."
        )
    return found


def servers(members: object) -> tuple[Directive, ...]:
    """The `server` lines of an upstream; `members` as for :func:`upstream`.

    With no members there is a placeholder that is down: the configuration stays valid, nginx
    answers 502 at once.
    """
    found = tuple(member.directive() for member in parse_members(members))
    return found or (simple("server", "127.0.0.1:9", "down", note="no members: answer 502"),)


def upstream(
    members: object,
    name: str = "app",
    *,
    keepalive: object = 64,
    keepalive_timeout: object = 60,
    keepalive_requests: object = KEEPALIVE_REQUESTS,
    zone_size: object = "256k",
) -> Directive:
    """The `upstream` block that spreads requests to the member with the fewest of them.

    `members`: list of `{"address", "port", "name"?, "weight"?, "max_conns"?, "backup"?, "drain"?,
    "slot"?}` or `"host:port"`. `keepalive`: idle connections that each worker keeps; 0 for none.
    `keepalive_timeout`: seconds, which must be less than the application's own.
    """
    return upstream_block(
        servers(members),
        name,
        keepalive=keepalive,
        keepalive_timeout=keepalive_timeout,
        keepalive_requests=keepalive_requests,
        zone_size=zone_size,
    )


def upstream_block(
    inside: Iterable[Directive],
    name: str,
    *,
    keepalive: object = 64,
    keepalive_timeout: object = 60,
    keepalive_requests: object = KEEPALIVE_REQUESTS,
    zone_size: object = "256k",
) -> Directive:
    """The `upstream` block around `inside`: `server` lines, or what includes them."""
    if not _NAME.fullmatch(name):
        raise not_allowed(
            "name", name, "letters, digits, _ and -, beginning with a letter or digit"
        )
    kept = whole(keepalive, "keepalive", 0, 10_000)
    children = [
        simple("zone", name, size(zone_size, "zone_size")),
        simple("least_conn"),
        *inside,
        simple("keepalive", kept),
    ]
    if kept:
        requests = whole(keepalive_requests, "keepalive_requests", 1, 1_000_000_000)
        seconds = whole(keepalive_timeout, "keepalive_timeout", 1, 86_400)
        children.append(simple("keepalive_requests", requests))
        children.append(simple("keepalive_timeout", f"{seconds}s"))
    return block("upstream", name, children=children)
