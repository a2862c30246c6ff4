# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An update from version 1 to 2 under traffic, as clients and the keeper saw it."""

from __future__ import annotations

import pytest

from tests.hosts.deployed import Deployed
from tests.hosts.watch import Record

REPLICAS = 3
REQUESTS = 1000


@pytest.fixture(name="seen", scope="module")
def seen_fixture(stack: Deployed) -> Record:
    """What was seen meanwhile."""
    return stack.record("rolling_update")


def test_no_request_failed_and_no_stream_was_cut(seen: Record) -> None:
    assert seen.sent.requests >= REQUESTS
    assert (seen.sent.failed, seen.sent.streams_cut) == (0, 0), seen.sent.table()


def test_clients_saw_both_versions_and_no_other(seen: Record) -> None:
    assert set(seen.sent.versions) == {"1", "2"}


def test_all_replicas_are_new_ones_of_the_new_version(stack: Deployed, seen: Record) -> None:
    assert stack.versions() == ["2"] * REPLICAS
    assert min(stack.created()) > seen.struck


def test_never_fewer_than_wanted_served(seen: Record) -> None:
    assert seen.fewest >= REPLICAS
