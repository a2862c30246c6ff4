# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing of HTTP answers: whole, in pieces, cut short, wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.answer import BODY_LIMIT, Answer, MalformedError


def sized(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(parts: list[bytes]) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + chunks + b"0\r\nX-Trailer: yes\r\n\r\n"


def fed(data: bytes, cuts: list[int]) -> tuple[Answer, bytes]:
    """Feed the bytes in pieces, cut at these places."""
    answer, rest = Answer(), b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in zip(edges, edges[1:], strict=False):
        if start < end:
            rest += answer.feed(data[start:end])
    return answer, rest


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.binary(max_size=300), CUTS)
def test_a_sized_answer_is_the_same_in_any_pieces(body: bytes, cuts: list[int]) -> None:
    answer, rest = fed(sized(body), cuts)
    assert (answer.complete, answer.status, answer.body, rest) == (True, 200, body, b"")


@given(st.lists(st.binary(max_size=40), max_size=8), CUTS)
def test_a_chunked_answer_is_the_same_in_any_pieces(parts: list[bytes], cuts: list[int]) -> None:
    answer, rest = fed(chunked(parts), cuts)
    assert (answer.complete, answer.body, rest) == (True, b"".join(parts), b"")


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=4), st.data())
def test_no_beginning_of_an_answer_is_complete(parts: list[bytes], data: st.DataObject) -> None:
    for whole in (sized(b"".join(parts)), chunked(parts)):
        end = data.draw(st.integers(0, len(whole) - 1))
        answer, _unused = fed(whole[:end], [end // 2])
        assert not answer.complete
        assert not answer.end()


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_malformed(data: bytes) -> None:
    for head in (b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with contextlib.suppress(MalformedError):
            Answer().feed(head + data)


def test_bytes_behind_the_end_are_given_back() -> None:
    assert Answer().feed(sized(b"one") + b"HTTP/1.1 200") == b"HTTP/1.1 200"


def test_without_a_length_the_body_lasts_until_the_close() -> None:
    answer = Answer()
    answer.feed(b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert not answer.complete
    assert answer.end()
    assert answer.body == b"hello"


def test_an_interim_answer_is_followed_by_the_real_one() -> None:
    answer = Answer()
    answer.feed(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + sized(b"x"))
    assert (answer.status, answer.body, answer.complete) == (200, b"x", True)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"SSH-2.0-x", "the answer begins with b'SSH-2.0-x'"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "the status line is b'HTTP/1.1 2x0 OK'"),
        (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "a header line is b'nonsense'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a length is b'-1'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer-encoding is b'gzip'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a length is b'zz'"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (BODY_LIMIT + 1),
            "larger",
        ),
    ],
)
def test_what_is_no_answer_says_where(data: bytes, text: str) -> None:
    with pytest.raises(MalformedError, match=text):
        Answer().feed(data)
