# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a line of the access log to what is counted, and what is counted since the start."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import load_totals
from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import parse_line
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_request import (
    CLASSES,
    Request,
    request_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_totals import (
    BOUNDS,
    REQUEST,
    STREAM,
    Buckets,
    Totals,
)

NAMES = {"172.18.0.3": "chatbot-app-1", "172.18.0.4": "chatbot-app-2"}


def line(**changes: Any) -> bytes:
    """A line as nginx writes it."""
    values = {
        "msec": 1795967698.341,
        "status": 200,
        "upstream_addr": "172.18.0.3:8000",
        "upstream_status": "200",
        "upstream_connect_time": "0.000",
        "upstream_header_time": "0.120",
        "upstream_response_time": "0.125",
        "request_time": 0.126,
        **changes,
    }
    return json.dumps(values).encode()


def counted(**changes: Any) -> Request | None:
    entry = parse_line(line(**changes))
    assert entry
    return request_of(entry, NAMES)


def kind(status: int) -> str:
    one = counted(status=status)
    return CLASSES[one.status] if one else ""


def test_a_request() -> None:
    assert counted() == Request(1, "chatbot-app-1", 0.126, 0.12, False, False)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        *((101, "1xx"), (200, "2xx"), (304, "3xx"), (404, "4xx"), (428, "4xx"), (430, "4xx")),
        *((500, "5xx"), (599, "5xx"), (700, "5xx"), (429, "429"), (499, "499"), (0, ""), (99, "")),
    ],
)
def test_classes_of_status(status: int, name: str) -> None:
    assert kind(status) == name


def test_a_request_that_no_replica_answered() -> None:
    none = {"upstream_addr": "", "upstream_header_time": "", "upstream_response_time": ""}
    assert counted(status=429, **none) == Request(5, "", 0.126, None, False, False)


def test_the_replica_that_answered_is_the_last_one_tried() -> None:
    one = counted(
        upstream_addr="172.18.0.3:8000, 172.18.0.4:8000",
        upstream_status="502, 200",
        upstream_connect_time="-, 0.000",
        upstream_header_time="-, 0.050",
        upstream_response_time="1.000, 0.060",
    )
    assert one == Request(1, "chatbot-app-2", 0.126, 1.05, False, True)


def test_an_address_that_nobody_knows() -> None:
    one = counted(upstream_addr="172.18.0.9:8000")
    assert one
    assert one.replica == ""


@pytest.mark.parametrize(
    ("changes", "stream"),
    [
        ({"status": 101, "request_time": 0.2}, True),
        ({"request_time": 5.0, "upstream_response_time": "5.0"}, True),
        ({"request_time": 1.2, "upstream_response_time": "1.12"}, True),
        ({"request_time": 1.2, "upstream_response_time": "1.11"}, False),
        # a slow answer that came at once in the end, a slow client
        ({"request_time": 9.0, "upstream_header_time": "9", "upstream_response_time": "9"}, False),
        ({"request_time": 9.0}, False),
        ({"request_time": 9.0, "upstream_header_time": "-"}, False),
        ({"request_time": 9.0, "upstream_addr": ""}, False),
        (
            {
                "request_time": 9.0,
                "upstream_addr": "172.18.0.4:8000, 172.18.0.3:8000",
                "upstream_header_time": "-, 0.1",
                "upstream_response_time": "1.0, 8.0",
            },
            True,
        ),
    ],
)
def test_what_is_a_stream(changes: dict[str, Any], stream: bool) -> None:
    one = counted(**changes)
    assert one
    assert one.stream is stream


# since the start


def test_totals() -> None:
    totals = Totals()
    totals.add(Request(1, "a", 0.2, 0.1, False, False))
    totals.add(Request(1, "a", 90.0, 0.004, True, False))
    totals.add(Request(4, "b", 0.005, None, False, False))
    totals.add(Request(5, "", 0.0, None, False, False))
    totals.add(Request(6, "b", 30.0, 20.0, False, False))
    assert totals.classes == [0, 2, 0, 0, 1, 1, 1]
    assert totals.replicas == {"a": [0, 2, 0, 0, 0, 0, 0], "b": [0, 0, 0, 0, 1, 0, 1]}
    durations = totals.durations[REQUEST]
    assert durations.sum == pytest.approx(0.205)
    assert durations.cumulative()[0] == ("0.005", 1)
    assert durations.cumulative()[-1] == ("+Inf", 2)
    assert totals.durations[STREAM].cumulative()[-2:] == [("60.0", 0), ("+Inf", 1)]
    assert totals.first_bytes[REQUEST].cumulative()[-1] == ("+Inf", 1)
    assert totals.first_bytes[STREAM].cumulative()[0] == ("0.005", 1)
    totals.keep({"b", "c"})
    assert list(totals.replicas) == ["b"]


def test_replicas_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_totals, "REPLICAS", 2)
    totals = Totals()
    for name in "abcab":
        totals.add(Request(1, name, 0.1, None, False, False))
    assert totals.replicas == {"a": [0, 2, 0, 0, 0, 0, 0], "b": [0, 2, 0, 0, 0, 0, 0]}
    assert totals.classes[1] == 5


@given(st.lists(st.floats(0, 120)))
def test_buckets_count_what_does_not_exceed_their_bound(values: list[float]) -> None:
    buckets = Buckets()
    for value in values:
        buckets.add(value)
    assert buckets.cumulative() == [
        *((str(bound), sum(1 for value in values if value <= bound)) for bound in BOUNDS),
        ("+Inf", len(values)),
    ]
