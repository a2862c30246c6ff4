# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every configuration, read by a parser and judged by a scanner that aren't ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_http import (
    http_sections,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_servers import (
    http_servers,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import Directive
from tests.unit.balancer_inputs import HOSTILE, HOSTILE_FIELDS, HOSTILE_PARTS, VALID, inputs
from tests.unit.examples import examples
from tests.unit.nginx_tree import Tree, find, parse

EXAMPLES = examples(500)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
BENIGN: dict[str, Any] = {
    "stack_name": "shop",
    "http_port": 8080,
    "tls_mode": "acme",
    "tls_hsts": 300,
    "tls_http3": True,
    "server_names": ["shop.example"],
    "trusted_proxies": ["10.0.0.1"],
    "rate_limit_exempt": ["10.0.0.1"],
    "sticky": "cookie",
    "api_key_tiers": {"gold": {"rate": "1r/s"}},
    "paths": [{"path": "/a", "read_timeout": 5, "body_size": "1m", "buffering": False}],
}
# Variables that carry the name of a limit, a tier or a header, which are letters, digits and _.
NAMED = re.compile(r"\$(?:balancer|http)_[a-z0-9_]+")


def data(directives: Iterable[Directive]) -> list[Tree]:
    """What was meant, in the shape of what is parsed."""
    return [
        (
            one.name,
            [str(word) for word in one.args],
            None if one.children is None else data(one.children),
        )
        for one in directives
    ]


def parsed(trees: list[Tree]) -> list[Tree]:
    """What was read; the parser takes the parentheses of `if` off."""
    return [
        (
            name,
            [f"({' '.join(words)})"] if name == "if" and children else words,
            None if children is None else parsed(children),
        )
        for name, words, children in trees
    ]


def http(spec: BalancerSpec) -> list[Tree]:
    children: list[Tree] = find(parse(render(spec)["nginx.conf"]), "http")[0][2]
    return parsed(children)


def variables(trees: list[Tree]) -> set[str]:
    """All variables that nginx would read."""
    found: set[str] = set()
    for _name, words, children in trees:
        found |= {one for word in words for one in re.findall(r"\$\{?\w+", word)}
        found |= variables(children or [])
    return {one for one in found if not NAMED.fullmatch(one)}


def directives(trees: list[Tree]) -> set[str]:
    """All names, but the entries of maps and geos, which are data."""
    found = {name for name, _words, _children in trees}
    for name, _words, children in trees:
        if name not in ("map", "geo", "split_clients"):
            found |= directives(children or [])
    return found


def test_the_strategies_know_every_key() -> None:
    with pytest.raises(LoadBalancingError) as caught:
        BalancerSpec.from_mapping({"no such key": 1})
    listed = str(caught.value).partition("the keys are ")[2].partition(". Set")[0]
    assert set(VALID) == set(listed.split(", "))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(inputs())
def test_every_word_of_a_valid_input_is_read_back_as_it_was(values: dict[str, Any]) -> None:
    spec = BalancerSpec.from_mapping(values)
    found = http(spec)
    assert found == data([*http_sections(spec), *http_servers(spec)])


@settings(max_examples=examples(100), deadline=None, suppress_health_check=SLOW)
@given(inputs())
def test_no_location_loses_the_headers_of_its_server(values: dict[str, Any]) -> None:
    """A location with an `add_header` of its own would inherit none, unless told to merge."""
    for _name, _words, children in find(http(BalancerSpec.from_mapping(values)), "server"):
        merged = ("add_header_inherit", ["merge"], None) in children
        for location in find(children, "location"):
            assert merged or not find(location[2], "add_header"), location


KNOWN = http(BalancerSpec.from_mapping(BENIGN))
ATTACKED = [
    *((key, make) for key, make in HOSTILE_FIELDS.items()),
    *((key, make) for key, make in HOSTILE_PARTS.values()),
]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(ATTACKED), HOSTILE)
def test_no_injected_directive_survives(attacked: tuple[str, Any], text: str) -> None:
    key, make = attacked
    try:
        spec = BalancerSpec.from_mapping({**BENIGN, key: make(text)})
    except LoadBalancingError:
        return
    found = http(spec)
    assert found == data([*http_sections(spec), *http_servers(spec)])
    assert variables(found) <= variables(KNOWN)
    assert directives(found) <= directives(KNOWN) | {"proxy_pass", "client_max_body_size"}
