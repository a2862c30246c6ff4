# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tiers and known keys: what is rendered, what is refused, and that no key is ever shown."""

from __future__ import annotations

import os
import re
import stat
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.key_store import KeyStore
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import render
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import (
    KeyLimits,
    keys_file,
    parse_keys,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import RateLimits
from tests.unit.nginx_tree import find, parse

SECRET = "Bearer hush-hush"
VISIBLE = string.ascii_letters + string.digits + string.punctuation
KEYS = st.text(VISIBLE, min_size=1, max_size=60)


def test_without_tiers_nothing_is_rendered() -> None:
    limits = RateLimits.parse([], 0, keys=KeyLimits.parse("X-API-Key", {}))
    assert not limits
    assert limits.definitions() == limits.enforcement() == ()


@given(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,9}", fullmatch=True), KEYS))
def test_every_key_is_one_entry_that_fits_it_alone(keys: dict[str, str]) -> None:
    given_keys = {name: {"key": key, "tier": "gold"} for name, key in keys.items()}
    if len(set(keys.values())) < len(keys):
        with pytest.raises(LoadBalancingError):
            parse_keys(given_keys, ["gold"])
        return
    trees = parse(keys_file(parse_keys(given_keys, ["gold"])))
    assert len(trees) == len(keys)
    for pattern, (value,), children in trees:
        assert children is None
        key = keys[value.partition(":")[2]]
        assert [one for one in keys.values() if re.search(pattern[1:], one)] == [key]
        assert not re.search(pattern[1:], f"{key}x")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([SECRET], "this value is not allowed: a mapping such as"),
        ({"a": SECRET}, "the value of a is not allowed: a mapping of key and tier"),
        ({"a": {"key": SECRET}}, "the value of a is not allowed: a mapping of key and tier"),
        ({"a": {"key": f"{SECRET}\n", "tier": "gold"}}, "the key of a is not allowed: 1 to 512"),
        ({"a": {"key": f"{SECRET}é", "tier": "gold"}}, "the key of a is not allowed: 1 to 512"),
        ({"a": {"key": SECRET, "tier": "x"}}, "the tier of a is not allowed: a name of"),
        ({"a b": {"key": SECRET, "tier": "gold"}}, "the name of a client is not allowed: 1 to 64"),
        (
            {name: {"key": SECRET, "tier": "gold"} for name in "ab"},
            "the key of b is not allowed: another one than that of a",
        ),
    ],
)
def test_a_fault_is_named_without_the_key(value: Any, message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        parse_keys(value, ["gold"])
    assert str(caught.value).startswith(f"api_keys: {message}")
    assert str(caught.value).endswith("Set the variable api_keys.")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "tiers", "message"),
    [
        ("X Key", {}, "api_key_header: 'X Key' is not allowed: the name of a header"),
        ("X-Key", [], "api_key_tiers: [] is not allowed: a mapping"),
        ("X-Key", {"gold": {}}, "api_key_tiers.gold: {} is not allowed: a mapping with a rate"),
        ("X-Key", {"gold": {"rate": 0}}, "api_key_tiers.gold.rate: 0 is not allowed: a whole"),
        ("X-Key", {"Gold": {"rate": 1}}, "api_key_tiers: 'Gold' is not allowed: 1 to 40"),
    ],
)
def test_a_fault_in_a_tier_is_named(header: object, tiers: object, message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        KeyLimits.parse(header, tiers)
    assert str(caught.value).startswith(message)


def test_keys_lie_in_a_closed_file_until_no_release_needs_it(tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path))
    paths.create()
    assert KeyStore(paths).store("") == ""
    first, second = KeyStore(paths).store("a b;\n"), KeyStore(paths).store("a c;\n")
    assert re.fullmatch(r"/etc/balancer/keys/[0-9a-f]{12}\.conf", first)
    assert KeyStore(paths).store("a b;\n") == first != second
    folder = Path(paths.nginx, "keys")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o400}
    KeyStore(paths).prune([f"include {second};"])
    assert os.listdir(folder) == [os.path.basename(second)]


def test_check_mode_writes_no_key(tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path))
    assert KeyStore(paths, dry=True).store("a b;\n")
    assert os.listdir(tmp_path) == []


def test_a_listed_key_leaves_the_limits_of_addresses() -> None:
    keys = KeyLimits.parse("X-API-Key", {"gold": {"rate": "6r/m", "connections": 5}})
    limits = RateLimits.parse([{"rate": 1}], 9, keys=keys)
    trees = parse(render([*limits.definitions(), *limits.enforcement(), *limits.retry_after()]))
    maps = {words[1]: (words[0], entries) for _name, words, entries in find(trees, "map")}
    assert maps["$balancer_limit_general"][0] == "$balancer_limit:$balancer_listed"
    assert maps["$balancer_by_key_gold"] == (
        "$balancer_limit:$balancer_tier",
        [("default", [""], None), ("~^[^:]+:gold$", ["$balancer_counted_key"], None)],
    )
    assert [one[1] for one in find(trees, "limit_conn")] == [
        ["connections", "9"],
        ["tier-key-open-gold", "5"],
        ["tier-address-open-gold", "5"],
    ]
    assert ("~:gold$", ["10"], None) in maps["$balancer_limit_pause"][1]
    assert len(find(trees, "split_clients")) == 8


PAUSES = """\
map $balancer_limit:$balancer_tier $balancer_limit_pause {
    default 1;
    ~^general:$ 2;
    ~^login:$ 20;
    ~^general:default$ 5;
    ~^login:default$ 20;
    ~^quick:default$ 5;
    ~:default$ 5;
    ~:gold$ 30;
}

map $status:$upstream_http_retry_after $balancer_retry_after {
    default "";
    429: $balancer_limit_pause;
    503: 1;
}
"""

MAPS = """\
map $balancer_limit:$balancer_listed $balancer_limit_general {
    default "";
    general: $balancer_client;
}

map $balancer_limit:$balancer_listed $balancer_limit_login {
    default "";
    login: $balancer_client;
}

map $balancer_limit:$balancer_listed $balancer_limit_quick {
    default "";
    quick: $balancer_client;
}

map $balancer_limit:$balancer_listed $balancer_limit_connections {
    default $balancer_client;
    ~^: "";
    ~:gold$ "";
}

"""


def test_limits_and_tiers_side_by_side() -> None:
    """Who may be refused by either is told the longer pause; a pause of a second is not listed."""
    tiers = {
        "default": {"rate": "12r/m"},
        "gold": {"rate": "2r/m", "connections": 5},
        "fast": {"rate": "60r/m"},
    }
    given = [
        {"rate": "30r/m"},
        {"path": "/login", "rate": "3r/m"},
        {"path": "/quick", "rate": "60r/m"},
    ]
    limits = RateLimits.parse(given, 7, keys=KeyLimits.parse("X-API-Key", tiers))
    assert render(limits.retry_after()) == PAUSES
    text = render(limits.definitions())
    assert MAPS in text
    by_address = text.partition(" $balancer_by_address_gold {")[2].partition("}")[0]
    assert by_address.split() == ["default", '"";', "~^[^:]+:gold$", "$balancer_client;"]
