# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_read import Log
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_report import report
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_text import (
    columns,
    duration,
    lines,
    printable,
    sentence,
    size,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_totals import Totals
from tests.unit.fakes.traffic import BEGIN, line

ONE, TWO = "172.18.0.2:8000", "172.18.0.3:8000"
REFUSED: dict[str, Any] = {"status": 429, "attempts": (), "seconds": 0.0, "limit_req": "REJECTED"}


def told(*log: bytes, notes: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    totals = Totals(**options)
    totals.add_lines(log)
    return {"stack": "shop", **report(totals, Log((), 0, notes), BEGIN + 60.0)}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/api/chat", "/api/chat"),
        ("/tiếng-việt", "/tiếng-việt"),
        ("/\x1b[2J\x07", "/\\x1b[2J\\x07"),
        ("/\x9b31m", "/\\x9b31m"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("/\u202egpj.exe", "/\\u202egpj.exe"),
        ("/\u2066x\u2069\u200b\ufeff", "/\\u2066x\\u2069\\u200b\\ufeff"),
        ("e\u0301", "e\\u0301"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
    ],
)
def test_what_a_terminal_might_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text, 40) == shown


def test_texts_take_their_columns_and_no_more() -> None:
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("x" * 11, 10) == "x" * 9 + "…"
    assert printable("中" * 5, 10) == "中" * 5
    assert printable("中" * 6, 10) == "中" * 4 + "…"
    assert printable("ab\x1b", 5) == "ab…"


@given(st.text(alphabet=st.characters(), max_size=80), st.integers(1, 60))
def test_no_text_breaks_a_terminal(text: str, width: int) -> None:
    shown = printable(text, width)
    assert columns(shown) <= width
    assert shown.isprintable()
    assert {unicodedata.category(sign)[0] for sign in shown} <= {*"LNPSZ"}
    assert shown.encode("utf-8").decode("utf-8") == shown


def broken(found: list[str]) -> list[str]:
    return [one for one in found if not one.isprintable() or columns(one) > 250]


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                key: st.text(alphabet=st.characters(codec="utf-8"), max_size=300)
                for key in ("uri", "client", "method", "upstream_addr", "request_id", "host")
            },
        ),
        max_size=5,
    )
)
def test_no_request_breaks_the_report(given_values: list[dict[str, Any]]) -> None:
    found = told(*(line(**changes) for changes in given_values))
    assert broken(lines(found)) == []
    texts = [value for rows in ("paths", "clients", "slowest", "replicas") for value in found[rows]]
    assert all(str(text).isprintable() for row in texts for text in row.values())


def test_a_report_to_read() -> None:
    found = told(
        line(1, seconds=0.02, attempts=((ONE, "200", "0.020"),)),
        line(2, seconds=1.5, attempts=((ONE, "502", "0.001"), (TWO, "500", "1.500")), status=500),
        line(3, uri="/x", client="fd00::1", **REFUSED),
        b"damaged",
        notes=("access.log.1 cannot be read: Permission denied",),
        top=2,
    )
    assert lines(found) == [
        "Traffic of shop from 2026-11-29T15:00:01Z to 2026-11-29T15:01:00Z (59.00 s)",
        "requests      3, 0.05/s, 1.5 KiB sent; from 2026-11-29T15:00:01Z to 2026-11-29T15:00:03Z",
        "statuses      2xx 1, 5xx 1, 429 1",
        "errors        1, 50.00 %",
        "limited       1, 1 of them by the balancer",
        "cut           0",
        "retried       1, 1 attempts failed",
        "answers took  20 ms (p50), 1.50 s (p95), 1.50 s (p99), 1.50 s (most)",
        "first byte    20 ms (p50), 1.50 s (p95), 1.50 s (p99)",
        "",
        "Replicas",
        "  replica          requests   share  errors  limited  cut  failed attempts     p50     p95"
        "     p99  first byte p95",
        "  172.18.0.2:8000         1  50.0 %       0        0    0                1   20 ms   20 ms"
        "   20 ms           20 ms",
        "  172.18.0.3:8000         1  50.0 %       1        0    0                0  1.50 s  1.50 s"
        "  1.50 s          1.50 s",
        "",
        "Paths",
        "  path       requests  errors  limited  cut    p50     p95     p99",
        "  /api/chat         2       1        0    0  20 ms  1.50 s  1.50 s",
        "  /x                1       0        1    0      -       -       -",
        "",
        "Slowest requests",
        "  path         took  status  method          replica       client                 ended",
        "  /api/chat  1.50 s     500     GET  172.18.0.3:8000  203.0.113.7  2026-11-29T15:00:02Z",
        "  /api/chat   20 ms     200     GET  172.18.0.2:8000  203.0.113.7  2026-11-29T15:00:01Z",
        "",
        "Clients",
        "  client       requests  errors  limited  cut     sent",
        "  203.0.113.7         2       1        0    0  1.0 KiB",
        "  fd00::1             1       0        1    0    512 B",
        "",
        "log           0 lines of 0 files, 1 damaged; 0 files of other times left out",
        "              access.log.1 cannot be read: Permission denied",
    ]
    assert sentence(found) == (
        "3 requests in 59.00 s, 50.00 % errors, 1 limited, 0 cut, 1 retried; answers took "
        "20 ms (p50), 1.50 s (p95)"
    )


def test_a_report_on_nothing() -> None:
    assert lines(told()) == [
        "Traffic of shop from 2026-11-29T15:01:00Z to 2026-11-29T15:01:00Z (0 ms)",
        "no requests",
        "",
        "log           0 lines of 0 files, 0 damaged; 0 files of other times left out",
    ]


def test_what_is_not_listed_is_told() -> None:
    found = told(*(line(uri=f"/{name}") for name in "aab"), top=1)
    assert "  1 requests of 1 other paths" in lines(found)
    many = told(*(line(uri=f"/p{number}") for number in range(2500)), top=1)
    (text,) = [one for one in lines(many) if "other paths" in one]
    assert text == (
        "  2,499 requests of up to 2,499 other paths; the counts above are at most 1 too low"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0 ms"),
        (0.0126, "13 ms"),
        (1.0, "1.00 s"),
        (59.999, "60.00 s"),
        (60.0, "1 min"),
        (125.4, "2 min 5 s"),
        (3600.0, "1 h"),
        (11_520.0, "3 h 12 min"),
        (86_400.0, "1 d"),
        (90_000.0, "1 d 1 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**21, "2.0 MiB"),
        (2**50, "1,024.0 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text
