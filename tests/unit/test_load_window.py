# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rolling window and the series of its slots: what is counted, for how long, and of whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import load_window
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_request import (
    CLASSES,
    ERROR,
    GONE,
    LIMITED,
    Request,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_series import LoadSeries
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import (
    LoadWindow,
    Sample,
    percent,
    rounded,
)

FINE = CLASSES.index("2xx")
A, B = "chatbot-app-1", "chatbot-app-2"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def request(replica: str = A, status: int = FINE, seconds: float = 0.1, **more: Any) -> Request:
    values = {"first_byte": seconds / 2, "stream": False, "retried": False, **more}
    return Request(status, replica, seconds, **values)


@pytest.fixture(name="clock")
def clock_fixture() -> Clock:
    return Clock()


@pytest.fixture(name="window")
def window_fixture(clock: Clock) -> LoadWindow:
    return LoadWindow(clock)


def test_before_anything_has_happened(window: LoadWindow) -> None:
    assert window.as_dict([A]) == {
        "window_seconds": 300.0,
        "covered_seconds": 0.0,
        "requests": 0,
        "requests_per_minute": 0.0,
        "response_p50": None,
        "response_p95": None,
        "response_mean": None,
        "first_byte_p95": None,
        "error_percent": 0.0,
        "statuses": dict.fromkeys(CLASSES, 0),
        "limited": 0,
        "retried": 0,
        "cpu_percent": None,
        "memory_percent": None,
        "replicas": {
            A: {
                "requests": 0,
                "share_percent": 0.0,
                "error_percent": 0.0,
                "response_p95": None,
                "cpu_percent": None,
                "memory_percent": None,
            }
        },
    }


def test_what_is_told_of_some_requests(window: LoadWindow, clock: Clock) -> None:
    for _unused in range(6):
        window.add(request(A))
    window.add(request(B, ERROR, retried=True))
    window.add(request(B))
    window.add(request("", LIMITED, 0.0, first_byte=None))
    window.add(request(B, GONE, 60.0))
    clock.now += 30
    window.advance()
    window.use({A: Sample(0.5, 0.2), B: Sample(0.3, 0.8)})
    told = window.as_dict([A, B])
    assert json.loads(json.dumps(told)) == told
    assert (told["covered_seconds"], told["requests"], told["requests_per_minute"]) == (30, 10, 20)
    assert told["statuses"] == {**dict.fromkeys(CLASSES, 0), "2xx": 7, "5xx": 1, "429": 1, "499": 1}
    assert (told["limited"], told["retried"]) == (1, 1)
    assert told["error_percent"] == 12.5, "neither 429 nor 499 count"
    assert told["response_p95"] == told["response_p50"] == pytest.approx(0.1, rel=0.05)
    assert told["response_mean"] == pytest.approx(0.1)
    assert told["first_byte_p95"] == pytest.approx(0.05, rel=0.05)
    assert (told["cpu_percent"], told["memory_percent"]) == (40, 80)
    assert told["replicas"][A] == {
        "requests": 6,
        "share_percent": 66.67,
        "error_percent": 0.0,
        "response_p95": told["response_p95"],
        "cpu_percent": 50.0,
        "memory_percent": 20.0,
    }
    assert told["replicas"][B]["error_percent"] == 50.0


def test_streams_have_a_first_byte_but_no_response_time(window: LoadWindow) -> None:
    window.add(request(seconds=1800.0, first_byte=0.2, stream=True))
    told = window.as_dict([])
    assert (told["requests"], told["response_p95"], told["response_mean"]) == (1, None, None)
    assert told["first_byte_p95"] == pytest.approx(0.2, rel=0.05)


def test_a_replica_that_is_gone_is_told_of_as_long_as_its_requests(
    window: LoadWindow, clock: Clock
) -> None:
    window.add(request(B))
    window.use({B: Sample(0.5, 0.5)})
    told = window.as_dict([A])
    assert list(told["replicas"]) == [A, B]
    assert told["cpu_percent"] is None, "it does not run"
    clock.now += 299
    window.advance()
    assert list(window.as_dict([A])["replicas"]) == [A, B]
    clock.now += 5
    window.advance()
    assert list(window.as_dict([A])["replicas"]) == [A]


def test_the_processor_is_a_mean_of_the_window_and_the_memory_the_last_sample(
    window: LoadWindow, clock: Clock
) -> None:
    for cpu, memory in ((None, 0.1), (0.2, 0.9), (0.4, 0.3)):
        window.use({A: Sample(cpu, memory)})
        clock.now += 5
        window.advance()
    told = window.as_dict([A])
    assert (told["cpu_percent"], told["memory_percent"]) == (30, 30)


def test_a_host_that_slept_begins_anew(window: LoadWindow, clock: Clock) -> None:
    window.add(request())
    clock.now += 5
    window.advance()
    window.add(request())
    clock.now += 4000
    assert [slot.whole.requests for slot in window.advance()] == [1]
    told = window.as_dict([])
    assert (told["requests"], told["covered_seconds"]) == (0, 0)


def test_replicas_without_end_are_not_told_apart(
    window: LoadWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_window, "REPLICAS", 3)
    for number in range(10):
        window.add(request(f"chatbot-app-{number}"))
    told = window.as_dict([])
    assert (told["requests"], len(told["replicas"])) == (10, 3)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 40).map(lambda value: round(value, 1)),
            st.sampled_from([A, B, ""]),
            st.integers(0, len(CLASSES) - 1),
        ),
        max_size=60,
    )
)
def test_the_window_has_what_was_told_in_its_time(events: list[tuple[float, str, int]]) -> None:
    """Exactly what came in the time that it says to cover, whatever came when."""
    clock = Clock()
    window = LoadWindow(clock)
    told: list[tuple[float, str, int]] = []
    for pause, replica, status in events:
        clock.now += pause
        window.advance()
        window.add(request(replica, status))
        told.append((clock.now, replica, status))
        found = window.as_dict([])
        covered = found["covered_seconds"]
        assert covered <= min(300, clock.now - 1000 + 0.1)
        assert covered >= min(295, clock.now - 1000) - 0.1
        since = window._first.begin
        inside = [one for one in told if one[0] >= since]
        assert found["requests"] == len(inside)
        for index, name in enumerate(CLASSES):
            assert found["statuses"][name] == sum(1 for one in inside if one[2] == index)
        for name in (A, B):
            count = sum(1 for one in inside if one[1] == name)
            assert found["replicas"].get(name, {"requests": 0})["requests"] == count


@given(st.lists(st.floats(0, 120), max_size=30))
def test_every_slot_ends_once(pauses: list[float]) -> None:
    clock = Clock()
    window = LoadWindow(clock)
    ended = []
    for pause in pauses:
        clock.now += pause
        ended += window.advance()
    begins = [slot.begin for slot in ended]
    assert begins == [1000 + 5 * index for index in range(len(begins))]
    assert not window.due


def test_rounding() -> None:
    assert [rounded(value) for value in (None, 0.0, 1 / 3, 12345.6)] == [None, 0.0, 0.3333, 12350.0]
    assert [percent(value) for value in (None, 0.12345)] == [None, 12.35]


# the series


def test_the_series_has_one_value_for_each_step(window: LoadWindow, clock: Clock) -> None:
    series = LoadSeries()
    for _unused in range(10):
        window.add(request(A))
    window.use({A: Sample(0.5, 0.25)})
    clock.now += 5
    for slot in window.advance():
        series.add(slot, 2)
    window.add(request(B, ERROR))
    clock.now += 5
    for slot in window.advance():
        series.add(slot, None)
    clock.now += 1
    told = series.as_dict(clock.now, 5000.0)
    assert json.loads(json.dumps(told)) == told
    p95 = told["totals"]["response_p95"][0]
    assert told == {
        "step_seconds": 5.0,
        "times": [4994.0, 4999.0],
        "totals": {
            "requests_per_second": [2.0, 0.2],
            "error_percent": [0.0, 100.0],
            "response_p95": [p95, p95],
            "members": [2, None],
        },
        "replicas": {
            A: {
                "requests_per_second": [2.0, None],
                "response_p95": [p95, None],
                "cpu_percent": [50.0, None],
                "memory_percent": [25.0, None],
            },
            B: {
                "requests_per_second": [None, 0.2],
                "response_p95": [None, p95],
                "cpu_percent": [None, None],
                "memory_percent": [None, None],
            },
        },
    }


def test_the_series_forgets(window: LoadWindow, clock: Clock) -> None:
    series = LoadSeries(steps=3)
    window.add(request(A))
    for _unused in range(5):
        clock.now += 5
        for slot in window.advance():
            series.add(slot, 1)
    told = series.as_dict(clock.now, clock.now)
    assert (told["times"], told["replicas"]) == ([1015.0, 1020.0, 1025.0], {})
