# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of single paths, and the locations that they become."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_paths import (
    PathRule,
    Treatment,
    parse_paths,
    treatments,
    without_slash,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.nginx_tree import Tree, find, names, parse

BASE = {"stack_name": "shop", "http_port": 8080}
USUAL = 300

paths = st.lists(st.sampled_from("ab/"), max_size=5).map(
    lambda letters: "/" + "".join(letters).replace("//", "/").replace("//", "/").lstrip("/")
)
rules = st.lists(
    st.builds(
        PathRule,
        paths,
        st.sampled_from([None, "1m", "100m"]),
        st.sampled_from([None, 5, 7200]),
        st.sampled_from([None, True, False]),
    ),
    max_size=5,
    unique_by=lambda rule: rule.path,
)
stream_paths = st.lists(paths, max_size=3, unique=True)


def locations(**values: object) -> dict[str, list[Tree]]:
    """The inside of each location of the application's server, by its words."""
    text = render(BalancerSpec.from_mapping({**BASE, **values}))["nginx.conf"]
    server = find(parse(text), "http", "server")[0]
    return {" ".join(args): inside for _n, args, inside in find(server[2], "location")}


def setting(inside: list[Tree], name: str) -> str | None:
    found = find(inside, name)
    assert len(found) <= 1
    return " ".join(found[0][1]) if found else None


# Which rule counts


@given(rules, stream_paths, paths)
def test_of_several_rules_the_longest_counts(
    given_rules: list[PathRule], streams: list[str], request: str
) -> None:
    found = treatments(given_rules, streams, USUAL)
    chosen = found[max((one for one in found if request.startswith(one)), key=len)]
    fitting = [rule for rule in given_rules if request.startswith(rule.path)]
    rule = max(fitting, key=lambda one: len(one.path), default=PathRule(""))
    stream = max((one for one in streams if request.startswith(one)), key=len, default="")
    assert chosen.body_size == rule.body_size
    if not stream:
        assert chosen.read_timeout == rule.read_timeout
        assert chosen.unbuffered == (rule.buffering is False)
        assert chosen.stream_timeout == (rule.read_timeout or 3600)
    elif len(stream) > len(rule.path):
        assert chosen.all_streams
        assert chosen.stream_timeout == max(3600, rule.read_timeout or 0)
    else:
        assert chosen.unbuffered == (rule.buffering is not True)
        assert chosen.read_timeout == chosen.stream_timeout == (rule.read_timeout or 3600)


@given(rules, stream_paths)
def test_no_path_is_redirected_for_want_of_a_slash(
    given_rules: list[PathRule], streams: list[str]
) -> None:
    found = treatments(given_rules, streams, USUAL)
    exact = without_slash(found)
    for one in found:
        if one != "/" and one.endswith("/"):
            assert one[:-1] in found or one[:-1] in exact
    assert not set(exact) & set(found)


def test_a_path_in_both_has_both() -> None:
    given_rules = [PathRule("/ws", "100m", 900)]
    assert treatments(given_rules, ["/ws"], USUAL)["/ws"] == Treatment("100m", 900, 900, True)


def test_a_stream_path_below_a_rule_has_the_size_of_the_rule() -> None:
    found = treatments([PathRule("/api/", "100m", 900)], ["/api/chat/stream"], USUAL)
    assert found["/api/chat/stream"] == Treatment("100m", 3600, 3600, True)
    assert found["/api/"] == Treatment("100m", 900, 900, False)


def test_a_long_usual_timeout_is_not_shortened_for_streams() -> None:
    assert treatments([], ["/ws"], 7200)["/ws"].read_timeout == 7200


# What nginx gets


def test_without_rules_nothing_is_added() -> None:
    found = locations()
    assert [one for one in found if not one.startswith(("@error", "@maint", "/.well"))] == [
        "/",
        "/api/chat/stream",
        "/ws",
        "@stream",
        "@replay",
        "@replay_stream",
    ]
    assert not any(find(inside, "set") for inside in found.values())


def test_a_rule_holds_in_every_location_that_its_requests_reach() -> None:
    rule = {"path": "/upload/", "body_size": "100m", "read_timeout": 900}
    found = locations(paths=[rule])
    (mark,) = find(found["/upload/"], "set")
    assert mark[1] == ["$balancer_rule", "_1"]
    for name in ("/upload/", "@stream_1", "@replay_1", "@replay_stream_1"):
        assert setting(found[name], "client_max_body_size") == "100m", name
        assert setting(found[name], "proxy_read_timeout") == "900s", name
    assert setting(found["@stream_1"], "proxy_buffering") == "off"
    assert setting(found["@replay_1"], "proxy_buffering") is None
    assert "= /upload" in found
    assert setting(found["= /upload"], "client_max_body_size") is None


def test_without_buffering_only_streams_get_the_long_timeout() -> None:
    found = locations(paths=[{"path": "/llm", "buffering": False}])
    assert setting(found["/llm"], "proxy_buffering") == "off"
    assert setting(found["/llm"], "proxy_read_timeout") is None
    assert setting(found["@replay_1"], "proxy_buffering") == "off"
    assert setting(found["@stream_1"], "proxy_read_timeout") == "3600s"


def test_request_bodies_are_always_read_first_so_that_requests_can_be_retried() -> None:
    text = render(
        BalancerSpec.from_mapping({**BASE, "paths": [{"path": "/x", "buffering": False}]})
    )
    assert "proxy_request_buffering" not in text["nginx.conf"]


def test_rules_of_the_same_kind_share_their_named_locations() -> None:
    rules_alike = [{"path": f"/{n}", "body_size": "1m"} for n in range(5)]
    named = [one for one in locations(paths=rules_alike) if one.startswith("@stream")]
    assert named == ["@stream", "@stream_1"]


@given(rules, stream_paths)
def test_every_detour_has_its_location(given_rules: list[PathRule], streams: list[str]) -> None:
    usable = [vars(rule) for rule in given_rules if set(vars(rule).values()) != {rule.path, None}]
    found = locations(paths=usable, stream_paths=streams)
    for words, inside in found.items():
        if words.startswith("@") or not find(inside, "proxy_pass"):
            continue
        suffix = find(inside, "set")[0][1][1] if find(inside, "set") else ""
        (condition,) = find(inside, "if")
        wanted = ["@replay_stream"]
        if condition[1] == ["($balancer_detour)"]:
            wanted += ["@stream", "@replay"]
        for name in wanted:
            target = found[name + suffix]
            size = setting(inside, "client_max_body_size")
            assert setting(target, "client_max_body_size") == size
        if "@replay" in wanted:
            target = found["@replay" + suffix]
            for name in ("proxy_read_timeout", "proxy_buffering"):
                assert setting(target, name) == setting(inside, name)


# Refusals


@pytest.mark.parametrize(
    ("given_paths", "message"),
    [
        (
            "/x",
            "balancer_paths: '/x' is not allowed: a list of rules."
            " Set the variable balancer_paths.",
        ),
        (
            [{"path": "/x", "bodysize": "1m"}],
            "balancer_paths[0]: 'bodysize' is not allowed: the keys are path, body_size,"
            " read_timeout, buffering. Set the variable balancer_paths.",
        ),
        (
            [{"path": "/x", "body_size": "1m"}, {"body_size": "1m"}],
            "balancer_paths[1]: {'body_size': '1m'} is not allowed: a mapping with path and at"
            " least one of body_size, read_timeout, buffering. Set the variable balancer_paths.",
        ),
        (
            [{"path": "/x"}],
            "balancer_paths[0]: {'path': '/x'} is not allowed: a mapping with path and at"
            " least one of body_size, read_timeout, buffering. Set the variable balancer_paths.",
        ),
        (
            [{"path": "/x", "body_size": "big"}],
            "balancer_paths[0].body_size: 'big' is not allowed: a size such as 512k, 25m or 1g."
            " Set the variable balancer_paths.",
        ),
        (
            [{"path": "/x", "read_timeout": 0}],
            "balancer_paths[0].read_timeout: 0 is not allowed: a whole number from 1 to 86400."
            " Set the variable balancer_paths.",
        ),
        (
            [{"path": "/x", "buffering": "maybe"}],
            "balancer_paths[0].buffering: 'maybe' is not allowed: true or false."
            " Set the variable balancer_paths.",
        ),
        (
            [{"path": "x", "buffering": False}],
            "balancer_paths[0].path: 'x' is not allowed: a path that begins with /, of letters,"
            " digits and ._~!&()*+,=:@/-. Set the variable balancer_paths.",
        ),
        (
            [{"path": "/x", "buffering": False}, {"path": "/x", "body_size": "1m"}],
            "balancer_paths[1].path: '/x' is not allowed: each path once."
            " Set the variable balancer_paths.",
        ),
    ],
)
def test_errors_say_what_is_wrong(given_paths: object, message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        parse_paths({"paths": given_paths})
    assert str(caught.value) == message


@given(
    st.sampled_from(["path", "body_size", "read_timeout", "buffering"]),
    st.text(max_size=30) | st.sampled_from(["/;", "/{", "1m;", "$pid", "/a b", "off;", "/\n"]),
)
def test_a_hostile_value_never_adds_a_directive(key: str, value: str) -> None:
    benign: dict[str, Any] = {
        "path": "/x",
        "body_size": "1m",
        "read_timeout": 10,
        "buffering": False,
    }
    skeleton = names(
        parse(render(BalancerSpec.from_mapping({**BASE, "paths": [benign]}))["nginx.conf"])
    )
    try:
        spec = BalancerSpec.from_mapping({**BASE, "paths": [{**benign, key: value}]})
        text = render(spec)["nginx.conf"]
    except LoadBalancingError:
        return
    if key == "path":
        assert [value] in [args for _n, args, _i in find(parse(text), "http", "server", "location")]
        return
    if key == "buffering" and spec.paths[0].buffering:
        return
    assert names(parse(text)) == skeleton
