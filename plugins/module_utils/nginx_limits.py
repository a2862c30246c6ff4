# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rate and connection limits: data to nginx's zones, keys and limits.

One map says which limit a request falls under (the longest path wins, as with locations); each
limit's key is empty for every other request, and nginx exempts an empty key. So the limits stand
once for the whole server instead of once in each location, and hold in named locations as well.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

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
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import (
    DEFAULT_TIER,
    LISTED,
    NO_KEYS,
    TIER,
    KeyLimits,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    identifier,
    items,
    mapping,
    networks,
    not_allowed,
    path,
    size,
    truth,
    whole,
)

DEFAULT_LIMITS: tuple[dict[str, object], ...] = (
    {"path": "/", "rate": "10r/s", "burst": 20},
    {"path": "/api/", "rate": "30r/s", "burst": 50},
)
DEFAULT_CONNECTIONS = 20

# What a request falls under that is on none of the limited paths but counts as a connection.
_NO_RATE = "none"
CONNECTIONS_ZONE = "connections"
# Our own words, and those that mean something inside a map.
_RESERVED = (_NO_RATE, CONNECTIONS_ZONE, "pause", "default", "hostnames", "include", "volatile")

_KEYS = ("name", "path", "rate", "burst", "delay", "zone_size")
# Addresses are counted by this: IPv4 as it is, IPv6 by its /64, which is what one subscriber has.
CLIENT = Expr("$balancer_client")
_GROUP = "[0-9a-f]+"
_ENDS = f"(?:{_GROUP}:){{3}}{_GROUP}$"
# nginx writes an address in its canonical text, without the longest run of zeros. What a pattern
# captures is the same for every address of a /64, unless its second and third group are zero (no
# such network is handed out): then it may be one of two.
NETWORK_PATTERNS = (
    f"(?<balancer_network>(?:{_GROUP}:){{2}})(?:0:0:|:)",
    f"(?<balancer_network>(?:{_GROUP}:){{3}})(?:0:|:)",
    f"(?<balancer_network>(?:{_GROUP}:){{4}})",
    f"(?<balancer_network>{_GROUP}::{_GROUP}):{_ENDS}",
    f"(?<balancer_network>::{_GROUP}:{_GROUP}):{_ENDS}",
    f"(?<balancer_network>::{_GROUP}):{_ENDS}",
    f"(?<balancer_network>(?:{_GROUP}:)?:)",
)


@dataclass(frozen=True)
class Limit:
    """A leaky bucket for each client address on the paths that begin with `path`.

    `delay` None answers up to `burst` excess requests at once (nginx's `nodelay`); a number delays
    those beyond it.
    """

    name: str
    path: str
    rate: str
    burst: int
    delay: int | None
    zone_size: str

    @classmethod
    def parse(cls, value: object, where: str) -> Limit:
        """A limit from a mapping with `path`, `rate` and more; raises LoadBalancingError."""
        given = mapping(value, where, _KEYS)
        if "rate" not in given:
            raise not_allowed(where, value, "a mapping with a rate, such as {path: /, rate: 10r/s}")
        prefix = path(given.get("path", "/"), f"{where}.path")
        burst = whole(given.get("burst", 20), f"{where}.burst", 0, MOST_BURST)
        name = identifier(given.get("name") or _name_of(prefix), f"{where}.name")
        if name in _RESERVED:
            raise not_allowed(f"{where}.name", name, f"any name but {', '.join(_RESERVED)}")
        return cls(
            name=name,
            path=prefix,
            rate=parse_rate(given["rate"], f"{where}.rate"),
            burst=burst,
            delay=parse_delay(given.get("delay", "nodelay"), burst, f"{where}.delay"),
            zone_size=size(given.get("zone_size", "10m"), f"{where}.zone_size"),
        )

    @property
    def key(self) -> Expr:
        """The variable that holds the client's address for requests under this limit."""
        return Expr(f"$balancer_limit_{self.name}")

    @property
    def pause(self) -> int:
        """Seconds until the bucket has room for one more request."""
        return pause(self.rate)

    def zone(self) -> Directive:
        """The `limit_req_zone` line."""
        zone = f"zone={self.name}:{self.zone_size}"
        return simple("limit_req_zone", self.key, zone, f"rate={self.rate}")

    def directive(self) -> Directive:
        """The `limit_req` line."""
        return limit_req(self.name, self.burst, self.delay)


@dataclass(frozen=True)
class RateLimits:
    """All limits of one balancer.

    `connections`: requests of one address that may be in progress at a time, 0 for any number.
    `exempt`: networks without limits; `exempt_paths`: exact paths without limits. With `dry_run`
    nothing is refused, only logged. `keys`: limits by API key.
    """

    limits: tuple[Limit, ...]
    connections: int = DEFAULT_CONNECTIONS
    exempt: tuple[str, ...] = ()
    exempt_paths: tuple[str, ...] = ()
    dry_run: bool = False
    keys: KeyLimits = NO_KEYS

    @classmethod
    def parse(
        cls,
        limits: object,
        connections: object = DEFAULT_CONNECTIONS,
        exempt: object = (),
        exempt_paths: object = (),
        dry_run: object = False,
        keys: KeyLimits = NO_KEYS,
    ) -> RateLimits:
        """Check everything; raises LoadBalancingError that names the front variable."""
        paths = items(exempt_paths, "exempt_paths", "paths")
        return cls(
            limits=_parse_limits(limits),
            connections=whole(connections, "connection_limit", 0, MOST_CONNECTIONS),
            exempt=networks(exempt, "rate_limit_exempt"),
            exempt_paths=tuple(sorted({path(one, "exempt_paths") for one in paths})),
            dry_run=truth(dry_run, "rate_limits_dry_run"),
            keys=keys,
        )

    def __bool__(self) -> bool:
        return bool(self.limits or self.connections or self.keys)

    def definitions(self) -> tuple[Directive, ...]:
        """Keys and zones, for the `http` level."""
        if not self:
            return ()
        zones = [limit.zone() for limit in self.limits]
        if self.connections:
            key = Expr("$balancer_limit_connections")
            zones.append(simple("limit_conn_zone", key, f"zone={CONNECTIONS_ZONE}:10m"))
        by_key = self.keys.definitions(CLIENT) if self.keys else ()
        return (
            *self._exemptions(),
            self._choice(),
            _clients(),
            *by_key,
            *self._keys(),
            *zones,
            *self.keys.zones(),
        )

    def enforcement(self) -> tuple[Directive, ...]:
        """The limits themselves, for a server or location, or for the `http` level."""
        dry = [simple(f"limit_{kind}_dry_run", "on") for kind in ("req", "conn") if self.dry_run]
        rates = [limit.directive() for limit in self.limits]
        rates += [line for tier in self.keys.tiers for line in tier.rates()]
        if rates:
            rates += [simple("limit_req_status", 429), simple("limit_req_log_level", "info")]
        opens = []
        if self.connections:
            opens.append(simple("limit_conn", CONNECTIONS_ZONE, self.connections))
        opens += [line for tier in self.keys.tiers for line in tier.opens()]
        if opens:
            opens += [simple("limit_conn_status", 429), simple("limit_conn_log_level", "info")]
        return (*rates, *dry[: bool(rates)], *opens, *(dry[1:] if opens else ()))

    def retry_after(self) -> tuple[Directive, ...]:
        """The map behind `add_header Retry-After $balancer_retry_after always`.

        Holds for every 429 and 503 whose sender has not said so itself, the application's included.
        """
        slow = self._pauses()
        maps = []
        if slow:
            source = Expr(f"$balancer_limit:{TIER}") if self.keys else Expr("$balancer_limit")
            maps.append(
                block(
                    "map",
                    source,
                    Expr("$balancer_limit_pause"),
                    children=[simple("default", 1), *slow],
                )
            )
        told = Expr("$balancer_limit_pause") if slow else "1"
        maps.append(
            block(
                "map",
                Expr("$status:$upstream_http_retry_after"),
                Expr("$balancer_retry_after"),
                children=[simple("default", ""), simple("429:", told), simple("503:", 1)],
            )
        )
        return tuple(maps)

    def _pauses(self) -> list[Directive]:
        """Entries of a map for those who have to wait longer than a second. With an unlisted key,
        it may be either limit that refuses: the longer pause is told.
        """
        named = {limit.name: limit.pause for limit in self.limits}
        if not self.keys:
            return [simple(name, pause) for name, pause in sorted(named.items()) if pause > 1]
        found = {f"~^{name}:$": told for name, told in named.items()}
        for tier in self.keys.tiers:
            if tier.name == DEFAULT_TIER:
                for name, told in named.items():
                    found[f"~^{name}:{tier.name}$"] = max(told, tier.pause)
            found[f"~:{tier.name}$"] = tier.pause
        return [simple(Expr(one), told) for one, told in found.items() if told > 1]

    def _exemptions(self) -> tuple[Directive, ...]:
        if not self.exempt:
            return ()
        return (geo(Expr("$balancer_exempt"), networks=self.exempt, value="exempt"),)

    def _choice(self) -> Directive:
        """The map from a path to the name of its limit; "" where nothing is limited."""
        ordered = sorted(self.limits, key=lambda limit: (-len(limit.path), limit.path))
        entries = [simple("default", "")]
        entries += [simple(Expr(f"~^{re.escape(one)}$"), "") for one in self.exempt_paths]
        entries += [simple(f"~^{re.escape(limit.path)}", limit.name) for limit in ordered]
        if not any(limit.path == "/" for limit in self.limits):
            entries.append(simple("~^/", _NO_RATE))
        # "exempt/…" begins with no slash, so an exempt address falls through to the default.
        source = Expr("$balancer_exempt$uri" if self.exempt else "$uri")
        return block("map", source, Expr("$balancer_limit"), children=entries)

    def _keys(self) -> list[Directive]:
        """A listed API key takes its requests out of these limits: the tier's hold for its address,
        too.
        """
        chosen, end = Expr("$balancer_limit"), ""
        if self.keys:
            chosen, end = Expr(f"$balancer_limit:{LISTED}"), ":"
        keys = [
            block(
                "map",
                chosen,
                limit.key,
                children=[simple("default", ""), simple(f"{limit.name}{end}", CLIENT)],
            )
            for limit in self.limits
        ]
        if self.connections:
            entries = [simple("default", CLIENT), simple("~^:" if self.keys else "", "")]
            entries += [
                simple(Expr(f"~:{tier.name}$"), "") for tier in self.keys.tiers if tier.connections
            ]
            keys.append(block("map", chosen, Expr("$balancer_limit_connections"), children=entries))
        return keys


NO_LIMITS = RateLimits((), connections=0)


def _clients() -> Directive:
    """The map from an address to what it is counted by. One with a dot is IPv4, also in IPv6."""
    whole_address = Expr("$binary_remote_addr")
    network = Expr("$balancer_network")
    entries = [simple("default", whole_address), simple("~[.]", whole_address)]
    entries += [simple(Expr(f"~^{pattern}"), network) for pattern in NETWORK_PATTERNS]
    return block("map", Expr("$remote_addr"), CLIENT, children=entries)


def rate_limit(
    limits: object = DEFAULT_LIMITS,
    *,
    connection_limit: object = DEFAULT_CONNECTIONS,
    exempt: object = (),
    exempt_paths: object = (),
    dry_run: object = False,
) -> tuple[Directive, ...]:
    """Everything for the `http` level: zones, limits, status 429 and Retry-After.

    `limits`: list of `{"path"?: "/", "rate": "10r/s" | "90r/m" | 10, "burst"?: 20,
    "delay"?: N | "nodelay", "name"?, "zone_size"?: "10m"}`; a plain number is requests a second.
    Raises LoadBalancingError.
    """
    parsed = RateLimits.parse(limits, connection_limit, exempt, exempt_paths, dry_run)
    if not parsed:
        return ()
    header = simple("add_header", "Retry-After", Expr("$balancer_retry_after"), "always")
    return (*parsed.definitions(), *parsed.retry_after(), *parsed.enforcement(), header)


def geo(*variables: Expr, networks: tuple[str, ...], value: str) -> Directive:
    """A `geo` block: `value` for addresses in `networks`, else empty."""
    entries = [simple("default", "")]
    for network in map(ipaddress.ip_network, networks):
        # To nginx a network of all addresses is the default, which would then stand there twice.
        parts = [network] if network.prefixlen else list(network.subnets())
        entries += [simple(str(part), value) for part in parts]
    return block("geo", *variables, children=entries)


def _parse_limits(limits: object) -> tuple[Limit, ...]:
    listed = items(limits, "rate_limits", "limits: {path, rate, burst}")
    parsed: list[Limit] = []
    for index, value in enumerate(listed):
        where = f"rate_limits[{index}]"
        limit = Limit.parse(value, where)
        if any(limit.path == other.path for other in parsed):
            raise not_allowed(f"{where}.path", limit.path, "each path once")
        if any(limit.name == other.name for other in parsed):
            raise not_allowed(f"{where}.name", limit.name, "each name once")
        parsed.append(limit)
    return tuple(sorted(parsed, key=lambda limit: (limit.path, limit.name)))


def _name_of(prefix: str) -> str:
    if prefix == "/":
        return "general"
    words = re.sub(r"[^a-z0-9]+", "_", prefix.lower()).strip("_")[:32]
    return words if words[:1].isalpha() and words not in _RESERVED else f"path_{words}"
