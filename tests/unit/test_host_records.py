# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Molecule's tests judge by: how a record of looks becomes counts and seconds."""

from __future__ import annotations

from tests.hosts.watch import Look, Record

ALL = ("app-1", "app-2")


def record(*looks: Look) -> Record:
    return Record(struck=100.0, looks=list(looks))


def ok(time: float) -> Look:
    return Look(time, "ok", 2, 2, ALL)


def ill(time: float) -> Look:
    return Look(time, "degraded", 1, 2, ALL[:1])


def test_seconds_count_from_the_strike() -> None:
    seen = record(ok(99.0), ok(100.5), ill(101.0), ill(103.0), ok(104.0), ok(105.0))
    assert (seen.degraded, seen.mended) == (1.0, 4.0)


def test_a_relapse_counts_to_its_end() -> None:
    assert record(ill(101.0), ok(102.0), ill(103.0), ok(106.0)).mended == 6.0


def test_what_was_before_the_strike_is_not_of_it() -> None:
    seen = record(ill(98.0), ok(99.0), ok(101.0))
    assert (seen.degraded, seen.mended) == (None, 0.0)


def test_silence_is_not_well_and_an_ill_end_is_not_mended() -> None:
    seen = record(ok(99.0), Look(101.0))
    assert (seen.degraded, seen.mended) == (1.0, None)
    assert record().mended is None


def test_the_fewest_are_healthy_ones_with_traffic_while_the_keeper_answers() -> None:
    assert record(ok(99.0), Look(100.0), ill(101.0)).fewest == 1
    assert record(Look(99.0, "ok", 2, 2, ())).fewest == 0
    assert record(Look(99.0)).fewest == 0
