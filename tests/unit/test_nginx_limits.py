# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits to zones, keys and enforcement."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.filter import nginx_rate_limit as face
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import render
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_bucket import parse_rate
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import (
    DEFAULT_LIMITS,
    NETWORK_PATTERNS,
    NO_LIMITS,
    RateLimits,
    _clients,
    rate_limit,
)
from tests.unit.nginx_tree import find, names, parse

nginx_rate_limit = face.FilterModule().filters()["nginx_rate_limit"]


# Who is counted as one; the tests of clients say how.
CLIENTS = render([_clients()])


def args_of(text: str, *path: str) -> list[list[str]]:
    return [found[1] for found in find(parse(text), *path)]


def test_the_default_limits() -> None:
    text = nginx_rate_limit(DEFAULT_LIMITS)
    assert (
        text
        == """\
map $uri $balancer_limit {
    default "";
    ~^/api/ api;
    ~^/ general;
}

"""
        + CLIENTS
        + """
map $balancer_limit $balancer_limit_general {
    default "";
    general $balancer_client;
}

map $balancer_limit $balancer_limit_api {
    default "";
    api $balancer_client;
}

map $balancer_limit $balancer_limit_connections {
    default $balancer_client;
    "" "";
}

limit_req_zone $balancer_limit_general zone=general:10m rate=10r/s;
limit_req_zone $balancer_limit_api zone=api:10m rate=30r/s;
limit_conn_zone $balancer_limit_connections zone=connections:10m;

map $status:$upstream_http_retry_after $balancer_retry_after {
    default "";
    429: 1;
    503: 1;
}

limit_req zone=general burst=20 nodelay;
limit_req zone=api burst=50 nodelay;
limit_req_status 429;
limit_req_log_level info;
limit_conn connections 20;
limit_conn_status 429;
limit_conn_log_level info;
add_header Retry-After $balancer_retry_after always;
"""
    )


def test_exemptions_come_before_every_limit() -> None:
    text = nginx_rate_limit(
        [{"rate": 5}],
        exempt=["10.0.0.0/8", "2001:db8::1", "10.0.0.0/8"],
        exempt_paths=["/health.x"],
    )
    assert find(parse(text), "geo")[0][1] == ["$balancer_exempt"]
    assert find(parse(text), "geo")[0][2] == [
        ("default", [""], None),
        ("10.0.0.0/8", ["exempt"], None),
        ("2001:db8::1/128", ["exempt"], None),
    ]
    assert find(parse(text), "map")[0][1:] == (
        ["$balancer_exempt$uri", "$balancer_limit"],
        [("default", [""], None), (r"~^/health\.x$", [""], None), ("~^/", ["general"], None)],
    )


def test_all_addresses_can_be_exempt() -> None:
    text = nginx_rate_limit([], exempt=["0.0.0.0/0", "::/0"])
    entries = [entry[0] for entry in find(parse(text), "geo")[0][2]]
    assert entries == ["default", "0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]


def test_the_longest_path_is_asked_first() -> None:
    limits = [{"path": path, "rate": 1} for path in ("/", "/a/", "/a/b/c", "/b", "/ü")]
    entries = find(parse(nginx_rate_limit(limits)), "map")[0][2]
    assert [entry[0] for entry in entries] == [
        "default",
        "~^/a/b/c",
        "~^/a/",
        "~^/b",
        "~^/ü",
        "~^/",
    ]


def test_paths_without_a_rate_still_count_connections() -> None:
    entries = find(parse(nginx_rate_limit([{"path": "/api/", "rate": 1}])), "map")[0][2]
    assert entries[-1] == ("~^/", ["none"], None)


def test_delay_name_and_size() -> None:
    limits = [{"rate": "90r/m", "burst": "5", "delay": 3, "name": "slow", "zone_size": "1M"}]
    text = nginx_rate_limit(limits, connection_limit=0)
    assert args_of(text, "limit_req") == [["zone=slow", "burst=5", "delay=3"]]
    assert args_of(text, "limit_req_zone") == [
        ["$balancer_limit_slow", "zone=slow:1m", "rate=90r/m"]
    ]
    assert args_of(text, "limit_conn") == []


def test_no_burst_and_no_delay_are_left_out_for_nginx_to_accept_them() -> None:
    limits = [{"rate": 1, "burst": 0}, {"rate": 1, "path": "/slow", "delay": 0}]
    text = nginx_rate_limit(limits)
    assert args_of(text, "limit_req") == [["zone=general", "nodelay"], ["zone=slow", "burst=20"]]


def test_who_falls_under_a_slow_limit_is_told_to_wait_as_long() -> None:
    slow = {"path": "/login", "rate": "6r/m"}
    text = nginx_rate_limit([{"rate": "30r/m"}, slow, {"path": "/quick", "rate": "60r/m"}])
    pauses, header = find(parse(text), "map")[-2:]
    entries = [("default", ["1"], None), ("general", ["2"], None), ("login", ["10"], None)]
    assert pauses[1:] == (["$balancer_limit", "$balancer_limit_pause"], entries)
    assert ("429:", ["$balancer_limit_pause"], None) in header[2]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/_a-B_/", "a_b"),
        ("/Xx/", "xx"),
        ("/a1/", "a1"),
        ("/1a/", "path_1a"),
        ("/none/", "path_none"),
        ("/X", "x"),
        ("/" + "a" * 40, "a" * 32),
    ],
)
def test_a_limit_without_a_name_is_called_after_its_path(path: str, name: str) -> None:
    text = nginx_rate_limit([{"rate": 1, "path": path}], connection_limit=0)
    assert args_of(text, "limit_req") == [[f"zone={name}", "burst=20", "nodelay"]]


def test_no_limits_at_all_are_no_text() -> None:
    assert nginx_rate_limit([], connection_limit=0) == ""
    assert not NO_LIMITS
    assert args_of(nginx_rate_limit([]), "limit_conn") == [["connections", "20"]]


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        ("10r/s", "10r/s"),
        ("90r/m", "90r/m"),
        (10, "10r/s"),
        ("10", "10r/s"),
        (2.0, "2r/s"),
        (0.5, "30r/m"),
        (1.5, "90r/m"),
    ],
)
def test_rates(rate: object, text: str) -> None:
    assert parse_rate(rate, "rate") == text


WRONG_TEXTS = ["10r/x", "r/s", "0r/s", "-1r/s", "1.5r/s", "10 r/s", "10r/s;", "", "١r/s"]
WRONG_NUMBERS = [True, 0, -1, 0.001, float("inf"), float("nan"), 10**9]


@pytest.mark.parametrize("rate", [*WRONG_TEXTS, *WRONG_NUMBERS, None, [], {}])
def test_a_rate_that_nginx_does_not_know_is_named(rate: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        rate_limit([{"rate": rate}])
    assert str(caught.value) == (
        f"rate_limits[0].rate: {rate!r} is not allowed: a whole number from 1 to 999999 with r/s or"
        " r/m, such as 10r/s or 90r/m. Set the variable rate_limits."
    )


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"brust": 5}, "rate_limits[0]: 'brust' is not allowed: the keys are name, path, rate,"),
        ({"burst": -1}, "rate_limits[0].burst: -1 is not allowed: a whole number from 0 to"),
        ({"burst": 2.5}, "rate_limits[0].burst: 2.5 is not allowed: a whole number from 0 to"),
        ({"delay": 21}, "rate_limits[0].delay: 21 is not allowed: nodelay or a whole number"),
        ({"name": "a b"}, "rate_limits[0].name: 'a b' is not allowed: 1 to 40 lower-case"),
        (
            {"name": "default"},
            "rate_limits[0].name: 'default' is not allowed: any name but none, connections, pause,",
        ),
        ({"path": "api"}, "rate_limits[0].path: 'api' is not allowed: a path that begins with /"),
        ({"path": "/a;b"}, "rate_limits[0].path: '/a;b' is not allowed: a path that begins with /"),
        ({"path": "/a/../b"}, "rate_limits[0].path: '/a/../b' is not allowed: a path without //"),
        ({"zone_size": "ten"}, "rate_limits[0].zone_size: 'ten' is not allowed: a size such as"),
    ],
)
def test_a_fault_in_a_limit_is_named(fault: dict[str, object], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        nginx_rate_limit([{"rate": 1, **fault}])
    assert str(caught.value).startswith(f"nginx_rate_limit: {message}")
    assert str(caught.value).endswith("Set the variable rate_limits.")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("10r/s", "rate_limits: '10r/s' is not allowed: a list of limits: {path, rate, burst}."),
        (["10r/s"], "rate_limits[0]: '10r/s' is not allowed: a mapping with keys of name, path,"),
        ([{}], "rate_limits[0]: {} is not allowed: a mapping with a rate, such as {path: /,"),
        ([{"rate": 1}, {"rate": 2}], "rate_limits[1].path: '/' is not allowed: each path once."),
        (
            [{"rate": 1, "path": "/a"}, {"rate": 2, "path": "/a/"}],
            "rate_limits[1].name: 'a' is not allowed: each name once.",
        ),
    ],
)
def test_a_fault_in_the_list_is_named(limits: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        nginx_rate_limit(limits)
    assert str(caught.value).startswith(f"nginx_rate_limit: {message}")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("exempt_paths", "/a", "exempt_paths: '/a' is not allowed: a list of paths."),
        ("exempt_paths", ["a"], ": exempt_paths: 'a' is not allowed: a path that begins with /"),
        ("dry_run", "maybe", ": rate_limits_dry_run: 'maybe' is not allowed: true or false."),
        (
            "connection_limit",
            "many",
            "connection_limit: 'many' is not allowed: a whole number from 0 to",
        ),
        ("exempt", ["10.0.0.1/8"], "rate_limit_exempt[0]: '10.0.0.1/8' is not allowed: an address"),
        ("exempt", "10.0.0.1", "rate_limit_exempt: '10.0.0.1' is not allowed: a list of addresses"),
    ],
)
def test_errors_of_the_options_name_the_variable(option: str, value: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"Set the variable \w+\.$") as caught:
        nginx_rate_limit([], **{option: value})
    assert message in str(caught.value)


limit_paths = st.from_regex(r"/([a-z0-9._~-]{1,8}/){0,3}", fullmatch=True).filter(
    lambda path: not any(part in (".", "..") for part in path.split("/"))
)
limits = st.lists(
    st.fixed_dictionaries(
        {"path": limit_paths, "rate": st.integers(1, 1000)}, optional={"burst": st.integers(0, 99)}
    ),
    max_size=5,
    unique_by=lambda limit: limit["path"],
).map(lambda found: [{**limit, "name": f"n{index}"} for index, limit in enumerate(found)])


@given(limits, st.randoms())
def test_the_order_of_the_limits_does_not_matter(given_limits: list[Any], random: Any) -> None:
    shuffled = list(given_limits)
    random.shuffle(shuffled)
    assert nginx_rate_limit(shuffled) == nginx_rate_limit(given_limits)


HOSTILE = ["1;", "/a{", "/b}", "/$pid", "/x\ny", "/x y", "/#", '/"', "10r/s; return 200"]


@given(
    st.sampled_from(["name", "path", "rate", "burst", "delay", "zone_size"]),
    st.text(max_size=30) | st.sampled_from(HOSTILE),
)
def test_a_hostile_value_never_adds_a_directive(key: str, value: str) -> None:
    benign = {"name": "x", "path": "/x", "rate": "10r/s"}
    skeleton = names(parse(nginx_rate_limit([benign])))
    try:
        text = nginx_rate_limit([{**benign, key: value}])
    except AnsibleFilterError:
        return
    # A slow rate has one map more, of ours; the keys of maps are data.
    shape = [entry[0] for entry in names(parse(text))]
    if "$balancer_limit_pause" in text:
        shape.remove("map")
    assert shape == [entry[0] for entry in skeleton]


# Clients


def counted_as(address: str) -> str:
    """What nginx's map makes of an address."""
    for pattern in NETWORK_PATTERNS:
        match = re.match("^" + pattern.replace("?<", "?P<"), address)
        if match and "." not in address:
            return match["balancer_network"]
    return address


HOSTS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 1 << 48, (1 << 48) + 1, 1 << 16])
GROUPS = st.integers(0, 0xFFFF) | st.just(0)


@given(GROUPS, GROUPS, HOSTS, HOSTS)
def test_addresses_of_one_network_are_counted_as_one(
    third: int, fourth: int, one: int, other: int
) -> None:
    network = (0x2001_0DB8 << 96) | (third << 80) | (fourth << 64)
    first, second = (str(ipaddress.IPv6Address(network | host)) for host in (one, other))
    assert counted_as(first) == counted_as(second)
    neighbour = str(ipaddress.IPv6Address((network ^ (1 << 64)) | one))
    assert counted_as(first) != counted_as(neighbour)


@given(st.ip_addresses(v=6), st.ip_addresses(v=6))
def test_two_networks_are_never_counted_as_one(one: Any, other: Any) -> None:
    if int(one) >> 64 != int(other) >> 64:
        assert counted_as(str(one)) != counted_as(str(other))


def test_ipv4_is_counted_by_the_whole_address() -> None:
    assert counted_as("192.0.2.7") == "192.0.2.7"
    assert counted_as("::ffff:192.0.2.7") == "::ffff:192.0.2.7"


def test_a_dry_run_only_logs() -> None:
    text = nginx_rate_limit([{"rate": 1}], dry_run=True)
    assert args_of(text, "limit_req_dry_run") == [["on"]]
    assert args_of(text, "limit_conn_dry_run") == [["on"]]
    assert "dry_run" not in nginx_rate_limit([{"rate": 1}])
    assert "dry_run" not in render(RateLimits.parse([{"rate": 1}]).enforcement())
    alone = nginx_rate_limit([{"rate": 1}], connection_limit=0, dry_run=True)
    assert args_of(alone, "limit_conn_dry_run") == []
