# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Timeouts, sizes and headers of the balancer."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.nginx_tree import Tree, find, parse


def http(**values: Any) -> list[Tree]:
    spec = BalancerSpec.from_mapping({"stack_name": "shop", "http_port": 8080, **values})
    children: list[Tree] = find(parse(render(spec)["nginx.conf"]), "http")[0][2]
    return children


def args(trees: list[Tree], *path: str) -> list[list[str]]:
    return [found[1] for found in find(trees, *path)]


def headers(trees: list[Tree]) -> set[str]:
    return {words[0] for words in args(trees, "server", "add_header")}


def test_slow_clients_are_given_up_but_those_of_a_stream_later() -> None:
    found = http(client_timeout=7)
    assert args(found, "client_header_timeout") == args(found, "client_body_timeout") == [["7s"]]
    assert args(found, "send_timeout") == [["60s"]]
    assert args(http(client_timeout=90), "send_timeout") == [["90s"]]
    assert args(found, "reset_timedout_connection") == [["on"]]


def test_a_header_line_has_a_largest_size() -> None:
    assert args(http(), "large_client_header_buffers") == [["4", "16k"]]
    assert args(http(header_size="64K"), "large_client_header_buffers") == [["4", "64k"]]


def test_headers_are_added_only_where_the_application_sends_none() -> None:
    found = http()
    assert {"X-Content-Type-Options", "Referrer-Policy"} < headers(found)
    assert ["X-Powered-By"] in args(found, "server", "proxy_hide_header")
    chosen = {words[1]: words[0] for words in args(found, "map")}
    assert chosen["$balancer_referrer_policy"] == "$upstream_http_referrer_policy"
    off = http(security_headers=False)
    assert not {"X-Content-Type-Options", "Referrer-Policy"} & headers(off)
    assert ["X-Powered-By"] not in args(off, "server", "proxy_hide_header")


@pytest.mark.parametrize("names", [[], ["shop.example"]])
def test_requests_without_a_host_are_refused(names: list[str]) -> None:
    servers = find(http(server_names=names), "server")[:-1]
    assert len(servers) == 1 + len(names)
    for _name, _words, children in servers:
        refused = [one for one in find(children, "if") if one[1] == ["$balancer_hostless"]]
        assert [one[2] for one in refused] == [[("return", ["400"], None)]]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("client_timeout", 0, "0 is not allowed: a whole number from 1 to 3600"),
        ("header_size", "2k", "'2k' is not allowed: a size from 4k to 256k"),
        ("header_size", "257k", "'257k' is not allowed: a size from 4k to 256k"),
        ("header_size", "16k; x", "'16k; x' is not allowed: a size such as 512k, 25m or 1g"),
        ("security_headers", "perhaps", "'perhaps' is not allowed: true or false"),
    ],
)
def test_errors_name_the_variable(key: str, value: object, message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        http(**{key: value})
    front = f"balancer_{key}"
    assert str(caught.value) == f"{front}: {message}. Set the variable {front}."
