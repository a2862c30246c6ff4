# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release that never got healthy: its deploy said why, and nothing else came of it."""

from __future__ import annotations

import pytest

from tests.hosts.deployed import Deployed, results
from tests.hosts.watch import Record

REPLICAS = 3
REQUESTS = 1000
REASON = ["did not become healthy within 6 s", "/health", "Its last lines", "9999"]


@pytest.fixture(name="seen", scope="module")
def seen_fixture(stack: Deployed) -> Record:
    """What was seen meanwhile."""
    return stack.record("bad_release")


@pytest.mark.parametrize("text", REASON)
def test_the_deploy_said_why_it_failed(stack: Deployed, text: str) -> None:
    said = (results() / f"bad_release-{stack.name}.log").read_text(encoding="utf-8")
    assert text in said


def test_no_request_failed_and_no_stream_was_cut(seen: Record) -> None:
    assert seen.sent.requests >= REQUESTS
    assert (seen.sent.failed, seen.sent.streams_cut) == (0, 0), seen.sent.table()


def test_clients_saw_what_served_before_and_nothing_else(seen: Record) -> None:
    assert set(seen.sent.versions) == {"1"}
    assert len(seen.sent.instances) == REPLICAS
    assert seen.fewest >= REPLICAS


def test_the_same_replicas_run(stack: Deployed, seen: Record) -> None:
    assert stack.versions() == ["1"] * REPLICAS
    assert max(stack.created()) < seen.struck
