# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balancer's files: what they say for which input, and which input is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    generation_file,
    render,
    upstream_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.nginx_tree import Tree, find, parse

BASE: dict[str, Any] = {"stack_name": "chatbot", "http_port": 8080}


def spec(**given_values: object) -> BalancerSpec:
    return BalancerSpec.from_mapping({**BASE, **given_values})


def tree(**given_values: object) -> list[Tree]:
    return parse(render(spec(**given_values))["nginx.conf"])


def args(trees: list[Tree], *path: str) -> list[list[str]]:
    return [found[1] for found in find(trees, *path)]


def server(trees: list[Tree], index: int = 0) -> list[Tree]:
    children: list[Tree] = find(trees, "http", "server")[index][2]
    return children


def location(trees: list[Tree], name: str) -> list[Tree]:
    found = [loc for loc in find(server(trees), "location") if loc[1][-1] == name]
    assert len(found) == 1, name
    children: list[Tree] = found[0][2]
    return children


def test_the_smallest_mapping_gives_the_documented_defaults() -> None:
    found = spec()
    assert (found.status_port, found.server_names, found.ipv6) == (18080, ("_",), True)
    assert [(one.path, one.rate, one.burst) for one in found.limits.limits] == [
        ("/", "10r/s", 20),
        ("/api/", "30r/s", 50),
    ]
    assert found.limits.connections == 20
    assert spec(http_port=60000, status_port=1).status_port == 1
    assert spec(**dict.fromkeys(["status_port", "rate_limits", "stream_paths", "ipv6"])) == found


def test_the_same_input_gives_the_same_text_and_only_the_static_file() -> None:
    first, second = (render(spec(trusted_proxies=order)) for order in (["::1", "10.0.0.1"],) * 2)
    assert list(first) == ["nginx.conf"]
    assert first == second == render(spec(trusted_proxies=["10.0.0.1", "::1", "10.0.0.1"]))


def test_main_context() -> None:
    trees = tree(drain_timeout=90)
    assert args(trees, "user") == [["nobody", "nogroup"]]
    assert args(trees, "worker_shutdown_timeout") == [["90s"]]
    assert args(trees, "error_log") == [["stderr", "warn"]]
    assert args(trees, "http", "include") == [["maintenance.conf"], ["generation.conf"]]
    assert args(trees, "http", "upstream", "include") == [["upstream.conf"]]


def test_listeners_are_explicit_and_loopback_only_for_the_status() -> None:
    trees = tree()
    assert args(server(trees), "listen") == [
        ["0.0.0.0:8080", "default_server", "reuseport", "backlog=4096"],
        ["[::]:8080", "default_server", "ipv6only=on", "reuseport", "backlog=4096"],
    ]
    assert args(server(trees, 1), "listen") == [
        ["127.0.0.1:18080", "reuseport"],
        ["unix:/run/status.sock"],
    ]
    assert len(args(server(tree(ipv6=False)), "listen")) == 1


def test_named_servers_refuse_other_names_but_not_this_machine() -> None:
    trees = tree(server_names=["Chat.example.org", "*.example.org"], ipv6=False)
    assert args(server(trees), "server_name") == [
        ["*.example.org", "chat.example.org", "localhost", "127.0.0.1", "[::1]"]
    ]
    assert args(server(trees), "listen") == [["0.0.0.0:8080"]]
    assert args(server(trees, 1), "listen") == [
        ["0.0.0.0:8080", "default_server", "reuseport", "backlog=4096"]
    ]
    assert args(server(trees, 1), "return") == [["421"]]


def test_names_are_written_as_nginx_compares_them() -> None:
    names = ["2001:DB8::1", "Chat.Example.ORG.", "x.example.org"]
    assert spec(server_names=names).server_names == (
        *("[2001:db8::1]", "chat.example.org", "x.example.org"),
    )


def test_any_name_is_enough_by_itself() -> None:
    trees = tree(server_names=["chat.example.org", "_"])
    assert args(server(trees), "server_name") == [["_"]]


def test_limits_exempt_the_health_path_and_can_be_switched_off() -> None:
    trees = tree(health_path="/up")
    chosen = [one for one in find(trees, "http", "map") if one[1] == ["$uri", "$balancer_limit"]]
    assert [entry[0] for entry in chosen[0][2]] == ["default", "~^/up$", "~^/api/", "~^/"]
    off = tree(rate_limits_enabled=False)
    assert args(off, "http", "limit_req_zone") == args(off, "http", "limit_conn_zone") == []
    assert args(server(off), "limit_req") == args(server(off), "limit_conn") == []
    assert args(server(off), "add_header")[0][0] == "Retry-After"


def test_the_client_is_who_connects_unless_a_trusted_proxy_says_otherwise() -> None:
    def header(trees: list[Tree], name: str) -> str:
        (value,) = [rest for key, rest in args(server(trees), "proxy_set_header") if key == name]
        return value

    trees = tree()
    assert args(trees, "http", "set_real_ip_from") == []
    assert header(trees, "X-Forwarded-For") == "$remote_addr"
    assert header(trees, "X-Forwarded-Proto") == "$scheme"
    trees = tree(trusted_proxies=["192.0.2.0/24", "2001:db8::/32"])
    assert args(trees, "http", "set_real_ip_from") == [["192.0.2.0/24"], ["2001:db8::/32"]]
    assert header(trees, "X-Forwarded-For") == "$remote_addr"
    assert header(trees, "X-Forwarded-Proto") == "$balancer_forwarded_proto"


def test_only_replayable_requests_are_sent_twice() -> None:
    trees = tree()
    usual = ["error", "timeout", "http_502", "http_503", "http_504"]
    assert args(server(trees), "proxy_next_upstream") == [usual]
    assert args(location(trees, "/"), "proxy_next_upstream") == []
    assert args(location(trees, "@replay"), "proxy_next_upstream") == [[*usual, "non_idempotent"]]
    assert args(server(trees), "proxy_next_upstream_tries") == [["3"]]
    assert args(server(trees), "proxy_next_upstream_timeout") == [["30s"]]
    assert args(server(trees), "proxy_connect_timeout") == [["1s"]]


def test_stream_paths_are_not_buffered_and_may_be_silent_for_long() -> None:
    trees = tree(stream_paths=["/events"], read_timeout=7200)
    for name in ("/events", "@stream", "@replay_stream"):
        assert args(location(trees, name), "proxy_buffering") == [["off"]]
        assert args(location(trees, name), "proxy_read_timeout") == [["7200s"]]
    assert args(location(trees, "/"), "proxy_buffering") == []
    everything = tree(stream_paths=["/"])
    assert args(location(everything, "/"), "proxy_buffering") == [["off"]]


def test_a_stack_without_api_or_stream_paths() -> None:
    trees = tree(stream_paths=[], api_paths=[])
    assert args(server(trees), "location")[0] == ["/"]
    formats = [one for one in find(trees, "http", "map") if "$balancer_error_format" in one[1]]
    assert formats[0][2] == [("default", ["$balancer_accepted_format"], None)]


def test_the_access_log_is_json_without_the_query_string() -> None:
    ((name, escape, *words),) = args(tree(), "http", "log_format")
    line = "".join(words)
    assert (name, escape) == ("balancer", "escape=json")
    assert (line[0], line[-1]) == ("{", "}")
    assert '"uri":"$uri"' in line
    assert not any(word in line for word in ("$request_uri", "$args", "$query_string"))


def test_the_members_file() -> None:
    text = upstream_file([{"address": "172.18.0.3", "port": 8000, "name": "chatbot-app-1"}])
    assert (
        text
        == """\
# The members: replicas that get requests.
# Written by digiz.load_balancing: the next deploy replaces changes made here.

server 172.18.0.3:8000 max_fails=0;  # chatbot-app-1
"""
    )
    assert args(parse(upstream_file([])), "server") == [["127.0.0.1:9", "down"]]


def test_the_upstream_holds_whoever_is_in_the_members_file() -> None:
    trees = tree(upstream_keepalive=8, upstream_keepalive_timeout=20)
    ((name, words, inside),) = find(trees, "http", "upstream")
    assert (name, words) == ("upstream", ["app"])
    assert [(one[0], one[1]) for one in inside or []] == [
        ("zone", ["app", "256k"]),
        ("least_conn", []),
        ("include", ["upstream.conf"]),
        ("keepalive", ["8"]),
        ("keepalive_requests", ["100000"]),
        ("keepalive_timeout", ["20s"]),
    ]


def test_the_generation_file() -> None:
    assert parse(generation_file(17)) == [
        ("map", ["$pid", "$balancer_generation"], [("default", ["17"], None)])
    ]
    assert "default 0;" in generation_file(0)
    with pytest.raises(LoadBalancingError, match=r"^generation: -1 is not allowed"):
        generation_file(-1)


@pytest.mark.parametrize(
    ("given_values", "front", "message"),
    [
        (
            {"stack_name": "a;b"},
            "stack_name",
            "'a;b' is not allowed: 1 to 40 lower-case letters, digits, - and _, beginning with a"
            " letter or a digit",
        ),
        (
            {"http_port": 0},
            "balancer_http_port",
            "0 is not allowed: a whole number from 1 to 65535",
        ),
        (
            {"http_port": 60000},
            "balancer_status_port",
            "a value is needed: its default, balancer_http_port + 10000, is above 65535",
        ),
        (
            {"status_port": 8080},
            "balancer_status_port",
            "8080 is not allowed: another port than balancer_http_port",
        ),
        ({"http_port": None}, "balancer_http_port", "a value is needed"),
        (
            {"body_size": "25 MB"},
            "balancer_body_size",
            "'25 MB' is not allowed: a size such as 512k, 25m or 1g",
        ),
        (
            {"keepalive_timeout": 5},
            "balancer_keepalive_min_timeout",
            "10 is not allowed: at most balancer_keepalive_timeout, which is 5",
        ),
        ({"stream_paths": "/ws"}, "balancer_stream_paths", "'/ws' is not allowed: a list of paths"),
        (
            {"health_path": "/health?full=1"},
            "app_health_path",
            "'/health?full=1' is not allowed: a path that begins with /, of letters, digits and"
            " ._~!&()*+,=:@/-",
        ),
        ({"ipv6": "perhaps"}, "balancer_ipv6", "'perhaps' is not allowed: true or false"),
        (
            {"rate_limits_enabled": "perhaps"},
            "rate_limits_enabled",
            "'perhaps' is not allowed: true or false",
        ),
        (
            {"server_names": "chat.example.org"},
            "balancer_server_names",
            "'chat.example.org' is not allowed: a list of names",
        ),
    ],
)
def test_errors_name_the_variable_of_the_operator(
    given_values: Any, front: str, message: str
) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        spec(**given_values)
    assert str(caught.value) == f"{front}: {message}. Set the variable {front}."


@pytest.mark.parametrize(
    ("given_values", "where", "message"),
    [
        (
            {"server_names": ["ok", "a b"]},
            "balancer_server_names[1]",
            "'a b' is not allowed: a host name such as chat.example.org, *.example.org, or _ for"
            " any name",
        ),
        (
            {"server_names": [1]},
            "balancer_server_names[0]",
            "1 is not allowed: a host name such as chat.example.org, *.example.org, or _ for"
            " any name",
        ),
        (
            {"trusted_proxies": ["everyone"]},
            "trusted_proxies[0]",
            "'everyone' is not allowed: an address such as 203.0.113.7 or a network such as"
            " 10.0.0.0/8 or 2001:db8::/32",
        ),
        (
            {"rate_limits": [{"rate": "10r/x"}], "rate_limits_enabled": False},
            "rate_limits[0].rate",
            "'10r/x' is not allowed: a whole number from 1 to 999999 with r/s or r/m, such as 10r/s"
            " or 90r/m",
        ),
    ],
)
def test_errors_in_lists_name_the_place(given_values: Any, where: str, message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        spec(**given_values)
    front = where.split("[", maxsplit=1)[0]
    assert str(caught.value) == f"{where}: {message}. Set the variable {front}."


def test_what_is_just_allowed() -> None:
    assert spec(http_port=55_535).status_port == 65_535
    assert spec(keepalive_timeout=10, keepalive_min_timeout=10).keepalive_timeout == 10


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(LoadBalancingError, match=r"^balancer: 'prot' is not allowed: the keys are"):
        spec(prot=1)


MARKS = [";", "{", "}", "\n", "\0", "$host", "`"]
HOSTILE = [*MARKS, *(f"/{mark}" for mark in (*MARKS, "a; return 200", " b", '"', "'", "#", "\\"))]
TEXT_FIELDS = ["stack_name", "health_path", "body_size", "http_port", "drain_timeout"]
LIST_FIELDS = ["server_names", "trusted_proxies", "rate_limit_exempt", "stream_paths", "api_paths"]
BENIGN: dict[str, Any] = {
    "server_names": ["example.org"],
    "trusted_proxies": ["10.0.0.1"],
    "rate_limit_exempt": ["10.0.0.1"],
    "stream_paths": ["/ws"],
    "api_paths": ["/api/"],
    "ipv6": False,
}


def shape(trees: list[Tree]) -> list[Any]:
    """All names outside of maps and geos, whose keys are data."""
    return [
        (name, None if inner is None or name in ("map", "geo") else shape(inner))
        for name, _args, inner in trees
    ]


BENIGN_SHAPE = shape(tree(**BENIGN))


@given(st.sampled_from(TEXT_FIELDS + LIST_FIELDS), st.sampled_from(HOSTILE) | st.text(max_size=20))
def test_a_hostile_value_never_adds_a_directive(field: str, text: str) -> None:
    try:
        found = tree(**{**BENIGN, field: [text] if field in LIST_FIELDS else text})
    except LoadBalancingError:
        return
    if (field, text) in (("stream_paths", "/"), ("server_names", "_")):
        return
    assert shape(found) == BENIGN_SHAPE
