# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From single probes to a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.health import (
    FAILING,
    PASSING,
    UNKNOWN,
    Health,
    HealthCheck,
    judge,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import Probe

CHECK = HealthCheck(8000, "/health", rise=2, fall=3)
PASS = Probe(True, 0.02, "", 200)
SICK = Probe(False, 0.03, "answered 503", 503)
SILENT = Probe(False, 1.0, "timed out", 0)


def after(probes: Iterable[Probe], check: HealthCheck = CHECK) -> list[Health]:
    """What is known after each of the probes, one a second from second 1 on."""
    found = []
    health = Health()
    for now, probe in enumerate(probes, start=1):
        health = judge(health, probe, check, float(now))
        found.append(health)
    return found


@pytest.mark.parametrize(
    ("probes", "verdicts"),
    [
        ("", ""),
        ("+", "?"),
        ("++", "?+"),
        ("--", "??"),
        ("---", "??-"),
        ("-+-+-", "?????"),
        ("--+--+", "??????"),
        ("++--+---", "?++++++-"),
        ("---+-++", "??----+"),
        ("++---++---", "?+++--+++-"),
    ],
)
def test_rise_2_and_fall_3(probes: str, verdicts: str) -> None:
    signs = {UNKNOWN: "?", PASSING: "+", FAILING: "-"}
    found = after(PASS if one == "+" else SICK for one in probes)
    assert "".join(signs[one.verdict] for one in found) == verdicts


def test_what_the_last_probe_said_is_kept() -> None:
    passed, sick, silent = after([PASS, SICK, SILENT])
    assert (passed.seconds, passed.reason, passed.answered) == (0.02, "", True)
    assert (sick.seconds, sick.reason, sick.answered) == (0.03, "answered 503", True)
    assert (silent.seconds, silent.reason, silent.answered) == (1.0, "timed out", False)


def test_a_verdict_holds_since_it_was_given() -> None:
    found = after([PASS, PASS, PASS, SICK, SICK, SICK, SICK])
    assert [one.since for one in found] == [1.0, 2.0, 2.0, 2.0, 2.0, 6.0, 6.0]


def test_one_probe_may_be_enough() -> None:
    check = HealthCheck(8000, "/health", rise=1, fall=1)
    found = after([SILENT, PASS, SICK], check)
    assert [one.verdict for one in found] == [FAILING, PASSING, FAILING]


@given(
    st.lists(st.sampled_from((PASS, SICK, SILENT)), max_size=40),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_a_verdict_is_the_last_long_enough_run(probes: list[Probe], rise: int, fall: int) -> None:
    expected = UNKNOWN
    for healthy, run in groupby(probes, key=lambda probe: probe.healthy):
        if len(list(run)) >= (rise if healthy else fall):
            expected = PASSING if healthy else FAILING
    found = after(probes, HealthCheck(8000, "/health", rise=rise, fall=fall))
    assert (found[-1].verdict if found else UNKNOWN) == expected


@given(st.lists(st.sampled_from((PASS, SICK, SILENT)), min_size=1, max_size=40))
def test_since_moves_only_with_the_verdict(probes: list[Probe]) -> None:
    found = after(probes)
    for now, (before, one) in enumerate(zip(found, found[1:]), start=2):
        assert one.since == (before.since if one.verdict == before.verdict else now)
