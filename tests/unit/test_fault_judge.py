# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault matrix excuses what its bars allow, and not a request more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e import fault_judge
from tests.e2e.fault_judge import During, Entry, Failed, InFlight, NoDatabase, Nothing
from tests.e2e.fault_table import Row
from tests.load.result import FailureDetail, KindResult, Result

VICTIM, OTHER = "172.18.0.3", "172.18.0.4"
OUT = 100.0
IN_FLIGHT = InFlight([VICTIM], OUT)


def line(upstreams: str, request_id: str = "1f2e") -> str:
    """A line of the access log about a request of 1.5 s that ended at 99."""
    found = {"request_id": request_id, "msec": 99.0, "request_time": 1.5}
    return json.dumps({**found, "upstream_addr": upstreams})


def failed(
    sort: str = "POST",
    entry: Entry | None = None,
    at: float = 99.0,
    status: int | None = 502,
    reason: str = "",
) -> Failed:
    detail = FailureDetail("closed", "bad_status", 1.0, "POST", "/api/chat", reason, status)
    return Failed(sort, detail, at, entry)


def sent(*upstreams: str, began: float = 99.0) -> Entry:
    return Entry(began, began + 1, upstreams)


def test_the_access_log_tells_when_a_request_came_and_whom_it_was_sent_to(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("of an earlier row\n")
    offset = log.stat().st_size
    tried = f"{OTHER}:8000, {VICTIM}:8000 : {OTHER}:8000"
    with log.open("a") as file:
        file.write(line(tried) + "\n" + line("", "none") + "\n" + line("app")[:30])
    assert fault_judge.read_log(log, offset) == {
        "1f2e": Entry(97.5, 99.0, (OTHER, VICTIM, OTHER)),
        "none": Entry(97.5, 99.0, ()),
    }


@pytest.mark.parametrize("sort", ["POST", "stream", "WebSocket"])
def test_what_was_in_flight_on_the_victim_may_fail(sort: str) -> None:
    assert IN_FLIGHT.excuses(failed(sort, sent(VICTIM, began=OUT)))
    assert IN_FLIGHT.excuses(failed(sort, sent(OTHER, VICTIM)))


@pytest.mark.parametrize(
    "one",
    [
        failed("GET", sent(VICTIM)),
        failed("POST with key", sent(VICTIM)),
        failed("POST", sent(OTHER)),
        failed("POST", sent(VICTIM, OTHER)),
        failed("POST", sent(VICTIM, began=OUT + 0.001)),
        failed("POST", sent()),
        failed("POST", None),
    ],
    ids=["GET", "key", "another", "sent on", "too late", "sent to nobody", "unknown"],
)
def test_nothing_else_may(one: Failed) -> None:
    assert not IN_FLIGHT.excuses(one)
    assert not Nothing().excuses(one)


def test_what_fails_while_the_balancer_is_down_may_fail() -> None:
    down = During(10.0, 13.0)
    assert [down.excuses(failed("GET", at=at)) for at in (9.9, 10.0, 13.0, 13.1)] == [
        *(False, True, True, False)
    ]


CLEAR = '{"error": "database: not available. Send the same again."}'


@pytest.mark.parametrize(
    ("one", "excused"),
    [
        (failed("POST", at=15, status=503, reason=CLEAR), True),
        (failed("POST with key", at=15, status=503, reason=CLEAR), True),
        (failed("WebSocket", at=15, status=None, reason=CLEAR), True),
        (failed("POST", at=15, status=503, reason="The service is busy"), False),
        (failed("POST", at=15, status=500, reason=CLEAR), False),
        (failed("POST", at=25, status=503, reason=CLEAR), False),
        (failed("GET", at=15, status=503, reason=CLEAR), False),
        (failed("stream", at=15, status=503, reason=CLEAR), False),
    ],
)
def test_without_a_database_only_clear_refusals_may_be(one: Failed, excused: bool) -> None:
    assert NoDatabase(10.0, 20.0).excuses(one) is excused


def result(*details: FailureDetail, failures: int) -> Result:
    kinds = {"closed": KindResult(sent=failures, failed=failures)}
    return Result(1000.0, 9.0, "r", kinds, list(details), 0.0, 0.0, {}, {}, [], [])


def test_failures_are_sorted_as_in_the_table() -> None:
    details = [
        FailureDetail("closed", "bad_status", 1.5, "POST", "/api/chat", "", 502, "1f2e"),
        FailureDetail("open", "timeout", 2.0, "GET", "/", ""),
        FailureDetail("sse", "cut", 2.5, "GET", "/api/chat/stream", ""),
        FailureDetail("websocket", "cut", 3.0, "GET", "/ws", ""),
    ]
    log = {"1f2e": sent(VICTIM)}
    found = fault_judge.failed_in(result(*details, failures=4), log, keyed=False)
    assert [one.sort for one in found] == ["POST", "GET", "stream", "WebSocket"]
    assert (found[0].at, found[0].entry) == (1001.5, sent(VICTIM))
    assert fault_judge.sort_of(details[0], keyed=True) == "POST with key"
    assert fault_judge.count(found) == dict.fromkeys(["POST", "GET", "stream", "WebSocket"], 1)
    with pytest.raises(AssertionError, match="more failures than are kept in detail"):
        fault_judge.failed_in(result(*details, failures=5), log, keyed=False)


def test_a_row_shows_its_figures_beside_their_bars() -> None:
    row = Row("hang", {"POST": 3}, 1200, "9 in flight", 4.96, 5, None, 30, pause=0.04)
    shown = ["hang", 0, 3, 0, 0, 0, 1200, "9 in flight", "5.0 / 5", "never / 30", "0.0", "0/0"]
    assert row.cells() == shown
    row.problems.append("whole again after no time, not 30 s")
    assert row.cells()[0] == "hang ✗"
    assert Row("keeper killed").cells()[8:10] == ["-", "-"]
