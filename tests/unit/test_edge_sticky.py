# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sticky sessions: the cookie, and the slots that it names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    LAST_SLOT,
    Member,
    assign_slots,
    upstream_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.nginx_tree import find, names, parse

BASE = {"stack_name": "shop", "http_port": 8080}

ids = st.sampled_from("abcdefgh")
groups = st.lists(ids, unique=True, max_size=8)


def members(given_ids: str | list[str], slots: str = "") -> tuple[Member, ...]:
    """A member for each letter; digits are their slots."""
    padded = slots.ljust(len(given_ids), "0")
    return tuple(
        Member(one, one, f"10.0.0.{ord(one)}", 8000, int(slot))
        for one, slot in zip(given_ids, padded)
    )


def slots(found: tuple[Member, ...]) -> dict[str, int]:
    return {one.id: one.slot for one in found}


def sticky(**values: object) -> list[list[str]]:
    text = render(BalancerSpec.from_mapping({**BASE, **values}))["nginx.conf"]
    return [args for _name, args, _rest in find(parse(text), "http", "upstream", "sticky")]


# Slots


@given(st.lists(groups, max_size=6))
def test_slots_are_unique_stable_and_the_lowest(history: list[list[str]]) -> None:
    published: tuple[Member, ...] = ()
    for chosen in history:
        found = assign_slots(published, members(chosen))
        assert [one.id for one in found] == chosen
        assert [replace(one, slot=0) for one in found] == list(members(chosen))
        taken = slots(found)
        kept = {key: slot for key, slot in slots(published).items() if key in chosen}
        assert kept.items() <= taken.items()
        joined = [taken[key] for key in chosen if key not in kept]
        free = [slot for slot in range(1, 17) if slot not in kept.values()]
        assert joined == free[: len(joined)]
        assert assign_slots(found, members(chosen)) == found
        published = found


@given(st.lists(st.tuples(ids, st.integers(-1, 12) | st.just(LAST_SLOT + 1)), max_size=8), groups)
def test_whatever_was_written_before_slots_are_unique(
    written: list[tuple[str, int]], chosen: list[str]
) -> None:
    before = [Member(one, one, "10.0.0.1", 8000, slot) for one, slot in written]
    found = slots(assign_slots(before, members(chosen)))
    assert len(set(found.values())) == len(chosen)
    assert all(1 <= slot <= LAST_SLOT for slot in found.values())


def test_the_successor_takes_the_slot_of_the_one_that_leaves() -> None:
    rolled = assign_slots(members("abc", "123"), members("bcd"))
    assert slots(rolled) == {"b": 2, "c": 3, "d": 1}
    assert slots(assign_slots(rolled, members("cde"))) == {"c": 3, "d": 1, "e": 2}


def test_members_of_an_older_release_get_slots() -> None:
    assert slots(assign_slots(members("abc"), members("bca"))) == {"b": 1, "c": 2, "a": 3}


def test_an_address_that_changes_keeps_its_slot() -> None:
    moved = replace(members("b")[0], address="10.9.9.9")
    assert assign_slots(members("ab", "12"), (moved,)) == (replace(moved, slot=2),)


def test_the_slot_is_the_route_of_a_member() -> None:
    found = find(parse(upstream_text(members("ab", "20"))), "server")
    assert [args for _name, args, _rest in found] == [
        ["10.0.0.97:8000", "max_fails=0", "route=2"],
        ["10.0.0.98:8000", "max_fails=0"],
    ]


# The cookie


def test_sessions_are_not_sticky_unless_wanted() -> None:
    assert sticky() == sticky(sticky="none", sticky_cookie="x") == []


def test_the_cookie_is_for_the_whole_site_and_out_of_reach_of_scripts() -> None:
    assert sticky(sticky="cookie") == [["cookie", "replica", "path=/", "httponly", "samesite=lax"]]


def test_with_tls_the_cookie_is_secure() -> None:
    (args,) = sticky(sticky="cookie", sticky_cookie="lb-1", tls_mode="self_signed")
    assert args == ["cookie", "lb-1", "path=/", "httponly", "samesite=lax", "secure"]


def test_the_method_comes_before_stickiness() -> None:
    text = render(BalancerSpec.from_mapping({**BASE, "sticky": "cookie"}))["nginx.conf"]
    (upstream,) = find(parse(text), "http", "upstream")
    order = [name for name, _args in names(upstream[2])]
    assert order[:5] == ["zone", "least_conn", "include", "sticky", "keepalive"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"sticky": "ip"},
            "balancer_sticky: 'ip' is not allowed: one of none, cookie."
            " Set the variable balancer_sticky.",
        ),
        (
            {"sticky_cookie": "a b"},
            "balancer_sticky_cookie: 'a b' is not allowed: 1 to 64 letters, digits, _ and -."
            " Set the variable balancer_sticky_cookie.",
        ),
    ],
)
def test_errors_say_what_is_wrong(values: dict[str, object], message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        BalancerSpec.from_mapping({**BASE, **values})
    assert str(caught.value) == message


@given(st.text(max_size=70) | st.sampled_from(["a;", "a{", "$pid", "a b", "", "a\n", "é"]))
def test_a_hostile_name_never_gets_in(name: str) -> None:
    try:
        (args,) = sticky(sticky="cookie", sticky_cookie=name)
    except LoadBalancingError:
        return
    assert args[1] == name
    assert len(args) == 5
