# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper remembers of what it did, and when it is forgiven."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import (
    BALANCER,
    MISSING,
    Patience,
    Repair,
)
from tests.unit.fakes.memory import DEPLOY, Keeping, publication

RESTART = Repair("restart", "id2", "app-2", "it has been ill for 10 s")
CREATE = Repair("create", MISSING, "2 replicas", "1 of 3 are there", count=3)
BRING_UP = Repair("start", BALANCER, "the balancer", "it does not run")


@pytest.fixture(name="keeping")
def keeping_fixture() -> Keeping:
    """A memory that was shown nothing yet."""
    return Keeping()


# publications


def test_a_publication_says_who_joined_and_who_left(keeping: Keeping) -> None:
    keeping.see("well well well")
    keeping.memory.published(publication("1 2 3", "2 3 4 5"))
    keeping.memory.published(publication("1 2", "1 2 3"))
    keeping.memory.published(publication("1 2 3", "1"))
    keeping.memory.published(publication("1 2 3", "1 2 3"))
    assert keeping.told("members") == [
        "in: app-4, app-5; out: app-1; 4 members, generation 2",
        "in: app-3; 3 members, generation 2",
        "out: app-2, app-3; 1 members, generation 2",
    ]
    found = keeping.memory.snapshot(0.0)
    assert found
    assert found.counters["publishes"] == 3, "one that changed nothing does not count"


def test_a_publication_that_fails_is_tried_again_later_and_later(keeping: Keeping) -> None:
    pauses = []
    for _unused in range(8):
        keeping.memory.not_published("No space left on device.")
        began = keeping.clock.now
        while not keeping.memory.may_publish():
            keeping.clock.sleep(0.5)
        pauses.append(keeping.clock.now - began)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    keeping.memory.published(publication("1", "1"))
    keeping.memory.not_published("No space left on device.")
    keeping.clock.sleep(1)
    assert keeping.memory.may_publish()
    assert keeping.told("publish_failed")[0] == (
        "the members stay as they are, the new ones could not be published: "
        "No space left on device."
    )


def test_whom_the_keeper_took_out_under_a_deploy_is_remembered(keeping: Keeping) -> None:
    keeping.see("well well well")
    keeping.memory.published(publication("1 2 3", "1 3"))
    assert keeping.memory.ejected == set(), "no deploy runs"
    keeping.see("well ill well", "1 3", deploy=DEPLOY)
    keeping.memory.published(publication("1 2 3", "1"))
    assert keeping.memory.ejected == {"id2", "id3"}
    keeping.see("well ill well", "1", deploy=DEPLOY)
    keeping.memory.published(publication("1", "1 3"))
    assert keeping.memory.ejected == {"id2"}
    keeping.see("well ill well", "1 3")
    assert keeping.memory.ejected == set(), "the deploy has ended"


# repairs


def test_a_repair_that_was_not_begun_costs_no_patience(keeping: Keeping) -> None:
    keeping.see("well ill well")
    keeping.memory.repaired(RESTART, "", None)
    keeping.memory.repaired(RESTART, None, None)
    assert keeping.memory.patience == {}
    assert keeping.told("repair") == []


def test_a_repair_that_failed_counts_like_one_that_went_well(keeping: Keeping) -> None:
    keeping.see("well ill well")
    keeping.memory.repaired(RESTART, RESTART.text, None)
    keeping.memory.repaired(RESTART, None, LoadBalancingError("That failed."))
    assert keeping.memory.patience == {"id2": Patience(2, keeping.clock.now)}
    assert keeping.told("repair") == [
        "restart app-2: it has been ill for 10 s",
        "That failed.",
    ]
    found = keeping.memory.snapshot(0.0)
    assert found
    assert (found.counters["repairs"], found.replicas[1].restarts) == (2, 2)
    assert found.replicas[1].repair_at == keeping.clock.now + 20


@pytest.mark.parametrize("repair", [CREATE, BRING_UP])
def test_only_a_replica_can_be_in_a_crash_loop(keeping: Keeping, repair: Repair) -> None:
    keeping.see("well")
    for _unused in range(5):
        keeping.memory.repaired(repair, repair.text, None)
    assert keeping.told("crash_loop") == []


@pytest.mark.parametrize(
    ("repair", "bad"),
    [
        (CREATE, ("well", {})),
        (BRING_UP, ("well well well", {"balancer_runs": False})),
        (RESTART, ("well ill well", {})),
    ],
    ids=["create", "balancer", "restart"],
)
def test_what_lasts_for_a_minute_is_forgiven(
    keeping: Keeping, repair: Repair, bad: tuple[str, dict[str, Any]]
) -> None:
    """The balancer that is killed once a month is started at once each time."""
    words, changes = bad
    for _unused in range(3):
        keeping.see(words, **changes)
        keeping.memory.repaired(repair, repair.text, None)
        for _second in range(50):
            keeping.see("well well well")
    assert keeping.memory.patience[repair.replica].repairs == 3, "it did not last"
    for _second in range(11):
        keeping.see("well well well")
    assert keeping.memory.patience == {}


def test_who_stays_ill_is_not_forgiven(keeping: Keeping) -> None:
    """It serves on for longer than a minute, so it is not restarted."""
    keeping.see("well ill well")
    keeping.memory.repaired(RESTART, RESTART.text, None)
    for _second in range(400):
        keeping.see("well ill well")
    assert keeping.memory.patience["id2"].repairs == 1
