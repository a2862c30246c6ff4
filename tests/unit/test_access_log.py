# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import access_log
from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import (
    Attempt,
    Entry,
    parse_line,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import STATIC

PLAIN: dict[str, Any] = {
    "ts": "2026-11-29T15:00:00+00:00",
    "msec": 1795964400.123,
    "request_id": "0f",
    "client": "203.0.113.7",
    "method": "POST",
    "host": "chat.example.org",
    "uri": "/api/chat",
    "status": 200,
    "bytes": 512,
    "protocol": "HTTP/1.1",
    "upstream_addr": "172.18.0.2:8000",
    "upstream_status": "200",
    "upstream_connect_time": "0.001",
    "upstream_header_time": "0.101",
    "upstream_response_time": "0.301",
    "version": "7",
    "user_agent": "curl/8",
    "limit_req": "PASSED",
    "limit_conn": "",
    "request_time": 0.305,
    "generation": 4,
}


def line(**changes: object) -> bytes:
    return json.dumps({**PLAIN, **changes}).encode()


def entry(**changes: object) -> Entry:
    found = parse_line(line(**changes))
    assert found
    return found


def test_a_request_that_one_replica_answered() -> None:
    found = entry()
    assert (found.time, found.status, found.seconds) == (1795964400.123, 200, 0.305)
    assert (found.client, found.uri, found.bytes, found.generation) == (
        *("203.0.113.7", "/api/chat"),
        *(512, 4),
    )
    assert found.attempts == (Attempt("172.18.0.2:8000", 200, 0.001, 0.101, 0.301),)
    assert (found.replica, found.first_byte) == ("172.18.0.2:8000", 0.101)
    assert not found.retried
    assert not found.refused


def test_a_request_that_was_tried_again_with_both_signs_of_nginx() -> None:
    found = entry(
        upstream_addr="[fd00::2]:8000, 10.0.0.3:80 : unix:/run/app",
        upstream_status="502, - : 200",
        upstream_connect_time="-, 0.001 : 0.002",
        upstream_header_time="-, - : 0.100",
        upstream_response_time="0.004, 1.000 : 0.300",
    )
    assert found.attempts == (
        Attempt("[fd00::2]:8000", 502, None, None, 0.004),
        Attempt("10.0.0.3:80", None, 0.001, None, 1.0),
        Attempt("unix:/run/app", 200, 0.002, 0.1, 0.3),
    )
    assert found.retried
    assert found.replica == "unix:/run/app"
    assert found.first_byte == pytest.approx(1.104)


def test_a_request_that_no_replica_saw() -> None:
    nothing = dict.fromkeys([key for key in PLAIN if key.startswith("upstream_")], "")
    found = entry(status=429, limit_req="REJECTED", **nothing)
    assert (found.attempts, found.replica, found.first_byte) == ((), "", None)
    assert found.refused
    assert entry(limit_conn="REJECTED").refused
    assert entry(status=0).status == 0


def test_a_retry_that_nobody_answered_has_no_first_byte() -> None:
    found = entry(upstream_addr="a:1, b:1", upstream_header_time="-, -")
    assert found.first_byte is None
    assert [one.seconds for one in found.attempts] == [None, 0.301]


def test_fields_of_keys_and_of_other_versions() -> None:
    assert entry(key="ab12", tier="gold", key_client="partner")[-3:] == ("ab12", "gold", "partner")
    short = {key: PLAIN[key] for key in ("msec", "status", "request_time")}
    found = parse_line(json.dumps(short).encode())
    assert found == Entry(1795964400.123, 200, 0.305, 0, 0, *[""] * 15)


def test_bytes_that_are_no_utf_8_are_a_request_all_the_same() -> None:
    found = parse_line(line(uri="/a?b").replace(b"?", b"\xff\xc3"))
    assert found
    assert found.uri == "/a\ufffd\ufffdb"


def test_fields_are_bounded() -> None:
    assert len(entry(user_agent="x" * 100_000).user_agent) == access_log.FIELD
    assert len(entry(upstream_addr=", ".join(["a:1"] * 100)).attempts) == 32
    assert parse_line(line(uri="x" * access_log.LONGEST_LINE)) is None


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        line()[:-1],
        line()[1:],
        line() + b"x",
        line(msec="1795964400.123"),
        line(msec=None),
        line(msec=True),
        line(msec=-1),
        line(msec=1e300),
        line(status=200.0),
        line(status=1000),
        line(status=False),
        line(status=-1),
        line(bytes=-1),
        line(bytes=10**30),
        line(generation=[]),
        line(request_time={}),
        line(request_time=-0.001),
        line(uri=None),
        line(uri=7),
        line(client=["a"]),
        line(key="a", tier=1),
        line().replace(b"0.305", b"NaN"),
        line().replace(b"0.305", b"Infinity"),
        line().replace(b"0.305", b"1e999"),
        line().replace(b"512", b"9" * 10_000),
        b"[" * 200_000,
        b'{"uri":' * 100_000,
        b"\x00" * 100,
    ],
    ids=lambda value: repr(value[:40]),
)
def test_damaged_lines(damaged: bytes) -> None:
    assert parse_line(damaged) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def looked_at(found: Entry | None) -> None:
    """Everything that an entry can tell, without an exception."""
    if found is None:
        return
    assert 0 <= found.status <= 999
    assert found.seconds >= 0
    assert len(found.attempts) <= 32
    assert found.replica == (found.attempts[-1].address if found.attempts else "")
    assert found.first_byte is None or found.first_byte >= 0
    assert all(len(text) <= access_log.FIELD for text in found if isinstance(text, str))


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    looked_at(parse_line(data))


@given(st.dictionaries(st.sampled_from([*PLAIN, "key", "tier", "x"]), JSON))
def test_any_values_are_read(changes: dict[str, Any]) -> None:
    looked_at(parse_line(line(**changes)))


@given(st.integers(0, 700), st.binary(max_size=8), st.integers(0, 20))
def test_any_damage_to_a_line_is_read(at: int, put: bytes, removed: int) -> None:
    whole = line()
    looked_at(parse_line(whole[:at] + put + whole[at + removed :]))


_LIST = st.lists(st.sampled_from(["a:1", "-", "200", "0.1", "nan", "١٢٣", ""]), max_size=40)


@given(_LIST, _LIST, _LIST, st.sampled_from([", ", " : "]))
def test_any_lists_of_attempts_are_read(
    addresses: list[str], statuses: list[str], times: list[str], sign: str
) -> None:
    looked_at(
        parse_line(
            line(
                upstream_addr=sign.join(addresses),
                upstream_status=sign.join(statuses),
                upstream_header_time=sign.join(times),
                upstream_response_time=sign.join(times),
            )
        )
    )


def test_every_field_of_the_log_format_is_read() -> None:
    """The format of balancer_config_http.py and what is read of it are the same."""
    tiers = {"gold": {"rate": "50r/s", "burst": 100}}
    spec = BalancerSpec.from_mapping(
        {"stack_name": "shop", "http_port": 80, "api_key_tiers": tiers}
    )
    text = render(spec)[STATIC].replace("\\", "")
    for field in Entry._fields:
        key = {"time": "msec", "seconds": "request_time"}.get(field, field)
        assert f'"{key}":' in text, field
