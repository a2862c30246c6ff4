# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole rounds of the keeper when no replica is healthy: the check may be what is wrong, or what
all of them need; and they may come back together.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fakes.engine import HUNG, SICK
from tests.unit.fakes.kept import KeptHost

ALL = ["shop-app-1", "shop-app-2", "shop-app-3"]


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptHost:
    """A host with three replicas that are well, and a keeper that has made its first rounds."""
    there = KeptHost(tmp_path, monkeypatch)
    there.run(3)
    return there


def test_a_wrong_health_check_is_no_outage(there: KeptHost) -> None:
    for one in there.engine.of("app"):
        one.fault = SICK
    there.run(1000)
    assert (there.nginx.reloads, there.repairs) == (0, [])
    assert len(there.nginx.members) == 3
    assert (there.sight.state, there.sight.text) == (
        "down",
        "no replica is healthy; the members stay as they are",
    )
    assert "no replica is healthy; the members stay as they are" in there.lines(level="warning")
    for one in there.engine.of("app"):
        one.fault = ""
    assert there.until(there.is_whole) <= 3
    assert there.nginx.reloads == 0


def test_who_recovers_first_does_not_get_all_the_traffic(there: KeptHost) -> None:
    """A database that all of them need was away; they notice its return one after the other."""
    for one in there.engine.of("app"):
        one.fault = SICK
    there.run(20)
    there.app(3).fault = ""
    there.run()
    there.app(1).fault = there.app(2).fault = ""
    there.run(30)
    assert there.is_whole()
    assert (there.nginx.reloads, there.repairs) == (0, [])


def test_who_recovers_last_is_given_its_time(there: KeptHost) -> None:
    for one in there.engine.of("app"):
        one.fault = SICK
    there.run(20)
    for number in (1, 2, 3):
        there.app(number).fault = ""
        there.run(4)
    assert there.until(there.is_whole) <= 1
    assert there.repairs == []


def test_who_does_not_recover_like_the_others_is_restarted(there: KeptHost) -> None:
    for one in there.engine.of("app"):
        one.fault = SICK
    there.run(20)
    there.app(1).fault = there.app(2).fault = ""
    assert 11 <= there.until(lambda: bool(there.repairs)) <= 13
    assert there.repairs == [("restart", "shop-app-3")]


def test_one_good_answer_throws_out_nobody(there: KeptHost) -> None:
    """Overloaded, all of them, and one of them answers in time, once."""
    for one in there.engine.of("app"):
        one.fault = SICK
    for number in (1, 2, 3):
        there.run(10)
        there.app(number).fault = ""
        there.run()
        there.app(number).fault = SICK
    assert (there.nginx.reloads, there.repairs) == (0, [])


def test_while_one_after_the_other_begins_to_fail_nobody_is_thrown_out(there: KeptHost) -> None:
    """What all of them need is away, and their probes do not come at the same moment."""
    for one in there.engine.of("app"):
        there.run()
        one.fault = SICK
    there.run(30)
    assert (there.nginx.reloads, there.repairs) == (0, [])
    assert there.sight.state == "down"


def test_all_of_them_hang(there: KeptHost) -> None:
    for one in there.engine.of("app"):
        one.fault = HUNG
    assert there.until(there.is_whole, limit=60) <= 25
    assert there.repairs == [("restart", name) for name in ALL]


def test_all_of_them_were_stopped(there: KeptHost) -> None:
    for one in there.engine.of("app"):
        there.engine.end(one)
    assert there.until(there.is_whole, limit=60) <= 8
    assert sorted(there.repairs) == [("start", name) for name in ALL]


def test_the_last_one_that_is_ill_stays_while_it_answers(there: KeptHost) -> None:
    """Two hang, one says that it is ill: it may be the only one that serves."""
    there.app(1).fault = there.app(2).fault = HUNG
    there.app(3).fault = SICK
    there.until(lambda: there.repairs == [("restart", "shop-app-1")])
    assert len(there.nginx.members) == 3
    there.until(lambda: there.nginx.members == {"10.0.0.1"})
    assert there.until(there.is_whole, limit=60) <= 30
    assert there.repairs == [("restart", name) for name in ALL]
