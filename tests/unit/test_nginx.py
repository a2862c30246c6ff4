# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directives to text: what is rendered is read back as the same tree, whatever the words are."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    INDENT,
    LONGEST_WORD,
    WIDTH,
    Directive,
    Expr,
    block,
    quote,
    render,
    simple,
)
from tests.unit.nginx_tree import Tree, parse

FORBIDDEN = "$;{}"
printable = st.characters(exclude_categories=["C", "Z"]).filter(str.isprintable) | st.just(" ")
plain_words = st.text(printable.filter(lambda one: one not in FORBIDDEN), max_size=20)
expressions = st.text(
    st.sampled_from(string.ascii_letters + string.digits + "$;{}\"'\\ #~^|()") | printable,
    max_size=20,
).map(Expr)
words = plain_words | expressions
names = st.text(string.ascii_lowercase + "_", min_size=1, max_size=12).filter(lambda n: n != "if")
comments = st.text(printable, max_size=20)
leaves = st.builds(
    Directive,
    name=names,
    args=st.lists(words, max_size=4).map(tuple),
    comment=comments,
    note=comments,
)
directives = st.recursive(
    leaves,
    lambda inner: st.builds(
        Directive,
        name=names,
        args=st.lists(words, max_size=3).map(tuple),
        children=st.lists(inner, max_size=4).map(tuple),
        comment=comments,
        note=comments,
    ),
    max_leaves=8,
)


def tree(directive: Directive) -> Tree:
    children = directive.children
    return (
        directive.name,
        [str(arg) for arg in directive.args],
        None if children is None else [tree(child) for child in children],
    )


@given(st.lists(directives, max_size=4))
def test_what_is_rendered_is_read_back_as_the_same_tree(given_directives: list[Directive]) -> None:
    assert parse(render(given_directives)) == [tree(one) for one in given_directives]


@given(st.text(max_size=30))
def test_no_plain_word_is_ever_more_than_one_word(word: str) -> None:
    try:
        text = render([simple("server_name", word), simple("last")])
    except LoadBalancingError:
        return
    assert parse(text) == [("server_name", [word], None), ("last", [], None)]


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_comment_or_note_is_ever_a_directive(comment: str, note: str) -> None:
    try:
        text = render([simple("first"), simple("second", comment=comment, note=note)])
    except LoadBalancingError:
        return
    assert parse(text) == [("first", [], None), ("second", [], None)]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("chat.example.org", "chat.example.org"),
        ("", '""'),
        ("two words", '"two words"'),
        ("#1", '"#1"'),
        ('say "hi"', "'say \"hi\"'"),
        ("it's", '"it\'s"'),
        ('it\'s "it"', '"it\'s \\"it\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("~^/api/", "~^/api/"),
        (Expr("$host"), "$host"),
        (Expr("${host}x"), '"${host}x"'),
        (Expr('{"a":"$b"}'), '\'{"a":"$b"}\''),
    ],
)
def test_quoting(word: str, text: str) -> None:
    assert quote(word) == text


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "x; return 200",
            "'x; return 200' is not allowed in an nginx configuration: it contains ';'."
            " Use a value without $ ; { }.",
        ),
        (
            "$host",
            "'$host' is not allowed in an nginx configuration: it contains '$'."
            " Use a value without $ ; { }.",
        ),
        (
            "a\nb",
            "'a\\nb' is not allowed in an nginx configuration: it contains the character U+000A."
            " Use one line of printable characters.",
        ),
        (
            Expr("a\0"),
            "'a\\x00' is not allowed in an nginx configuration: it contains the character U+0000."
            " Use one line of printable characters.",
        ),
        (
            "\u202e",
            "'\\u202e' is not allowed in an nginx configuration: it contains the character U+202E."
            " Use one line of printable characters.",
        ),
    ],
)
def test_refused_words_are_named(word: str, message: str) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        quote(word)
    assert str(caught.value) == message


def test_a_word_that_nginx_could_not_read_is_refused() -> None:
    assert quote("é" * (LONGEST_WORD // 2))
    with pytest.raises(LoadBalancingError) as caught:
        quote("é" * (LONGEST_WORD // 2 + 1))
    assert str(caught.value) == (
        f"'{'é' * (WIDTH - 4)}... is not allowed in an nginx configuration: it is 4002 bytes long."
        " Use at most 4000 bytes."
    )


@pytest.mark.parametrize(
    ("length", "shown"),
    [(WIDTH - 2, f"';{'a' * (WIDTH - 3)}'"), (WIDTH - 1, f"';{'a' * (WIDTH - 5)}...")],
)
def test_a_long_word_is_shown_in_part(length: int, shown: str) -> None:
    assert len(shown) == WIDTH
    with pytest.raises(LoadBalancingError) as caught:
        quote(";" + "a" * (length - 1))
    assert str(caught.value).startswith(f"{shown} is not allowed")


def test_the_name_of_a_directive_is_quoted_too() -> None:
    with pytest.raises(LoadBalancingError):
        render([simple("a;b")])
    assert render([simple("", "empty")]) == '"" empty;\n'


def wrapped(*words: str) -> list[str]:
    """The lines of one directive."""
    return render([simple("log", *words)]).splitlines()


def test_a_line_is_as_wide_as_it_may_be() -> None:
    fits = "a" * (WIDTH - len("log b ;"))
    assert wrapped("b", fits) == [f"log b {fits};"]
    assert wrapped("b", fits + "a") == ["log b", f"{INDENT}{fits}a;"]


def test_bare_words_stay_in_the_first_line_as_far_as_it_goes() -> None:
    last = "z" * WIDTH
    fits = "X" * (WIDTH - len("log b "))
    assert wrapped("b", fits, last) == [f"log b {fits}", f"{INDENT}{last};"]
    assert wrapped("b", fits + "X", last) == ["log b", f"{INDENT}{fits}X", f"{INDENT}{last};"]
    assert wrapped("b", "c d", "e", last) == [
        *("log b", f'{INDENT}"c d"', f"{INDENT}e", f"{INDENT}{last};")
    ]


def test_layout() -> None:
    long_words = [Expr(f'"{n}":"$value_of_number_{n}",') for n in range(4)]
    text = render(
        [
            simple("user", "nobody"),
            simple("pid", "/run/nginx.pid"),
            block(
                "http",
                children=[
                    simple("keepalive", 64, comment="First line.\nSecond line."),
                    simple("server", "10.0.0.1:80", note="app-1"),
                    block("types", children=[]),
                    simple("log_format", "long", *long_words),
                ],
            ),
            simple("last"),
        ]
    )
    assert (
        text
        == """\
user nobody;
pid /run/nginx.pid;

http {
    # First line.
    # Second line.
    keepalive 64;
    server 10.0.0.1:80;  # app-1

    types {}

    log_format long
        '"0":"$value_of_number_0",'
        '"1":"$value_of_number_1",'
        '"2":"$value_of_number_2",'
        '"3":"$value_of_number_3",';
}

last;
"""
    )
    assert render([]) == ""
