# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members to an upstream."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.filter import nginx_upstream as face
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import render, simple
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_upstream import (
    Member,
    parse_members,
    upstream,
    upstream_block,
)
from tests.unit.nginx_tree import find, names, parse

nginx_upstream = face.FilterModule().filters()["nginx_upstream"]

addresses = st.ip_addresses().map(str)
ports = st.integers(1, 65535)
members = st.fixed_dictionaries(
    {"address": addresses, "port": ports},
    optional={
        "name": st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True),
        "weight": st.integers(1, 1000),
        "max_conns": st.integers(0, 1000),
        "drain": st.booleans(),
    },
)
unique_members = st.lists(members, max_size=8, unique_by=lambda m: (m["address"], m["port"]))


def servers(given_members: object) -> list[list[str]]:
    return [
        args
        for _name, args, _children in find(
            parse(nginx_upstream(given_members)), "upstream", "server"
        )
    ]


def test_a_whole_upstream() -> None:
    given_members = [
        "172.18.0.10:8000",
        {"address": "172.18.0.9", "port": 8000, "name": "chatbot-app-1"},
        {"address": "fd00::3", "port": "8000", "weight": 3, "max_conns": 100},
        {"address": "app.internal", "port": 80, "backup": True},
        {"address": "172.18.0.11", "port": 8000, "drain": "yes", "slot": 2},
    ]
    assert (
        nginx_upstream(given_members, name="chatbot-2", keepalive=16, keepalive_timeout=30)
        == """\
upstream chatbot-2 {
    zone chatbot-2 256k;
    least_conn;
    server 172.18.0.9:8000 max_fails=0;  # chatbot-app-1
    server 172.18.0.10:8000 max_fails=0;
    server 172.18.0.11:8000 max_fails=0 route=2 drain;
    server [fd00::3]:8000 max_fails=0 weight=3 max_conns=100;
    server app.internal:80 max_fails=0 backup;
    keepalive 16;
    keepalive_requests 100000;
    keepalive_timeout 30s;
}
"""
    )


def test_without_members_nothing_is_up() -> None:
    assert servers([]) == [["127.0.0.1:9", "down"]]
    assert (
        nginx_upstream([])
        == """\
upstream app {
    zone app 256k;
    least_conn;
    server 127.0.0.1:9 down;  # no members: answer 502
    keepalive 64;
    keepalive_requests 100000;
    keepalive_timeout 60s;
}
"""
    )


def test_what_includes_its_servers_is_the_same_around_them() -> None:
    assert (
        render([upstream_block([simple("include", "members.conf")], "app")])
        == """\
upstream app {
    zone app 256k;
    least_conn;
    include members.conf;
    keepalive 64;
    keepalive_requests 100000;
    keepalive_timeout 60s;
}
"""
    )


def test_members_are_ordered_by_their_numbers_and_backups_come_last() -> None:
    given_members = [
        {"address": "10.0.0.1", "port": 79, "backup": True},
        "b.internal:80",
        "a.internal:81",
        "a.internal:80",
        "[::1]:80",
        "10.0.0.10:80",
        "10.0.0.9:8080",
        "10.0.0.9:80",
    ]
    assert [args[0] for args in servers(given_members)] == [
        "10.0.0.9:80",
        "10.0.0.9:8080",
        "10.0.0.10:80",
        "[::1]:80",
        "a.internal:80",
        "a.internal:81",
        "b.internal:80",
        "10.0.0.1:79",
    ]


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        ("port", 1, 65535),
        ("weight", 1, 1000),
        ("max_conns", 0, 1_000_000),
        ("slot", 0, 100_000),
    ],
)
def test_the_figures_of_a_member_have_bounds(key: str, lowest: int, highest: int) -> None:
    member = {"address": "10.0.0.1", "port": 80}
    for good in (lowest, highest):
        (parsed,) = parse_members([{**member, key: good}])
        assert getattr(parsed, key) == good
    for bad in (lowest - 1, highest + 1):
        with pytest.raises(LoadBalancingError) as caught:
            parse_members([{**member, key: bad}])
        assert str(caught.value) == (
            f"members[0].{key}: {bad} is not allowed: a whole number from {lowest} to {highest}. "
            "Set the variable members."
        )


@pytest.mark.parametrize("key", ["backup", "drain"])
def test_the_marks_of_a_member_are_true_or_false(key: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        parse_members([{"address": "10.0.0.1", "port": 80, key: "maybe"}])
    assert str(caught.value) == (
        f"members[0].{key}: 'maybe' is not allowed: true or false. Set the variable members."
    )


@pytest.mark.parametrize(
    ("option", "lowest", "highest"),
    [
        ("keepalive", 0, 10_000),
        ("keepalive_requests", 1, 1_000_000_000),
        ("keepalive_timeout", 1, 86_400),
    ],
)
def test_the_options_have_bounds(option: str, lowest: int, highest: int) -> None:
    for good in (lowest, highest):
        assert f" {option} {good}" in nginx_upstream([], **{option: good})
    for bad in (lowest - 1, highest + 1):
        with pytest.raises(LoadBalancingError) as caught:
            upstream([], **{option: bad})
        assert str(caught.value) == (
            f"{option}: {bad} is not allowed: a whole number from {lowest} to {highest}. "
            f"Set the variable {option}."
        )


def test_the_size_of_the_shared_memory() -> None:
    assert " zone app 1m;" in nginx_upstream([], zone_size="1M")
    with pytest.raises(LoadBalancingError, match=r"^zone_size: 'big' is not allowed: a size such"):
        upstream([], zone_size="big")


def test_a_list_under_another_name_is_named_so() -> None:
    with pytest.raises(LoadBalancingError, match=r"^replicas\[0\]: 'x' is not allowed: host:port"):
        parse_members(["x"], "replicas")


def test_a_member_has_an_address_and_a_port() -> None:
    with pytest.raises(LoadBalancingError, match="a mapping with address and port, or host:port"):
        parse_members([{"address": "10.0.0.1"}])


def test_a_name_that_cannot_be_printed_is_refused() -> None:
    with pytest.raises(LoadBalancingError):
        parse_members([{"address": "10.0.0.1", "port": 80, "name": "a\nb"}])


def test_without_keepalive_it_is_switched_off() -> None:
    children = find(parse(nginx_upstream(["10.0.0.1:80"], keepalive=0)), "upstream")[0][2]
    assert [child[:2] for child in children][-1] == ("keepalive", ["0"])


@given(unique_members, st.randoms())
def test_the_order_of_the_members_does_not_matter(given_members: list[Any], random: Any) -> None:
    shuffled = list(given_members)
    random.shuffle(shuffled)
    assert nginx_upstream(shuffled) == nginx_upstream(given_members)


@given(unique_members)
def test_every_member_is_there_once(given_members: list[Any]) -> None:
    found = servers(given_members)
    assert len(found) == max(1, len(given_members))
    assert all("max_fails=0" in args or "down" in args for args in found)


@given(unique_members.filter(bool))
def test_text_and_mapping_mean_the_same(given_members: list[Any]) -> None:
    plain = [{"address": one["address"], "port": one["port"]} for one in given_members]
    texts = [Member(one["address"], one["port"]).endpoint for one in plain]
    assert nginx_upstream(texts) == nginx_upstream(plain)


@given(
    st.sampled_from(["address", "port", "name", "weight", "max_conns", "backup", "drain", "slot"]),
    st.text(max_size=30) | st.sampled_from(["1;", "a{", "b}", "$pid", "x\ny", "8000 backup", "#"]),
)
def test_a_hostile_value_never_adds_a_directive(key: str, value: str) -> None:
    benign = {"address": "10.0.0.1", "port": 80}
    skeleton = names(parse(nginx_upstream([benign])))
    try:
        text = nginx_upstream([{**benign, key: value}])
    except AnsibleFilterError:
        return
    assert names(parse(text)) == skeleton


@given(st.text(max_size=40))
def test_a_hostile_member_or_name_never_adds_a_directive(text: str) -> None:
    skeleton = names(parse(nginx_upstream(["10.0.0.1:80"])))
    for given_members, name in (([text], "app"), (["10.0.0.1:80"], text)):
        try:
            rendered = nginx_upstream(given_members, name=name)
        except AnsibleFilterError:
            continue
        assert names(parse(rendered)) == skeleton


@pytest.mark.parametrize(
    ("given_members", "message"),
    [
        (
            ["10.0.0.1"],
            "members[0]: '10.0.0.1' is not allowed: host:port, such as 172.18.0.3:8000 or"
            " [fd00::3]:8000. Set the variable members.",
        ),
        (
            ["10.0.0.1:70000"],
            "members[0].port: '70000' is not allowed: a whole number from 1 to 65535."
            " Set the variable members.",
        ),
        (
            ["10.0.0.256:80"],
            "members[0].address: '10.0.0.256' is not allowed: an IPv4 address, an IPv6 address or a"
            " host name. Set the variable members.",
        ),
        (
            ["[fe80::1%eth0]:80"],
            "members[0].address: '[fe80::1%eth0]' is not allowed: an IPv4 address, an IPv6 address"
            " or a host name. Set the variable members.",
        ),
        (
            [{"address": "10.0.0.1", "port": 80, "wieght": 2}],
            "members[0]: 'wieght' is not allowed: the keys are address, port, name, weight,"
            " max_conns, backup, drain, slot. Set the variable members.",
        ),
        (
            [{"port": 80}],
            "members[0]: {'port': 80} is not allowed: a mapping with address and port, or"
            " host:port. Set the variable members.",
        ),
        (
            ["10.0.0.1:80", {"address": "10.0.0.1", "port": 80}],
            "members[1]: '10.0.0.1:80' is not allowed: each member once. Set the variable members.",
        ),
        (
            [{"address": f"10.0.0.{n}", "port": 80, "slot": slot} for n, slot in enumerate("0012")]
            + [{"address": "10.0.0.9", "port": 80, "slot": 1}],
            "members[4].slot: 1 is not allowed: each slot once. Set the variable members.",
        ),
        (
            [{"address": "10.0.0.1", "port": 80, "backup": True}],
            "members: every member is a backup. Make at least one a member without backup.",
        ),
        (
            "10.0.0.1:80",
            "members: '10.0.0.1:80' is not allowed: a list of members: {address, port} or"
            " host:port. Set the variable members.",
        ),
    ],
)
def test_errors_say_what_is_wrong(given_members: object, message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        upstream(given_members)
    assert str(caught.value) == message
    with pytest.raises(AnsibleFilterError, match=r"^nginx_upstream: members"):
        nginx_upstream(given_members)


@pytest.mark.parametrize("name", ["", "a b", "a;b", "$x", "a{", "-a", "a\n", "n" * 64])
def test_a_name_that_nginx_would_misread_is_refused(name: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        upstream([], name)
    assert str(caught.value).startswith(f"name: {name!r} is not allowed: letters, digits")


def test_an_unknown_option_of_the_filter_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="keep_alive"):
        nginx_upstream([], keep_alive=3)


def test_the_directive_and_the_filter_agree() -> None:
    assert render([upstream(["10.0.0.1:80"], "x")]) == nginx_upstream(["10.0.0.1:80"], "x")
    assert render([upstream([])]) == nginx_upstream([])
