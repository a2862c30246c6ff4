# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statuses that count as healthy: three spellings of one and the same set of numbers."""

from __future__ import annotations

import fnmatch
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import (
    HEALTHY_STATUSES,
    HIGHEST,
    LOWEST,
    Statuses,
    is_in,
    parse_statuses,
    shell_patterns,
    statuses_text,
)

ALL = range(LOWEST, HIGHEST + 1)
RANGES = st.lists(
    st.tuples(st.sampled_from(ALL), st.sampled_from(ALL)).map(lambda two: (min(two), max(two))),
    min_size=1,
    max_size=6,
)


def written(ranges: list[tuple[int, int]]) -> str:
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


@pytest.mark.parametrize(
    ("text", "ranges", "patterns"),
    [
        ("200-399", ((200, 399),), "[23]??"),
        ("200", ((200, 200),), "200"),
        ("200-299", ((200, 299),), "2??"),
        ("200,204,300-399", ((200, 200), (204, 204), (300, 399)), "20[04]|3??"),
        ("200-204", ((200, 204),), "20[01234]"),
        ("200-229,401", ((200, 229), (401, 401)), "2[012]?|401"),
        (" 300 - 399 , 200-299", ((200, 399),), "[23]??"),
        ("250,200-299,299-300", ((200, 300),), "2??|300"),
        ("100-599", ((100, 599),), "[12345]??"),
    ],
)
def test_texts_ranges_patterns(text: str, ranges: Statuses, patterns: str) -> None:
    assert parse_statuses(text) == ranges
    assert shell_patterns(ranges) == patterns


def test_what_is_healthy_unless_somebody_says_otherwise() -> None:
    assert parse_statuses("200-399") == HEALTHY_STATUSES


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "200,", "20", "2000", "2xx", "2??", "-200", "200-", "200-299-300", "200 204"),
        *(
            "399-200",
            "099",
            "600",
            "99-200",
            "200-600",
            "+200",
            "２００",
            "200;204",
            "200\n,x",
            "[]",
        ),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(LoadBalancingError) as error:
        parse_statuses(text)
    assert str(error.value) == (
        f"{text!r} is not allowed: statuses from 100 to 599 such as 200-399 or 200,204,300-399."
    )


@given(RANGES)
def test_what_is_written_is_what_is_read(ranges: list[tuple[int, int]]) -> None:
    meant = {status for low, high in ranges for status in range(low, high + 1)}
    read = parse_statuses(written(ranges))
    assert {status for status in ALL if is_in(status, read)} == meant
    assert parse_statuses(statuses_text(read)) == read
    assert all(one[1] + 1 < other[0] for one, other in zip(read, read[1:]))


@given(RANGES)
def test_patterns_match_these_statuses_and_no_others(ranges: list[tuple[int, int]]) -> None:
    """fnmatch knows ``?`` and ``[…]`` as a shell does."""
    statuses = parse_statuses(written(ranges))
    patterns = shell_patterns(statuses)
    assert set(patterns) <= set("0123456789?[]|")
    for status in range(1000):
        matched = any(
            fnmatch.fnmatchcase(f"{status:03}", pattern) for pattern in patterns.split("|")
        )
        assert matched == is_in(status, statuses), status


def test_a_shell_reads_the_patterns_so() -> None:
    statuses = parse_statuses("200,204,310-329,401-403,500-599")
    script = (
        f'for s in $(seq 100 599); do case "$s" in {shell_patterns(statuses)}) echo $s;; esac; done'
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert [int(line) for line in done.stdout.split()] == [s for s in ALL if is_in(s, statuses)]
