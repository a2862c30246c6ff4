# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits by API key: tiers, the file of known keys, and the fingerprint of a key in the log.

nginx cannot hash. So a known key becomes `<tier>:<client>` by a map whose entries lie in a file of
their own, and the limit counts by that; a key that nobody knows is counted as it is. Nothing in
nginx.conf, in a log or in an error tells a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import nginx
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_bucket import (
    MOST_BURST,
    MOST_CONNECTIONS,
    limit_req,
    parse_delay,
    parse_rate,
    pause,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    identifier,
    mapping,
    not_allowed,
    whole,
)

DEFAULT_HEADER = "Authorization"
DEFAULT_TIER = "default"
"""The tier of keys that are not listed."""

KNOWN = Expr("$balancer_known")
LISTED = Expr("$balancer_listed")
TIER = Expr("$balancer_tier")
LOG_FIELDS = {"key": "$balancer_key", "tier": str(TIER), "key_client": "$balancer_key_client"}

_TIER_KEYS = ("rate", "burst", "delay", "connections")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_CLIENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_KEY = re.compile(r"[!-~](?:[ -~]{0,510}[!-~])?")
_FILE = re.compile(r"/etc/balancer/keys/[0-9a-f]{12,64}\.conf")
_ZONE = "10m"
_DIGITS = "0123456789abcdef"
# The limits by key and by address share these prefixes with nothing else.
BY_KEY, BY_ADDRESS = "tier-key", "tier-address"


@dataclass(frozen=True)
class Tier:
    """What each key of a tier may do; `connections` 0 is any number, `delay` as in a Limit."""

    name: str
    rate: str
    burst: int
    delay: int | None
    connections: int = 0

    @classmethod
    def parse(cls, name: object, value: object) -> Tier:
        """A tier from a mapping with `rate` and more; raises LoadBalancingError."""
        where = f"api_key_tiers.{identifier(name, 'api_key_tiers')}"
        given = mapping(value, where, _TIER_KEYS)
        if "rate" not in given:
            raise not_allowed(where, value, "a mapping with a rate, such as {rate: 50r/s}")
        burst = whole(given.get("burst", 20), f"{where}.burst", 0, MOST_BURST)
        connections = given.get("connections", 0)
        return cls(
            name=str(name),
            rate=parse_rate(given["rate"], f"{where}.rate"),
            burst=burst,
            delay=parse_delay(given.get("delay", "nodelay"), burst, f"{where}.delay"),
            connections=whole(connections, f"{where}.connections", 0, MOST_CONNECTIONS),
        )

    @property
    def pause(self) -> int:
        """Seconds until the bucket has room for one more request."""
        return pause(self.rate)

    @property
    def variables(self) -> tuple[tuple[str, Expr], ...]:
        """What the tier's limits count by: the beginning of a zone's name, and the variable."""
        return (
            (BY_KEY, Expr(f"$balancer_by_key_{self.name}")),
            (BY_ADDRESS, Expr(f"$balancer_by_address_{self.name}")),
        )

    def zones(self) -> list[Directive]:
        """The zones, for the `http` level."""
        found = []
        for kind, variable in self.variables:
            zone = f"zone={kind}-{self.name}:{_ZONE}"
            found.append(simple("limit_req_zone", variable, zone, f"rate={self.rate}"))
            if self.connections:
                open_zone = f"zone={kind}-open-{self.name}:{_ZONE}"
                found.append(simple("limit_conn_zone", variable, open_zone))
        return found

    def rates(self) -> list[Directive]:
        """The `limit_req` lines."""
        return [
            limit_req(f"{kind}-{self.name}", self.burst, self.delay)
            for kind, _variable in self.variables
        ]

    def opens(self) -> list[Directive]:
        """The `limit_conn` lines."""
        return [
            simple("limit_conn", f"{kind}-open-{self.name}", self.connections)
            for kind, _variable in self.variables
            if self.connections
        ]


@dataclass(frozen=True)
class KeyLimits:
    """All tiers. `header` is in lower case; `file` is the path of the known keys as nginx sees it,
    empty without any.
    """

    header: str = DEFAULT_HEADER.lower()
    tiers: tuple[Tier, ...] = ()
    file: str = ""

    @classmethod
    def parse(cls, header: object, tiers: object, file: object = "") -> KeyLimits:
        """Check everything; without tiers nothing is left. Raises LoadBalancingError."""
        if not isinstance(header, str) or not _HEADER.fullmatch(header):
            allowed = "the name of a header, such as X-API-Key"
            raise not_allowed("api_key_header", header, allowed)
        if not isinstance(tiers, dict):
            raise not_allowed("api_key_tiers", tiers, "a mapping such as {gold: {rate: 50r/s}}")
        if file and not (isinstance(file, str) and _FILE.fullmatch(file)):
            raise not_allowed("api_keys_file", file, "/etc/balancer/keys/<digest>.conf")
        parsed = sorted((Tier.parse(*one) for one in tiers.items()), key=lambda tier: tier.name)
        return cls(header.lower(), tuple(parsed), str(file or "")) if parsed else cls()

    def __bool__(self) -> bool:
        return bool(self.tiers)

    @property
    def given(self) -> Expr:
        """The variable that holds the key as the client sent it."""
        return Expr(f"$http_{self.header.replace('-', '_')}")

    def definitions(self, client: Expr) -> tuple[Directive, ...]:
        """Who a key belongs to, what its limits count by, and the zones; `client` is the variable
        with the client's address.
        """
        return (*self._owner(), *self._counted(client), *self._fingerprint())

    def zones(self) -> list[Directive]:
        """The zones of all tiers."""
        return [zone for tier in self.tiers for zone in tier.zones()]

    def _owner(self) -> tuple[Directive, ...]:
        include = [simple("include", self.file)] if self.file else []
        name = Expr("$balancer_known_client")
        listed = [simple(f"~^{tier.name}:", tier.name) for tier in self.tiers]
        unlisted = DEFAULT_TIER if any(t.name == DEFAULT_TIER for t in self.tiers) else ""
        return (
            block("map", self.given, KNOWN, children=[simple("default", ""), *include]),
            block("map", KNOWN, LISTED, children=[simple("default", ""), *listed]),
            block(
                "map",
                KNOWN,
                Expr("$balancer_key_client"),
                children=[
                    simple("default", ""),
                    simple(Expr("~^[a-z0-9_]+:(?<balancer_known_client>.+)$"), name),
                ],
            ),
            block(
                "map",
                self.given,
                Expr("$balancer_unlisted"),
                children=[simple("default", unlisted), simple("", "")],
            ),
            block(
                "map",
                LISTED,
                TIER,
                children=[simple("default", LISTED), simple("", Expr("$balancer_unlisted"))],
            ),
        )

    def _counted(self, client: Expr) -> tuple[Directive, ...]:
        """No tier's name begins with `?`: an unlisted key is never taken for a client."""
        counted = Expr("$balancer_counted_key")
        maps = [
            block(
                "map",
                KNOWN,
                counted,
                children=[simple("default", KNOWN), simple("", Expr(f"?{self.given}"))],
            )
        ]
        for tier in self.tiers:
            (_key, by_key), (_address, by_address) = tier.variables
            for tier_of, variable, value in (
                (TIER, by_key, counted),
                (LISTED, by_address, client),
            ):
                entries = [simple("default", ""), simple(Expr(f"~^[^:]+:{tier.name}$"), value)]
                source = Expr(f"$balancer_limit:{tier_of}")
                maps.append(block("map", source, variable, children=entries))
        return tuple(maps)

    def _fingerprint(self) -> tuple[Directive, ...]:
        """Eight digits, each by a hash of the key and another salt; empty without a key."""
        parts = [Expr(f"$balancer_key_digit_{number}") for number in range(8)]
        buckets = [simple("6.25%", digit) for digit in _DIGITS[:-1]] + [simple("*", _DIGITS[-1])]
        digits = [
            block("split_clients", Expr(f"{number}:{self.given}"), part, children=buckets)
            for number, part in enumerate(parts)
        ]
        whole_key = block(
            "map",
            self.given,
            Expr("$balancer_key"),
            children=[simple("default", Expr("".join(parts))), simple("", "")],
        )
        return (*digits, whole_key)


NO_KEYS = KeyLimits()


def parse_keys(given: object, tiers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """`{client: {"key", "tier"}}` as {client: (key, tier)}; `tiers` are the names that there are.

    Raises LoadBalancingError that shows no key.
    """
    if not isinstance(given, dict):
        allowed = "a mapping such as {partner: {key: …, tier: gold}}"
        raise LoadBalancingError(_refused("this value", allowed))
    names = sorted(tiers)
    found: dict[str, tuple[str, str]] = {}
    owners: dict[str, str] = {}
    for client, value in given.items():
        if not isinstance(client, str) or not _CLIENT.fullmatch(client):
            raise LoadBalancingError(
                _refused("the name of a client", "1 to 64 letters, digits, _, . and -")
            )
        key, tier = _known(client, value, names)
        if key in owners:
            raise LoadBalancingError(
                _refused(f"the key of {client}", f"another one than that of {owners[key]}")
            )
        owners[key] = client
        found[client] = (key, tier)
    return found


def keys_file(keys: dict[str, tuple[str, str]]) -> str:
    """The entries of the map of known keys; "" for none. This text holds the keys."""
    return nginx.render(
        simple(Expr(f"~^{_escaped(key)}$"), f"{tier}:{client}")
        for client, (key, tier) in sorted(keys.items())
    )


def _known(client: str, value: Any, tiers: list[str]) -> tuple[str, str]:
    if not isinstance(value, dict) or set(value) != {"key", "tier"}:
        raise LoadBalancingError(_refused(f"the value of {client}", "a mapping of key and tier"))
    key = value["key"]
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        allowed = "1 to 512 printable ASCII characters, no space at an end"
        raise LoadBalancingError(_refused(f"the key of {client}", allowed))
    if value["tier"] not in tiers:
        allowed = f"a name of api_key_tiers: {', '.join(tiers) or 'there is none'}"
        raise LoadBalancingError(_refused(f"the tier of {client}", allowed))
    return str(key), str(value["tier"])


def _escaped(key: str) -> str:
    """A pattern for exactly this key, of letters, digits and backslashes only."""
    return "".join(one if one.isalnum() else f"\\x{ord(one):02x}" for one in key)


def _refused(what: str, allowed: str) -> str:
    return f"api_keys: {what} is not allowed: {allowed}. Set the variable api_keys."
