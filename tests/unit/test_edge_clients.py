# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose word on a client is rendered to count, and on which listeners the PROXY protocol is."""

from __future__ import annotations

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    NGINX_CONF,
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.nginx_tree import Tree, find, parse


def tree(**values: object) -> list[Tree]:
    given = {"stack_name": "shop", "http_port": 8080, **values}
    return parse(render(BalancerSpec.from_mapping(given))[NGINX_CONF])


def args(trees: list[Tree], *path: str) -> list[list[str]]:
    return [found[1] for found in find(trees, *path)]


def listeners(server: Tree) -> list[list[str]]:
    return args(server[2] or [], "listen")


def test_nobody_is_believed_by_default() -> None:
    trees = tree()
    for name in ("set_real_ip_from", "real_ip_header", "real_ip_recursive"):
        assert args(trees, "http", name) == []


@pytest.mark.parametrize(
    ("proxy_protocol", "header"), [(False, "X-Forwarded-For"), (True, "proxy_protocol")]
)
def test_trusted_proxies_are_believed_one_header_and_no_other(
    proxy_protocol: bool, header: str
) -> None:
    trees = tree(trusted_proxies=["10.0.0.0/8", "::1"], proxy_protocol=proxy_protocol)
    assert args(trees, "http", "set_real_ip_from") == [["10.0.0.0/8"], ["::1/128"]]
    assert args(trees, "http", "real_ip_header") == [[header]]
    assert args(trees, "http", "real_ip_recursive") == [["on"]]


def test_an_ipv4_network_is_one_however_it_is_written() -> None:
    """nginx compares an address within ::ffff:0:0/96 as the IPv4 address that it holds."""
    trees = tree(trusted_proxies=["::ffff:192.0.2.7", "192.0.2.7", "::ffff:c633:6400/120", "::/64"])
    found = args(trees, "http", "set_real_ip_from")
    assert found == [["192.0.2.7/32"], ["198.51.100.0/24"], ["::/64"]]


def test_with_the_proxy_protocol_loopback_has_listeners_without_it() -> None:
    trees = tree(
        trusted_proxies=["10.0.0.1"],
        proxy_protocol=True,
        tls_mode="self_signed",
        server_names=["chat.example.org"],
    )
    first, other, _status = find(trees, "http", "server")
    for server in (first, other):
        found = listeners(server)
        speaking = {words[0] for words in found if "proxy_protocol" in words}
        assert speaking == {"0.0.0.0:8080", "0.0.0.0:443", "[::]:8080", "[::]:443"} or not speaking
        plain = {words[0] for words in found} - {"0.0.0.0:8080", "0.0.0.0:443"}
        assert {"127.0.0.1:8080", "127.0.0.1:443", "[::1]:8080", "[::1]:443"} <= plain
    assert any("proxy_protocol" in words for words in listeners(other))
    assert all("default_server" in words for words in listeners(other))


def test_the_proxy_protocol_without_anybody_to_trust_is_refused() -> None:
    with pytest.raises(
        LoadBalancingError, match=r"^proxy_protocol: 'true' is not allowed"
    ) as caught:
        tree(proxy_protocol=True)
    assert "trusted_proxies" in str(caught.value)
    assert str(caught.value).endswith("Set the variable proxy_protocol.")
