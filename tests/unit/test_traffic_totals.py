# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_read import Log
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_report import report
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_totals import (
    CUT,
    FAILED,
    GOOD,
    LIMITED,
    Totals,
    kind_of,
    path_of,
)
from tests.unit.examples import examples
from tests.unit.fakes.traffic import BEGIN, Traffic, line

NO_LOG = Log((), 0, ())
REQUESTS = examples(100_000)
ONE, TWO, THREE = (f"172.18.0.{number}:8000" for number in (2, 3, 4))


def told(totals: Totals) -> dict[str, Any]:
    return report(totals, NO_LOG, BEGIN + 1000.0)


def counted(lines: list[bytes], **options: Any) -> Totals:
    totals = Totals(**options)
    totals.add_lines(lines)
    return totals


def replica(found: dict[str, Any], name: str) -> dict[str, Any]:
    (row,) = [one for one in found["replicas"] if one["name"] == name]
    return dict(row)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, GOOD) for status in (100, 101, 200, 302, 404, 428, 430, 498)),
        *((status, FAILED) for status in (500, 502, 599, 999)),
        *((status, CUT) for status in (0, 499)),
        (429, LIMITED),
    ],
)
def test_kinds(status: int, kind: int) -> None:
    assert kind_of(status) == kind


def test_a_request_that_was_tried_twice_counts_for_the_replica_that_answered() -> None:
    attempts = ((ONE, "502", "0.200"), (TWO, "200", "0.100"))
    found = told(counted([line(attempts=attempts, seconds=0.301)]))
    assert (found["retried"], found["failed_attempts"]) == (1, 1)
    assert (replica(found, ONE)["requests"], replica(found, ONE)["failed_attempts"]) == (0, 1)
    assert (replica(found, TWO)["requests"], replica(found, TWO)["share_percent"]) == (1, 100.0)
    assert replica(found, TWO)["first_byte"]["p50"] == pytest.approx(0.3, rel=0.01)
    assert found["paths"][0]["failed_attempts"] == found["clients"][0]["failed_attempts"] == 1


def test_without_a_replica_no_replica_is_counted() -> None:
    nobody = line(status=502, attempts=(("app", "502", "0.000"),))
    nobody_again = line(status=502, attempts=((ONE, "502", "0.000"), ("app", "502", "0.000")))
    refused = line(status=429, attempts=(), limit_req="REJECTED")
    found = told(counted([nobody, nobody_again, refused]))
    assert [one["name"] for one in found["replicas"]] == [ONE]
    assert replica(found, ONE)["failed_attempts"] == 1
    assert (found["errors"], found["limited"], found["limited_by_balancer"]) == (2, 1, 1)
    assert found["error_percent"] == 100.0


def test_times_are_those_of_answers() -> None:
    lines = [
        line(seconds=0.1),
        line(status=429, seconds=9.0),
        line(status=499, seconds=9.0),
        line(status=101, seconds=900.0),
        line(status=0, seconds=9.0, attempts=()),
    ]
    found = told(counted(lines))
    assert found["times"]["max"] == 0.1
    assert found["times"]["p99"] == pytest.approx(0.1, rel=0.01)
    assert (found["limited"], found["limited_by_balancer"]) == (1, 0)
    assert (found["cut"], found["websockets"], found["error_percent"]) == (2, 1, 0.0)
    assert found["statuses"] == {
        **dict.fromkeys(["1xx", "2xx", "none", "429", "499"], 1),
        **dict.fromkeys(["3xx", "4xx", "5xx"], 0),
    }
    # A client that gave up is slow, a WebSocket is not.
    assert [one["seconds"] for one in found["slowest"]] == [9.0, 9.0, 9.0, 0.1]


def test_an_answer_without_a_header_has_no_first_byte() -> None:
    found = told(counted([line(status=504, upstream_header_time="-")]))
    assert found["first_byte"] == {"p50": None, "p95": None, "p99": None}


def test_a_time_that_is_asked_for() -> None:
    lines = [line(second) for second in (0, 10, 20, 30)]
    found = told(counted(lines, since=BEGIN + 10.0, until=BEGIN + 20.0))
    assert (found["requests"], found["seconds"], found["requests_per_second"]) == (2, 10.0, 0.2)
    assert (found["since"], found["until"]) == ("2026-11-29T15:00:10Z", "2026-11-29T15:00:20Z")
    open_end = told(counted(lines))
    assert (open_end["since"], open_end["until"]) == (
        *("2026-11-29T15:00:00Z", "2026-11-29T15:16:40Z"),
    )
    nothing = told(counted([]))
    assert (nothing["requests"], nothing["seconds"], nothing["first_request"]) == (0, 0.0, None)
    assert nothing["requests_per_second"] == 0.0


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/", "/"),
        ("/v1/chat", "/v1/chat"),
        ("/api/messages/17", "/api/messages/*"),
        ("/u/12/34/x", "/u/*/*/x"),
        ("/f/2f1c6e0a-7d0b-4a43-9d5a-0b6e2b1f3c4d", "/f/*"),
        ("/f/0123456789abcdef", "/f/*"),
        ("/cafe", "/cafe"),
        ("", ""),
    ],
)
def test_paths_of_one_kind(uri: str, path: str) -> None:
    assert path_of(uri) == path


def test_counts_are_those_of_the_client() -> None:
    """Retries, limits, failures, damaged lines and clients that left are in them."""
    traffic = Traffic()
    totals = counted(list(traffic.lines(REQUESTS, damaged=0.01)), top=100)
    found, book = told(totals), traffic.book
    assert book.damaged > REQUESTS / 200
    assert totals.damaged == book.damaged
    assert (found["requests"], found["bytes"]) == (REQUESTS, book.sent)
    assert {code: n for code, n in enumerate(totals.codes) if n} == dict(book.statuses)
    assert (found["retried"], found["failed_attempts"]) == (book.retried, book.failed_attempts)
    assert found["errors"] == book.kinds["failed"]
    assert found["limited"] == book.kinds["limited"] + book.kinds["refused"]
    assert found["limited_by_balancer"] == book.kinds["limited"]
    assert found["cut"] == book.kinds["cut"] + book.kinds["lost"]
    assert found["websockets"] == book.kinds["switched"]
    assert {one["name"]: one["requests"] for one in found["replicas"]} == dict(book.replicas)
    assert {one["name"]: one["failed_attempts"] for one in found["replicas"]} == dict(
        book.failed_on
    )
    assert {one["path"]: one["requests"] for one in found["paths"]} == dict(book.paths)
    assert {name: row.requests for name, row in totals.clients.rows.items()} == dict(book.clients)
    shown = sum(one["requests"] for one in found["clients"])
    assert found["other_clients"] == {
        "requests": REQUESTS - shown,
        "names": len(book.clients) - 100,
        "missing_at_most": 0,
    }
    times = sorted(book.times)
    for percent in (50, 95, 99):
        exact = times[-(-len(times) * percent // 100) - 1]
        assert found["times"][f"p{percent}"] == pytest.approx(exact, rel=0.01)


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_totals_do_not_depend_on_the_order(seed: int, chance: random.Random) -> None:
    lines = list(Traffic(seed).lines(60, damaged=0.1))
    shuffled = lines.copy()
    chance.shuffle(shuffled)
    assert told(counted(lines, top=7)) == told(counted(shuffled, top=7))


def test_hostile_variety_takes_no_more_memory() -> None:
    """Each request has a path and an address of its own, but for every tenth."""
    totals = Totals()
    for number in range(50_000):
        often = number % 10 == 0
        totals.add_lines(
            [
                line(
                    number / 100,
                    uri="/often" if often else f"/x{number}",
                    client="10.0.0.1" if often else f"fd00::{number:x}",
                )
            ]
        )
    assert len(totals.paths.rows) <= 2000
    assert len(totals.clients.rows) <= 20_000
    found = told(totals)
    assert found["paths"][0]["path"] == "/often"
    assert 0 <= 5000 - found["paths"][0]["requests"] <= found["other_paths"]["missing_at_most"]
    listed = sum(one["requests"] for one in found["paths"])
    assert listed + found["other_paths"]["requests"] == 50_000
