# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The search for what one replica takes at once, and what is made of it. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_measure import (
    MOST,
    Limits,
    Measurement,
    Seen,
    Step,
    judge,
    report,
    search,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

GOOD = Seen(requests=200, failed=0, p95=0.2, rate=40.0)
SLOW = Seen(requests=200, failed=0, p95=1.5, rate=40.0)
GONE = Seen(requests=200, failed=0, p95=0.2, rate=40.0, left=True)


class Replica:
    """Takes ``limit`` requests at once; ``asked`` is what was tried."""

    def __init__(self, limit: int, bad_moments: Sequence[int] = ()) -> None:
        self.limit = limit
        self.asked: list[int] = []
        self._bad_moments = list(bad_moments)

    def trial(self, concurrency: int) -> Seen:
        self.asked.append(concurrency)
        if concurrency in self._bad_moments:
            self._bad_moments.remove(concurrency)
            return SLOW
        return GOOD if concurrency <= self.limit else SLOW


def test_the_steps_of_a_search() -> None:
    replica = Replica(12)
    found = search(replica.trial, Limits(most=100))
    assert replica.asked == [1, 2, 4, 8, 16, 16, 12, 14, 14, 13, 13]
    assert (found.safe, found.found) == (12, True)
    assert found.text == "one replica takes 12 requests at once"


def test_one_bad_moment_is_no_limit() -> None:
    replica = Replica(12, bad_moments=[4])
    assert search(replica.trial, Limits()).safe == 12
    assert replica.asked[:5] == [1, 2, 4, 4, 8]


def test_the_most_that_is_tried_may_hold() -> None:
    replica = Replica(1000)
    found = search(replica.trial, Limits(most=50))
    assert replica.asked == [1, 2, 4, 8, 16, 32, 50]
    assert (found.safe, found.found) == (50, False)
    assert found.text == ("one replica takes at least 50 requests at once, the most that was tried")


def test_a_replica_that_the_keeper_takes_out_is_left_alone() -> None:
    asked = []

    def trial(concurrency: int) -> Seen:
        asked.append(concurrency)
        return GONE if concurrency >= 8 else GOOD

    assert search(trial, Limits()).safe == 4
    assert asked == [1, 2, 4, 8]


def test_not_even_one() -> None:
    found = search(Replica(0).trial, Limits())
    assert (found.safe, found.found, len(found.steps)) == (0, True, 2)


@given(st.integers(1, 700), st.integers(1, MOST))
def test_the_limit_is_found_to_a_tenth_in_few_steps(limit: int, most: int) -> None:
    replica = Replica(limit)
    found = search(replica.trial, Limits(most=most))
    assert found.safe <= min(limit, most)
    assert found.found == (limit < most)
    assert found.safe >= min(most, limit - max(1, limit / 10))
    assert max(replica.asked) <= most
    assert len(replica.asked) <= 22


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (GOOD, ""),
        (SLOW, "p95 above 1 s"),
        (GONE, "the keeper took the replica out"),
        (Seen(200, 2, 0.2, 40.0), ""),
        (Seen(200, 3, 0.2, 40.0), "more than 1 % failed"),
        (Seen(0, 0, 0.0, 0.0), "more than 1 % failed"),
    ],
)
def test_what_holds(seen: Seen, why: str) -> None:
    assert judge(seen, Limits()) == why


def test_what_crosses_to_ansible_and_what_people_read() -> None:
    steps = (Step(1, GOOD, ""), Step(2, SLOW, "p95 above 1 s"))
    found = Measurement(1, True, steps)
    assert found.as_dict() == {
        "safe_concurrency": 1,
        "limit_found": True,
        "steps": [
            {"concurrency": 1, "broke": "", **vars(GOOD)},
            {"concurrency": 2, "broke": "p95 above 1 s", **vars(SLOW)},
        ],
    }
    assert report(found, Limits()) == [
        "Measured: one replica takes 1 requests at once",
        "within p95 1 s and 1 % errors",
        "  1 at once: p95 0.200 s, 0 of 200 failed, 40.0/s",
        "  2 at once: p95 1.500 s, 0 of 200 failed, 40.0/s: p95 above 1 s",
        "To reckon with it again: -e capacity_safe_concurrency=1",
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"most": 0}, "measure_most: 0 is not allowed: a whole number from 1 to 500."),
        ({"p95_seconds": 0}, "measure_p95_seconds: 0 is not allowed: a number from 0.001 to 60."),
        ({"error_percent": 99}, "measure_error_percent: 99 is not allowed: a number from 0 to 50."),
        ({"step_seconds": 90}, "measure_step_seconds: 90 is not allowed: a number from 1 to 60."),
    ],
)
def test_limits_that_are_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(LoadBalancingError) as refused:
        Limits(**given)
    assert str(refused.value) == f"{text} Set the variable measure_{next(iter(given))}."
