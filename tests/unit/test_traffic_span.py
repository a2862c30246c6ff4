# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import read_field
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_span import (
    check_top,
    parse_span,
    seconds_at,
)

NOW = 1795964400.0  # 2026-11-29T15:00:00Z
ALLOWED = "a time ago such as 15m, 24h or 7d, or a time such as 2026-11-29T15:00:00Z"


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("90s", 90),
        ("15m", 900),
        ("24h", 86_400),
        ("7d", 604_800),
        ("2026-11-29T14:59:00Z", 60),
        ("2026-11-29T14:59:00", 60),
        ("2026-11-29 14:59", 60),
        ("2026-11-29T15:59:30.500+01:00", 29.5),
        ("2026-11-29", 15 * 3600),
    ],
)
def test_moments(text: str, before: float) -> None:
    assert seconds_at(text, NOW) == NOW - before


@pytest.mark.parametrize(
    "text",
    ["", "15", "m", "-1h", "1.5h", "15 m", "2026-13-01", "2026-11-29T25:00", "yesterday", "١٥m"],
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        seconds_at(text or " ", NOW)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone.utc)))
def test_a_time_in_iso_8601_is_read_as_it_was(time: datetime) -> None:
    assert seconds_at(time.isoformat(), NOW) == time.timestamp()


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        begin, end = parse_span(text, "", NOW)
    except LoadBalancingError:
        return
    assert end is None
    assert begin is None or begin < NOW


def test_a_span() -> None:
    assert parse_span("", "", NOW) == (None, None)
    assert parse_span("1h", "30m", NOW) == (NOW - 3600, NOW - 1800)
    assert parse_span("", "30m", NOW) == (None, NOW - 1800)


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        (
            *("soon", ""),
            f"traffic_since: 'soon' is not allowed: {ALLOWED}. Set the variable traffic_since.",
        ),
        (
            *("1h", "0001-01-01T00:00:00+23:59"),
            "traffic_since: '1h' is not allowed: a time before traffic_until, "
            "0001-01-01T00:00:00+23:59. Set the variable traffic_since.",
        ),
        (
            *("1h", "2026-02-30"),
            f"traffic_until: '2026-02-30' is not allowed: {ALLOWED}. "
            "Set the variable traffic_until.",
        ),
        (
            *("15m", "1h"),
            "traffic_since: '15m' is not allowed: a time before traffic_until, 1h. "
            "Set the variable traffic_since.",
        ),
        (
            *("2027-01-01", ""),
            "traffic_since: '2027-01-01' is not allowed: a time before now. "
            "Set the variable traffic_since.",
        ),
    ],
)
def test_spans_that_are_refused(since: str, until: str, text: str) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        parse_span(since, until, NOW)
    assert str(refused.value) == text


def test_how_long_lists_may_be() -> None:
    assert [check_top(top) for top in (1, 100)] == [1, 100]
    for top in (0, 101):
        with pytest.raises(LoadBalancingError) as refused:
            check_top(top)
        assert str(refused.value) == (
            f"traffic_top: {top} is not allowed: a whole number from 1 to 100. "
            "Set the variable traffic_top."
        )


def test_the_variables_are_read_before_anything_begins() -> None:
    assert read_field("traffic_since", " 15m ") == "15m"
    assert read_field("traffic_until", "2026-11-29 15:00:00+00:00") == "2026-11-29 15:00:00+00:00"
    for value in ("soon", 15, None, ["1h"], True):
        with pytest.raises(LoadBalancingError) as refused:
            read_field("traffic_since", value)
        assert str(refused.value) == (
            f"traffic_since: {value!r} is not allowed: {ALLOWED}. Set the variable traffic_since."
        )
