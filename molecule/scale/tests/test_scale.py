# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From three replicas to five and to two under traffic, as clients and the keeper saw it."""

from __future__ import annotations

import pytest

from tests.hosts.deployed import Deployed
from tests.hosts.watch import Record

BEFORE, MOST, AFTER = 3, 5, 2
REQUESTS = 1000


@pytest.fixture(name="seen", scope="module")
def seen_fixture(stack: Deployed) -> Record:
    """What was seen meanwhile."""
    return stack.record("scale")


def test_no_request_failed_and_no_stream_was_cut(seen: Record) -> None:
    assert seen.sent.requests >= REQUESTS
    assert (seen.sent.failed, seen.sent.streams_cut) == (0, 0), seen.sent.table()


def test_there_were_as_many_as_wanted(stack: Deployed, seen: Record) -> None:
    assert max(one.healthy for one in seen.looks) == MOST
    assert len(seen.sent.instances) == MOST
    assert stack.versions() == ["2"] * AFTER


def test_who_stays_is_left_alone(stack: Deployed, seen: Record) -> None:
    assert max(stack.created()) < seen.struck


def test_never_fewer_than_wanted_served(seen: Record) -> None:
    assert seen.fewest >= AFTER
