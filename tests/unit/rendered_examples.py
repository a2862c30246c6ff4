# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole configurations of the balancer, to be looked at in ``rendered/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    generation_file,
    render,
    upstream_file,
)

FOLDER = Path(__file__).with_name("rendered")

MEMBERS: list[dict[str, Any]] = [
    {"address": "172.18.0.3", "port": 8000, "slot": 1},
    {"address": "172.18.0.4", "port": 8000, "slot": 2},
    {"address": "172.18.0.5", "port": 8000, "slot": 3, "drain": True},
]

EXAMPLES: dict[str, dict[str, Any]] = {
    "defaults": {"stack_name": "chatbot", "http_port": 80},
    "behind_a_proxy": {
        "stack_name": "chatbot",
        "http_port": 8080,
        "trusted_proxies": ["192.0.2.0/24", "2001:db8::/32"],
        "proxy_protocol": True,
        "rate_limits_enabled": False,
        "api_paths": [],
        "stream_paths": [],
        "readable_log": True,
        "security_headers": False,
    },
    "dry_run": {"stack_name": "chatbot", "http_port": 80, "rate_limits_dry_run": True},
    "tls_and_rules": {
        "stack_name": "shop",
        "http_port": 80,
        "https_port": 443,
        "status_port": 9000,
        "server_names": ["shop.example.org", "*.shop.example.org"],
        "ipv6": False,
        "health_path": "/up",
        "tls_mode": "acme",
        "tls_redirect": True,
        "tls_hsts": 31_536_000,
        "tls_http3": True,
        "sticky": "cookie",
        "sticky_cookie": "replica",
        "rate_limits": [
            {"path": "/", "rate": "10r/s", "burst": 20},
            {"path": "/api/", "rate": "30r/s", "burst": 50, "delay": 10},
        ],
        "connection_limit": 10,
        "rate_limit_exempt": ["10.0.0.0/8"],
        "api_key_header": "X-API-Key",
        "api_keys_file": "/etc/balancer/keys/0123456789ab.conf",
        "api_key_tiers": {
            "default": {"rate": "1r/s", "burst": 5},
            "gold": {"rate": "50r/s", "burst": 100, "connections": 4},
        },
        "paths": [
            {"path": "/upload", "read_timeout": 600, "body_size": "200m"},
            {"path": "/live", "read_timeout": 900, "buffering": False},
        ],
        "stream_paths": ["/live"],
        "api_paths": ["/api/", "/upload"],
        "keepalive_timeout": 75,
        "keepalive_min_timeout": 5,
        "upstream_keepalive": 32,
        "upstream_keepalive_timeout": 30,
        "drain_timeout": 120,
        "body_size": "10m",
        "read_timeout": 60,
        "client_timeout": 20,
        "header_size": "16k",
    },
}


def texts() -> dict[str, str]:
    """The present text of each file, by its name."""
    found = {
        f"{name}.conf": render(BalancerSpec.from_mapping(given))["nginx.conf"]
        for name, given in EXAMPLES.items()
    }
    found["upstream.conf"] = upstream_file(MEMBERS)
    found["generation.conf"] = generation_file(7)
    return found
