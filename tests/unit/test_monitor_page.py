# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page and the courses that monitor.sh draws."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_baseline import take
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import Limits
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import (
    read_picture,
    read_series,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import report_of
from tests.unit.fakes.watched import (
    HOSTILE,
    NOON,
    SERIES,
    STATUS,
    hostile,
    loaded,
    mixed,
    status,
)
from tools.monitor.page import page
from tools.monitor.plots import Line, plot
from tools.monitor.screen import course_of, screen

VOID = {"meta", "link"}
VALUES = st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=40)


class Reader(HTMLParser):
    """What a browser sees: elements, attributes, text. Every element must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def written(data: dict[str, Any], baseline: bool = False, series: Any = None) -> Reader:
    kept = take(read_picture(status())) if baseline else None
    report = report_of(
        read_picture(data), read_series(SERIES if series is None else series), Limits(), kept
    )
    return Reader(page(report, NOON + 5))


def test_a_page() -> None:
    seen = written(loaded(response_p95=3.0), baseline=True)
    text = " ".join(" ".join(seen.text).split())
    for expected in (
        "2 of 2 replicas are healthy",
        "seen 2026-11-18T11:06:40Z written 2026-11-18T11:06:45Z",
        "the response time p95 is 3 s, the limit is 2 s (alert_p95_seconds)",
        "600 in 5 min",
        "response time p95: 0.25 s → 3 s, worse",
        "deploy succeeded, version 2, 2 replicas, release 4",
        "In: shop-app-2",
    ):
        assert expected in text
    assert seen.seen.count("svg") == 8
    assert ("class", "deploy") in seen.attributes


def test_a_page_needs_nothing_else() -> None:
    """No script, and no address but the empty icon."""
    seen = written(status(), baseline=True)
    assert "script" not in seen.seen
    addresses = [value for key, value in seen.attributes if key in ("src", "href", "action")]
    assert addresses == ["data:,"]
    assert not [key for key, _value in seen.attributes if key.startswith("on") or key == "style"]
    policy = next(value for key, value in seen.attributes if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"url\(|@import", "".join(seen.text))


def test_hostile_texts_stay_texts() -> None:
    names = {HOSTILE: SERIES["replicas"]["shop-app-1"]}
    seen = written(hostile(), series={**SERIES, "replicas": names})
    plain = written(status(deploy="x", maintenance=True))
    assert set(seen.seen) <= set(plain.seen)
    assert "script" not in seen.seen
    text = "".join(seen.text)
    assert "<script>alert(1)</script>" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


@given(mixed(STATUS), mixed(SERIES))
def test_whatever_answers_can_be_shown(told: Any, series: Any) -> None:
    data = {**status(), **told} if isinstance(told, dict) else status()
    course = read_series(series if isinstance(series, dict) else {})
    report = report_of(read_picture(data), course, Limits(), take(read_picture(status())))
    Reader(page(report, NOON))
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(screen(report, 80))
    shown = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(line.isprintable() for line in shown)


def test_a_deploy_and_maintenance_are_told() -> None:
    text = "".join(written(status(deploy="deploy by ann", maintenance=True)).text)
    assert "changed now: deploy by ann" in text
    assert "in maintenance" in text


def test_a_page_without_a_series() -> None:
    seen = written(status(), series={})
    assert "Nothing is known yet." in seen.text
    assert "svg" not in seen.seen


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_lines_stay_within_their_plot(rows: list[list[float | None]]) -> None:
    length = min(map(len, rows))
    times = [NOON + 5 * step for step in range(length)]
    drawn = plot("a <b>", " s", times, [Line("x", row[:length]) for row in rows], [NOON, NOON - 1])
    Reader(drawn)
    points = re.findall(r"[ML]([-\d.]+),([-\d.]+)", drawn)
    known = [value for row in rows for value in row[:length] if value is not None]
    assert len(points) == len(known)
    assert all(0 <= float(x) <= 100 and 0 <= float(y) <= 100 for x, y in points)
    assert drawn.count('class="deploy"') == (1 if known else 0)


@pytest.mark.parametrize(
    ("top", "shown"), [(0.0, "1 s"), (0.3, "0.5 s"), (1.0, "1 s"), (1.01, "2 s"), (7.0, "10 s")]
)
def test_the_scale_ends_at_a_round_number(top: float, shown: str) -> None:
    drawn = plot("a", " s", [NOON, NOON + 5], [Line("x", [top, None])])
    assert f'<span class="top-of">{shown}</span>' in drawn


@pytest.mark.parametrize(
    ("values", "width", "course"),
    [
        ([], 5, ""),
        ([1.0], 0, ""),
        ([0.0, 0.0], 5, "▁▁"),
        ([None, 1.0], 5, " █"),
        ([None, None], 5, "  "),
        ([0.0, 2.0, 4.0, 8.0], 4, "▁▃▅█"),
        ([0.0, 8.0, 0.0, 0.0], 2, "█▁"),
    ],
)
def test_courses(values: list[float | None], width: int, course: str) -> None:
    assert course_of(values, width) == course


@given(VALUES, st.integers(1, 60))
def test_a_course_fits_and_shows_its_highest(values: list[float | None], width: int) -> None:
    course = course_of(values, width)
    assert len(course) == min(width, len(values))
    if any(values):
        assert "█" in course
