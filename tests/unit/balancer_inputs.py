# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inputs of BalancerSpec for property tests: valid ones over all keys, and hostile texts.

A key that is new in BalancerSpec belongs into VALID, and into HOSTILE_FIELDS if it takes a text; a
test compares VALID with the keys.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    NO_MAINTENANCE,
    Maintenance,
)

_DAY = 86_400
_LETTERS = string.ascii_lowercase + string.digits
_LABEL = st.text(_LETTERS + "-_", min_size=1, max_size=63).filter(
    lambda text: text[0] not in "-_" and text[-1] not in "-_" and not text.isdigit()
)
_SEGMENT = st.text(string.ascii_letters + string.digits + "._~!&()*+,=:@-ứộé", max_size=12).filter(
    lambda text: text not in ("", ".", "..")
)
PATHS = st.builds(
    lambda parts, end: "/" + "/".join(parts) + (end if parts else ""),
    st.lists(_SEGMENT, max_size=3),
    st.sampled_from(["", "/"]),
)
HOSTS = st.lists(_LABEL, min_size=1, max_size=3).map(".".join)
NAMES = st.builds(lambda star, name: star + name, st.sampled_from(["", "*."]), HOSTS)
NETWORKS = st.ip_addresses().map(str).filter(
    lambda text: text not in ("255.255.255.255", "::ffff:255.255.255.255", "::ffff:ffff:ffff")
) | st.sampled_from(
    [
        *("10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "::/0", "::1", "192.0.2.0/24"),
        *("::ffff:192.0.2.7", "::ffff:c000:200/120", "::ffff:0:0/96"),
    ]
)
SIZES = st.builds(lambda n, unit: f"{n}{unit}", st.integers(1, 999), st.sampled_from("kmKM"))
RATES = st.builds(lambda n, per: f"{n}r/{per}", st.integers(1, 999_999), st.sampled_from("sm"))
_IDENTIFIERS = st.text(string.ascii_lowercase, min_size=3, max_size=12).filter(
    lambda text: text not in ("default", "include", "volatile", "hostnames", "pause", "none")
)


@st.composite
def _bucket(draw: Callable[..., Any]) -> dict[str, Any]:
    burst = draw(st.integers(0, 1000))
    bucket = {"rate": draw(RATES), "burst": burst}
    if draw(st.booleans()):
        bucket["delay"] = draw(st.just("nodelay") | st.integers(0, burst))
    return bucket


_LIMITS = st.lists(
    st.builds(lambda path, bucket: {"path": path, **bucket}, PATHS, _bucket()),
    max_size=4,
    # Names come from paths, and two paths may have the same one.
    unique_by=lambda limit: re.sub("[^a-z0-9]+", "_", limit["path"].lower()).strip("_")[:20],
)
_TIER = st.builds(
    lambda bucket, connections: {**bucket, **connections},
    _bucket(),
    st.just({}) | st.integers(1, 1000).map(lambda number: {"connections": number}),
)
_RULE = st.builds(
    lambda path, rule: {"path": path, **rule},
    PATHS,
    st.fixed_dictionaries(
        {"read_timeout": st.integers(1, _DAY)},
        optional={"body_size": SIZES, "buffering": st.booleans()},
    ),
)
_RULES = st.lists(_RULE, max_size=4, unique_by=lambda rule: rule["path"])

VALID: dict[str, st.SearchStrategy[Any]] = {
    "stack_name": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True),
    "http_port": st.integers(1, 20_000),
    "https_port": st.integers(20_001, 30_000),
    "status_port": st.none() | st.integers(30_001, 65_535),
    "server_names": st.lists(NAMES, max_size=4) | st.just(["_"]),
    "ipv6": st.booleans(),
    "health_path": PATHS,
    "rate_limits": st.none() | _LIMITS,
    "rate_limits_enabled": st.booleans(),
    "rate_limits_dry_run": st.booleans(),
    "connection_limit": st.integers(0, 65_535),
    "rate_limit_exempt": st.lists(NETWORKS, max_size=3),
    "api_key_header": st.sampled_from(["Authorization", "X-API-Key"]),
    "api_key_tiers": st.dictionaries(_IDENTIFIERS | st.just("default"), _TIER, max_size=3),
    "api_keys_file": st.none(),
    "trusted_proxies": st.lists(NETWORKS, max_size=3),
    "proxy_protocol": st.just(False),
    "keepalive_timeout": st.integers(60, _DAY),
    "keepalive_min_timeout": st.integers(0, 60),
    "upstream_keepalive": st.integers(0, 10_000),
    "upstream_keepalive_timeout": st.integers(1, _DAY),
    "drain_timeout": st.integers(1, _DAY),
    "body_size": SIZES,
    "read_timeout": st.integers(1, _DAY),
    "stream_paths": st.none() | st.lists(PATHS, max_size=3),
    "api_paths": st.none() | st.lists(PATHS, max_size=3),
    "readable_log": st.booleans(),
    "paths": st.none() | _RULES,
    "sticky": st.sampled_from(["none", "cookie"]),
    "sticky_cookie": st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True),
    "tls_mode": st.sampled_from(["none", "self_signed", "provided", "acme"]),
    "tls_redirect": st.booleans(),
    "tls_hsts": st.sampled_from([0, 300, 31_536_000]),
    "tls_http3": st.booleans(),
    "client_timeout": st.integers(1, 3600),
    "header_size": st.integers(4, 256).map(lambda number: f"{number}k"),
    "security_headers": st.booleans(),
}
"""A strategy for each key of BalancerSpec.from_mapping."""

MAINTENANCES = st.just(NO_MAINTENANCE) | st.builds(
    Maintenance.parse,
    st.lists(NETWORKS, max_size=3),
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=500),
    st.integers(1, _DAY),
)


@st.composite
def inputs(draw: Callable[..., Any]) -> dict[str, Any]:
    """A valid mapping for BalancerSpec.from_mapping with most of its keys."""
    given: dict[str, Any] = draw(st.fixed_dictionaries(VALID))
    # PROXY headers need proxies that may send them.
    given["proxy_protocol"] = bool(given["trusted_proxies"]) and draw(st.booleans())
    return given


_MARKS = [";", "{", "}", "\n", "\r", "\0", "$host", "`", '"', "'", "#", "\\", " ", "${pid}", "\t"]
_ATTACKS = [
    "; return 200;",
    "; } server { listen 666; ",
    '"; include /etc/passwd; "',
    "'; include /etc/passwd; '",
    "\\",
    '\\"',
    "\\\\'; x;",
    "\n}\nuser root;\n",
    "# ",
    "~*.*",
    "include",
    "default",
]
HOSTILE = st.builds(
    lambda start, attack, end: start + attack + end,
    st.sampled_from(["", "/", "a", "/a", "10.0.0.1", "10r/s", "16k", "*."]),
    st.sampled_from(_MARKS + _ATTACKS) | st.text(max_size=8),
    st.sampled_from(["", "b", "/", ".example"]),
)
"""Texts that try to end a word, a directive or a block."""

HOSTILE_FIELDS: dict[str, Callable[[str], Any]] = {
    **{
        name: lambda text: text
        for name, strategy in VALID.items()
        if name not in ("rate_limits", "api_key_tiers", "api_keys_file", "paths")
        and not name.endswith(("_paths", "_names", "_proxies", "_exempt"))
    },
    **{
        name: lambda text: [text]
        for name in (
            *("stream_paths", "api_paths"),
            *("server_names", "trusted_proxies", "rate_limit_exempt"),
        )
    },
    "rate_limits": lambda text: [{"path": text, "rate": "1r/s"}],
    "paths": lambda text: [{"path": text, "read_timeout": 5}],
    "api_key_tiers": lambda text: {text: {"rate": "1r/s"}},
}
"""The value of each key with a hostile text in it."""

HOSTILE_PARTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "rate": ("rate_limits", lambda text: [{"path": "/", "rate": text}]),
    "name": ("rate_limits", lambda text: [{"path": "/", "rate": "1r/s", "name": text}]),
    "zone_size": ("rate_limits", lambda text: [{"rate": "1r/s", "zone_size": text}]),
    "delay": ("rate_limits", lambda text: [{"rate": "1r/s", "delay": text}]),
    "path_body": ("paths", lambda text: [{"path": "/a", "body_size": text}]),
    "path_time": ("paths", lambda text: [{"path": "/a", "read_timeout": text}]),
    "tier_rate": ("api_key_tiers", lambda text: {"gold": {"rate": text}}),
}
"""Texts inside of those that are lists and mappings: the key, and its value."""
