# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each fault as the keeper and the clients saw it: degraded, then mended, in seconds."""

from __future__ import annotations

import pytest

from tests.hosts.deployed import Deployed
from tests.hosts.watch import Record

REPLICAS = 3
DEGRADED = {"crash": 2.0, "stop": 2.0, "hang": 5.0, "sick": 5.0, "balancer": 2.0, "restart": 30.0}
MENDED = {"crash": 15.0, "stop": 30.0, "hang": 30.0, "sick": 30.0, "balancer": 5.0, "restart": 60.0}
OF_ONE_REPLICA = ["crash", "stop", "hang", "sick"]
BALANCER_DOWN = 3.0  # seconds for which requests may fail


@pytest.fixture(name="seen", scope="module")
def seen_fixture(stack: Deployed) -> dict[str, Record]:
    """What was seen of each fault."""
    return {fault: stack.record(fault) for fault in MENDED}


@pytest.mark.parametrize(("fault", "seconds"), DEGRADED.items())
def test_degraded(seen: dict[str, Record], fault: str, seconds: float) -> None:
    degraded = seen[fault].degraded
    assert degraded is not None
    assert degraded <= seconds


@pytest.mark.parametrize(("fault", "seconds"), MENDED.items())
def test_mended(seen: dict[str, Record], fault: str, seconds: float) -> None:
    mended = seen[fault].mended
    assert mended is not None
    assert mended <= seconds
    print(f"\n{fault}: degraded after {seen[fault].degraded:.1f} s, mended after {mended:.1f} s")


@pytest.mark.parametrize("fault", OF_ONE_REPLICA)
def test_no_request_failed_with_a_replica(seen: dict[str, Record], fault: str) -> None:
    assert seen[fault].sent.ok > 0
    assert seen[fault].sent.failed == 0, seen[fault].sent.table()


@pytest.mark.parametrize("fault", OF_ONE_REPLICA)
def test_all_others_served_meanwhile(seen: dict[str, Record], fault: str) -> None:
    assert seen[fault].fewest == REPLICAS - 1


def test_requests_failed_with_the_balancer_no_longer_than_it_was_down(
    seen: dict[str, Record],
) -> None:
    record = seen["balancer"]
    failed = [record.sent.started_at + one.second for one in record.sent.failures]
    assert len(failed) == record.sent.failed > 0
    assert max(failed) <= record.struck + BALANCER_DOWN
