# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single values on their way to nginx: what is taken, as what, and how a fault is told."""

from __future__ import annotations

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    host,
    identifier,
    items,
    mapping,
    network,
    networks,
    not_allowed,
    path,
    size,
    truth,
    whole,
)


class Tagged(str):
    """As Ansible hands strings over: with a representation of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Tagged({str(self)!r})"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        ("a b", "'a b'"),
        (Tagged("a b"), "'a b'"),
        ("x" * 78, f"'{'x' * 78}'"),
        ("x" * 79, f"'{'x' * 76}..."),
    ],
    ids=["number", "text", "text of Ansible", "as long as is shown", "longer"],
)
def test_a_value_is_shown_as_it_was_written_up_to_80_signs(value: object, shown: str) -> None:
    assert str(not_allowed("port", value, "a number")) == (
        f"port: {shown} is not allowed: a number. Set the variable port."
    )


@pytest.mark.parametrize("where", ["rules", "rules[0]", "rules[0].paths[1]", "rules.paths.first"])
def test_the_variable_is_the_front_of_the_place(where: str) -> None:
    assert str(not_allowed(where, 1, "2")).endswith(": 2. Set the variable rules.")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:10.1.2.0/120", "10.1.2.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ],
)
def test_a_network_has_one_text(text: str, canonical: str) -> None:
    assert network(text, "exempt") == canonical


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1/8", "fe80::1%eth0", "255.255.255.255", "::ffff:255.255.255.255", "host", ""],
)
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        network(text, "exempt")
    assert str(caught.value) == (
        f"exempt: {text!r} is not allowed: an address such as 203.0.113.7 or a network such as "
        "10.0.0.0/8 or 2001:db8::/32. Set the variable exempt."
    )


def test_networks_are_in_the_order_of_their_numbers_ipv4_first() -> None:
    given = ["2001:db8::/32", "10.0.0.0/8", "9.0.0.0/8", "10.0.0.0/8"]
    assert networks(given, "exempt") == ("9.0.0.0/8", "10.0.0.0/8", "2001:db8::/32")


@pytest.mark.parametrize("value", [None, True, 3, ["a"], "", "[::1", "::1]", "1.2.3", "-a"])
def test_what_is_no_host_is_refused(value: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        host(value, "address")
    assert str(caught.value) == (
        f"address: {value!r} is not allowed: an IPv4 address, an IPv6 address or a host name. "
        "Set the variable address."
    )


def test_the_brackets_of_an_address_are_taken_off() -> None:
    assert host("[2001:DB8::1]", "address") == "2001:db8::1"
    assert host("app_1.internal.", "address") == "app_1.internal."


@pytest.mark.parametrize("text", ["/a//b", "//", "/a/./b", "/./", "/a/..", "/.."])
def test_a_path_that_nginx_never_sees_is_refused(text: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        path(text, "paths")
    assert str(caught.value) == (
        f"paths: {text!r} is not allowed: a path without //, . and .. between slashes. "
        "Set the variable paths."
    )


@pytest.mark.parametrize("text", ["/", "/a.b/..c/...", "/ü/x(1)*+,=:@&!~_-"])
def test_other_dots_and_marks_are_a_path(text: str) -> None:
    assert path(text, "paths") == text


@pytest.mark.parametrize(("value", "text"), [("25M", "25m"), ("1G", "1g"), (512, "512")])
def test_a_size_is_written_in_lower_case(value: object, text: str) -> None:
    assert size(value, "buffers") == text


@pytest.mark.parametrize("value", [True, "true", "Yes", "ON"])
def test_words_for_true(value: object) -> None:
    assert truth(value, "tls") is True


@pytest.mark.parametrize("value", [False, "False", "no", "off"])
def test_words_for_false(value: object) -> None:
    assert truth(value, "tls") is False


@pytest.mark.parametrize("value", ["", "maybe", 1, 0, None, []])
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        truth(value, "tls")
    assert str(caught.value) == (
        f"tls: {value!r} is not allowed: true or false. Set the variable tls."
    )


@pytest.mark.parametrize("value", [-3, "-3", 7, "7", "007"])
def test_a_whole_number_from_bound_to_bound(value: object) -> None:
    assert whole(value, "port", -3, 7) == int(str(value))


@pytest.mark.parametrize("value", [-4, 8, "8", 2.0, True, "1.5", "+1", " 1", "1\n", "²", None, []])
def test_what_is_no_whole_number_between_is_refused(value: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        whole(value, "port", -3, 7)
    assert str(caught.value) == (
        f"port: {value!r} is not allowed: a whole number from -3 to 7. Set the variable port."
    )


@pytest.mark.parametrize("value", [[1, 2], (1, 2), range(1, 3)])
def test_a_list_becomes_a_new_one(value: object) -> None:
    assert items(value, "paths", "numbers") == [1, 2]


@pytest.mark.parametrize("value", ["ab", b"ab", {"a": 1}, 3, None])
def test_what_is_no_list_is_refused(value: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        items(value, "paths", "numbers")
    assert str(caught.value) == (
        f"paths: {value!r} is not allowed: a list of numbers. Set the variable paths."
    )


def test_a_mapping_has_the_known_keys_only() -> None:
    assert mapping({"a": 1}, "tls", ("a", "b")) == {"a": 1}
    with pytest.raises(LoadBalancingError) as caught:
        mapping({"a": 1, "c": 2}, "tls", ("a", "b"))
    assert str(caught.value) == (
        "tls: 'c' is not allowed: the keys are a, b. Set the variable tls."
    )
    with pytest.raises(LoadBalancingError) as caught:
        mapping("a", "tls", ("a", "b"))
    assert str(caught.value) == (
        "tls: 'a' is not allowed: a mapping with keys of a, b. Set the variable tls."
    )


def test_an_identifier_is_short_and_plain() -> None:
    assert identifier("a" * 40, "name") == "a" * 40
    for value in ("a" * 41, "A", "1a", "_a", "a-b", "", None, 3):
        with pytest.raises(LoadBalancingError) as caught:
            identifier(value, "name")
        assert str(caught.value) == (
            f"name: {value!r} is not allowed: 1 to 40 lower-case letters, digits and _, beginning "
            "with a letter. Set the variable name."
        )


@pytest.mark.parametrize("value", ["a", 3, None])
def test_one_network_is_no_list_of_them(value: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        networks(value, "exempt")
    assert str(caught.value) == (
        f"exempt: {value!r} is not allowed: a list of addresses or networks. "
        "Set the variable exempt."
    )


def test_a_fault_among_networks_is_named_by_its_place() -> None:
    with pytest.raises(LoadBalancingError, match=r"^exempt\[1\]: 'x' is not allowed: an address"):
        networks(["10.0.0.1", "x"], "exempt")


@pytest.mark.parametrize("value", ["a", "/a b", "/a;b", "/a\n", "", None, 3])
def test_what_is_no_path_is_refused(value: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        path(value, "paths")
    assert str(caught.value) == (
        f"paths: {value!r} is not allowed: a path that begins with /, of letters, digits and "
        "._~!&()*+,=:@/-. Set the variable paths."
    )


@pytest.mark.parametrize("value", ["25x", "0m", "", True, None])
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        size(value, "buffers")
    assert str(caught.value) == (
        f"buffers: {value!r} is not allowed: a size such as 512k, 25m or 1g. "
        "Set the variable buffers."
    )
