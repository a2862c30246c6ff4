# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Baselines: what is worse, what is better, and how they are kept."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import watch_baseline
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_baseline import (
    FIGURES,
    compare,
    figures,
    from_mapping,
    take,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import read_picture
from tests.unit.fakes.watched import NOON, loaded, status

NAMES = [one.name for one in FIGURES]
VALUES = st.none() | st.floats(0, 1e6)
SETS = st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))
OPPOSITE = {"worse": "better", "better": "worse", "changed": "changed"}
TAKEN = take(read_picture(status()))


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> StackPaths:
    paths = StackPaths("shop", str(tmp_path))
    os.makedirs(paths.state)
    return paths


@pytest.mark.parametrize(
    ("name", "before", "now", "text"),
    [
        ("response_p50", 0.1, 0.121, None),
        ("response_p50", 0.1, 0.13, "response time p50: 0.1 s → 0.13 s, worse"),
        ("response_p95", 0.01, 0.06, None),
        ("response_p95", 0.01, 0.061, "response time p95: 0.01 s → 0.061 s, worse"),
        ("response_p95", 2.0, 1.5, "response time p95: 2 s → 1.5 s, better"),
        ("response_p95", 2.0, 1.6, None),
        ("first_byte_p95", 0.1, 1.0, "first byte p95: 0.1 s → 1 s, worse"),
        ("error_percent", 0.0, 0.5, None),
        ("error_percent", 0.0, 0.6, "errors: 0 % → 0.6 %, worse"),
        ("error_percent", 3.0, 0.0, "errors: 3 % → 0 %, better"),
        ("cpu_percent", 10.0, 15.0, None),
        ("cpu_percent", 10.0, 16.0, "CPU: 10 % → 16 %, worse"),
        ("memory_percent", 90.0, 81.0, None),
        ("memory_percent", 90.0, 80.0, "memory: 90 % → 80 %, better"),
        ("requests_per_minute", 100.0, 130.0, None),
        ("requests_per_minute", 100.0, 200.0, "requests a minute: 100 → 200, changed"),
        ("healthy", 3.0, 2.0, "healthy replicas: 3 → 2, worse"),
        ("healthy", 3.0, 4.0, "healthy replicas: 3 → 4, better"),
        ("response_p95", None, 1.0, None),
        ("response_p95", 1.0, None, None),
    ],
)
def test_what_differs(name: str, before: float | None, now: float | None, text: str | None) -> None:
    found = compare({name: before}, {name: now})
    assert [one.text for one in found] == ([text] if text else [])


@given(SETS)
def test_equal_figures_do_not_differ(values: dict[str, float | None]) -> None:
    assert compare(values, values) == ()


@given(SETS, SETS)
def test_what_is_worse_there_is_better_here(
    one: dict[str, float | None], other: dict[str, float | None]
) -> None:
    forward, back = compare(one, other), compare(other, one)
    assert {found.name: OPPOSITE[found.verdict] for found in forward} == {
        found.name: found.verdict for found in back
    }
    verdicts = [found.verdict for found in forward]
    assert verdicts == sorted(verdicts, key=["worse", "changed", "better"].index)


@given(st.sampled_from(NAMES), st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4))
def test_further_away_is_no_less_different(name: str, a: float, b: float, c: float) -> None:
    low, middle, high = sorted((a, b, c))
    if compare({name: low}, {name: middle}):
        assert compare({name: low}, {name: high})


def test_figures_of_a_picture() -> None:
    assert set(figures(read_picture(status()))) == set(NAMES)
    assert TAKEN.figures["response_p95"] == 0.25
    assert TAKEN.figures["healthy"] == 2.0
    assert (TAKEN.version, TAKEN.release, TAKEN.replicas, TAKEN.requests) == ("2", 4, 2, 600)
    idle = read_picture(loaded(requests=0, error_percent=0.0))
    assert figures(idle)["error_percent"] is None


def test_it_is_kept(paths: StackPaths) -> None:
    assert watch_baseline.read(paths) is None
    watch_baseline.save(paths, TAKEN)
    file = Path(paths.state, "baseline.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert (kept["date"], kept["time"], kept["version"]) == ("2026-11-18T11:06:40Z", NOON, "2")
    assert watch_baseline.read(paths) == TAKEN
    watch_baseline.save(paths, replace(TAKEN, version="3"))
    assert os.listdir(paths.state) == ["baseline.json"]
    watch_baseline.drop(paths)
    watch_baseline.drop(paths)
    assert os.listdir(paths.state) == []


@pytest.mark.parametrize(
    "damage",
    [
        {"figures": None},
        {"figures": []},
        {"figures": {"cpu_percent": "much"}},
        {"figures": {"cpu_percent": float("nan")}},
        {"time": 1e300},
        {"time": "x"},
        {"release": None},
        {"requests": float("inf")},
    ],
)
def test_a_damaged_one_is_none(damage: dict[str, Any]) -> None:
    assert from_mapping({**TAKEN.as_dict(), **damage}) is None


def test_what_the_host_refuses(paths: StackPaths) -> None:
    file = Path(paths.state, "baseline.json")
    file.mkdir()
    with pytest.raises(LoadBalancingError, match=r"baseline\.json cannot be removed: "):
        watch_baseline.drop(paths)
    with pytest.raises(LoadBalancingError, match=r"baseline\.json cannot be read: "):
        watch_baseline.read(paths)
