# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a drill tells: its text, its lines and its figures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_report import (
    Course,
    Report,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import (
    Failure,
    TrafficResult,
)
from tests.unit.fakes.drill import QUIET


def report_of(seen: TrafficResult, **changes: Any) -> Report:
    whole: dict[str, Any] = {
        "fault": "hang",
        "victim": "chatbot-app-1",
        "rotates": True,
        "course": Course(4.14, 17.26),
        "patience": 90.0,
        "began": 2.0,
        "traffic": seen,
    }
    return Report(**{**whole, **changes})


def test_the_report_of_a_drill_without_failures() -> None:
    assert report_of(QUIET).lines == [
        "hang: chatbot-app-1 out of rotation after 4.1 s, whole again after 17.3 s",
        "0 of 1,204 requests failed, longest pause 0.4 s",
        "answers took 3 ms (p50), 9 ms (p95), 1,204 ms at most",
    ]


def test_the_report_of_a_drill_with_failures() -> None:
    failures = tuple(Failure(at, "timeout", kept_alive=False) for at in (1.94, 2.5, 3.31))
    seen = replace(QUIET, kinds={"timeout": 2, "502": 1}, failures=failures)
    report = report_of(seen)
    assert report.text == (
        "hang: chatbot-app-1 out of rotation after 4.1 s, whole again after 17.3 s; "
        "3 of 1,204 requests failed (timeout 2, 502 1), longest pause 0.4 s"
    )
    assert report.lines[2] == "those that failed were due from -0.1 s to +1.3 s of the fault"


@given(
    st.none() | st.floats(0, 300),
    st.none() | st.floats(0, 300),
    st.booleans(),
    st.sampled_from(["", "degraded: x"]),
)
def test_a_report_says_whether_it_was_mended(
    out: float | None, whole: float | None, rotates: bool, seen: str
) -> None:
    report = report_of(QUIET, course=Course(out, whole, seen), rotates=rotates)
    assert report.mended == (whole is not None)
    assert ("not whole again" in report.text) == (whole is None)
    assert ("rotation" in report.text) == rotates
    assert report.as_dict()["mended"] is report.mended
    assert json.loads(json.dumps(report.as_dict())) == report.as_dict()
