# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a balancer's configuration is made from, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_clients import check_proxies
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_hardening import Hardening
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_paths import (
    PathRule,
    parse_paths,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_sticky import Sticky
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_tls import Tls
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import (
    DEFAULT_HEADER,
    KeyLimits,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import (
    DEFAULT_CONNECTIONS,
    DEFAULT_LIMITS,
    NO_LIMITS,
    RateLimits,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    host,
    items,
    mapping,
    networks,
    not_allowed,
    path,
    size,
    truth,
    whole,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name

ANY_NAME = "_"
# How far the status server is from the port of the application, unless it is set.
STATUS_PORT_OFFSET = 10_000

_LAST_PORT = 65_535
_DAY = 86_400

# The variable that an operator sets, where its name isn't the field's own.
_FRONT = {
    "http_port": "balancer_http_port",
    "status_port": "balancer_status_port",
    "server_names": "balancer_server_names",
    "ipv6": "balancer_ipv6",
    "health_path": "app_health_path",
    "keepalive_timeout": "balancer_keepalive_timeout",
    "keepalive_min_timeout": "balancer_keepalive_min_timeout",
    "upstream_keepalive": "balancer_upstream_keepalive",
    "upstream_keepalive_timeout": "balancer_upstream_keepalive_timeout",
    "drain_timeout": "app_drain_timeout",
    "body_size": "balancer_body_size",
    "read_timeout": "balancer_read_timeout",
    "stream_paths": "balancer_stream_paths",
    "api_paths": "balancer_api_paths",
    "https_port": "balancer_https_port",
}


@dataclass(frozen=True)
class BalancerSpec:
    """One balancer. Times are whole seconds; `limits` holds nothing when they are switched off.

    `stream_paths` and `api_paths` are beginnings of paths. `trusted_proxies` are the networks whose
    X-Forwarded-For and X-Forwarded-Proto are believed.
    """

    stack_name: str
    http_port: int
    status_port: int
    limits: RateLimits
    server_names: tuple[str, ...] = (ANY_NAME,)
    ipv6: bool = True
    health_path: str = "/health"
    trusted_proxies: tuple[str, ...] = ()
    keepalive_timeout: int = 60
    keepalive_min_timeout: int = 10
    upstream_keepalive: int = 64
    upstream_keepalive_timeout: int = 60
    drain_timeout: int = 600
    body_size: str = "25m"
    read_timeout: int = 300
    stream_paths: tuple[str, ...] = ("/api/chat/stream", "/ws")
    api_paths: tuple[str, ...] = ("/api/",)
    readable_log: bool = False
    https_port: int = 443
    proxy_protocol: bool = False
    paths: tuple[PathRule, ...] = ()
    sticky: Sticky = field(default_factory=Sticky)
    tls: Tls = field(default_factory=Tls)
    hardening: Hardening = field(default_factory=Hardening)

    @classmethod
    def from_mapping(cls, given: object) -> BalancerSpec:
        """A spec from a mapping with the fields as keys, and in place of those that are parts
        (`limits`, `paths`, `sticky`, `tls`, `hardening`) the keys that make them up.

        `stack_name` and `http_port` must be there; the rest has defaults, and so has None.
        Raises LoadBalancingError that names the variable an operator sets.
        """
        own = [one.name for one in fields(cls) if one.name not in _PARTS]
        values = mapping(given, "balancer", [*own, *_PART_KEYS])
        values = {key: value for key, value in values.items() if value is not None}
        for key in ("stack_name", "http_port"):
            if key not in values:
                raise LoadBalancingError(
                    f"{_front(key)}: a value is needed. Set the variable {_front(key)}."
                )
        checked = {key: _CHECKS[key](values[key], _front(key)) for key in own if key in values}
        if "status_port" not in checked:
            checked["status_port"] = _status_port(checked["http_port"])
        if checked["status_port"] == checked["http_port"]:
            raise not_allowed(
                _front("status_port"),
                checked["status_port"],
                "another port than balancer_http_port",
            )
        checked["limits"] = _limits(values, str(checked.get("health_path", cls.health_path)))
        checked["paths"] = parse_paths(values)
        checked["sticky"] = Sticky.parse(values)
        checked["tls"] = Tls.parse(values)
        checked["hardening"] = Hardening.parse(values)
        spec = cls(**checked)
        check_proxies(spec.trusted_proxies, spec.proxy_protocol)
        for key in ("http_port", "status_port") if spec.tls else ():
            if spec.https_port == getattr(spec, key):
                allowed = f"another port than {_front(key)}"
                raise not_allowed(_front("https_port"), spec.https_port, allowed)
        if spec.keepalive_min_timeout > spec.keepalive_timeout:
            raise not_allowed(
                _front("keepalive_min_timeout"),
                spec.keepalive_min_timeout,
                f"at most balancer_keepalive_timeout, which is {spec.keepalive_timeout}",
            )
        return spec

    @property
    def any_name(self) -> bool:
        """Whether requests for every host name are served."""
        return ANY_NAME in self.server_names


_PARTS = ("limits", "paths", "sticky", "tls", "hardening")
# The keys that make up the parts.
_PART_KEYS = (
    *("rate_limits", "rate_limits_enabled", "rate_limits_dry_run", "connection_limit"),
    *("rate_limit_exempt", "api_key_header", "api_key_tiers", "api_keys_file"),
    *("paths", "sticky", "sticky_cookie"),
    *("tls_mode", "tls_redirect", "tls_hsts", "tls_http3"),
    *("client_timeout", "header_size", "security_headers"),
)


def _front(key: str) -> str:
    return _FRONT.get(key, key)


def _status_port(http_port: int) -> int:
    port = http_port + STATUS_PORT_OFFSET
    if port > _LAST_PORT:
        raise LoadBalancingError(
            f"balancer_status_port: a value is needed: its default, balancer_http_port +"
            f" {STATUS_PORT_OFFSET}, is above {_LAST_PORT}. Set the variable balancer_status_port."
        )
    return port


def _limits(values: dict[str, Any], health_path: str) -> RateLimits:
    """Checked also when they are off: a mistake must not wait for the day when they are on."""
    limits = RateLimits.parse(
        values.get("rate_limits", DEFAULT_LIMITS),
        values.get("connection_limit", DEFAULT_CONNECTIONS),
        values.get("rate_limit_exempt", ()),
        (health_path,),
        values.get("rate_limits_dry_run", False),
        KeyLimits.parse(
            values.get("api_key_header", DEFAULT_HEADER),
            values.get("api_key_tiers", {}),
            values.get("api_keys_file"),
        ),
    )
    enabled = truth(values.get("rate_limits_enabled", True), "rate_limits_enabled")
    return limits if enabled else NO_LIMITS


def _server_names(value: object, where: str) -> tuple[str, ...]:
    names = [
        _server_name(one, f"{where}[{i}]") for i, one in enumerate(items(value, where, "names"))
    ]
    return tuple(sorted(set(names))) or (ANY_NAME,)


def _server_name(value: object, where: str) -> str:
    if value == ANY_NAME:
        return ANY_NAME
    wildcard = "*." if isinstance(value, str) and value.startswith("*.") else ""
    try:
        name = host(value[len(wildcard) :] if isinstance(value, str) else value, where)
    except LoadBalancingError:
        allowed = "a host name such as chat.example.org, *.example.org, or _ for any name"
        raise not_allowed(where, value, allowed) from None
    return wildcard + (f"[{name}]" if ":" in name else name.lower().rstrip("."))


def _paths(value: object, where: str) -> tuple[str, ...]:
    listed = items(value, where, "paths")
    return tuple(sorted({path(one, f"{where}[{index}]") for index, one in enumerate(listed)}))


_port = partial(whole, low=1, high=_LAST_PORT)
_seconds = partial(whole, low=1, high=_DAY)
_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "stack_name": check_name,
    "http_port": _port,
    "status_port": _port,
    "server_names": _server_names,
    "ipv6": truth,
    "health_path": path,
    "trusted_proxies": networks,
    "keepalive_timeout": _seconds,
    "keepalive_min_timeout": partial(whole, low=0, high=_DAY),
    "upstream_keepalive": partial(whole, low=0, high=10_000),
    "upstream_keepalive_timeout": _seconds,
    "drain_timeout": _seconds,
    "body_size": size,
    "read_timeout": _seconds,
    "stream_paths": _paths,
    "api_paths": _paths,
    "readable_log": truth,
    "https_port": _port,
    "proxy_protocol": truth,
}
