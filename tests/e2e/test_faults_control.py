# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault matrix, its rows of what there is one of: balancer, keeper, engine, database, disk."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import faults
from tests.e2e.fault_judge import During, NoDatabase
from tests.e2e.fault_trial import Bar, trial
from tests.e2e.stack import Stack, deployed
from tests.e2e.test_faults import told

BALANCER_DOWN = 3.0  # seconds for which requests may fail
DATABASE_DOWN = 10.0
BACK_AT_ONCE = 2.0  # seconds after the database answers again
DISK = 64  # megabytes

pytestmark = pytest.mark.faults


def test_the_balancer_dies(faulty: Stack) -> None:
    """Requests fail while nothing listens, and no longer."""
    master = faults.balancer_process(faulty)
    with trial(faulty, "nginx master killed", Bar(whole=5)) as row:
        row.strike(lambda: os.kill(master, signal.SIGKILL))
        row.excuse = During(row.struck, row.struck + BALANCER_DOWN)
        row.row.allowed = f"for {BALANCER_DOWN:g} s"
        faults.wait_for(lambda: faults.balancer_process(faulty) not in (0, master), 30)
        served = faults.wait_for(lambda: answers(faulty) and time.time(), 30)
        row.wait_until_whole(lambda said: said["time"] >= served)


def answers(stack: Stack) -> bool:
    """Whether the balancer answers."""
    try:
        return bool(stack.get())
    except (OSError, ValueError):
        return False


@pytest.mark.parametrize(
    ("name", "number"),
    [("keeper killed", signal.SIGKILL), ("keeper hung (SIGSTOP)", signal.SIGSTOP)],
)
def test_the_keeper_dies_or_hangs(faulty: Stack, name: str, number: int) -> None:
    """Another one takes its place; nobody notices."""
    keeper = faults.keeper_process(faulty)
    with trial(faulty, name, Bar(whole=10)) as row:
        row.strike(lambda: os.kill(keeper, number))
        row.wait_until_whole(lambda said: said["pid"] != keeper)
        row.check(row.watch.nobody_left(row.struck), "a replica was taken out")


def damage(path: Path) -> None:
    """Half of a file, and no JSON."""
    path.write_bytes(path.read_bytes()[:40] + b"\0\0")


@pytest.mark.parametrize(("name", "harm"), [("damaged", damage), ("deleted", Path.unlink)])
def test_the_list_of_members_is_lost(
    faulty: Stack, name: str, harm: Callable[[Path], None]
) -> None:
    """It is written anew from what is there."""
    path = faulty.root / "nginx" / "current" / "members.json"
    before, generation = faulty.members(), faulty.status()["generation"]
    with trial(faulty, f"members.json {name}", Bar(whole=10)) as row:
        row.strike(lambda: harm(path))
        row.wait_until_whole(lambda said: said["generation"] > generation)
        row.check(faulty.members() == before, "others are published than before")


def test_the_engine_is_restarted(faulty: Stack) -> None:
    """With live-restore, the containers run on, and traffic with them."""
    before = faults.lives(faulty)
    with trial(faulty, "engine restarted", Bar(whole=30)) as row:
        row.strike(faults.restart_engine)
        answered = time.time()
        row.wait_until_whole(lambda said: said["time"] >= answered)
        row.check(row.watch.nobody_left(row.struck), "a replica was taken out")
        row.check(faults.lives(faulty) == before, "a replica was restarted")


def test_the_database_is_away(faulty: Stack) -> None:
    """What needs it is told so, clearly; the replicas are left alone, and serve again at once."""
    before = faults.lives(faulty)
    name = f"database stopped for {DATABASE_DOWN:g} s"
    with trial(faulty, name, Bar(whole=BACK_AT_ONCE)) as row:
        begin = time.time()
        with faults.database_down(faulty):
            row.strike(lambda: time.sleep(DATABASE_DOWN))
        back = time.time()
        row.row.allowed = "clear 503s"
        # The last refusals were asked for before it was back.
        row.excuse = NoDatabase(begin, back + BACK_AT_ONCE)
        row.wait_until_whole(lambda _said: answers_a_post(faulty), since=back)
        row.check(row.watch.nobody_left(row.struck), "a replica was taken out")
        row.check(faults.lives(faulty) == before, "a replica was restarted")


def answers_a_post(stack: Stack) -> bool:
    """Whether something that needs the database works."""
    try:
        return "count" in stack.get("/api/messages/count")
    except (OSError, ValueError):
        return False


def test_the_disk_is_full(tmp_path: Path) -> None:
    """Nothing can be published then, which is said; what was published serves on."""
    name = "lbtest-disk"
    root = Path("/opt") / name
    variables = {"replicas": 2, "app_env": {"CHATBOT_FAULTS": "1"}}
    with faults.small_disk(root, DISK), deployed(name, 18142, tmp_path, **variables) as stack:
        victim = faults.replicas(stack, 1)[0]
        before = stack.members()
        with trial(stack, "disk full under /opt/<stack>", Bar()) as row:
            with faults.full(root):
                row.strike(faults.ill("off")(victim), [victim])
                failed = row.watch.says_that(
                    lambda _said: bool(told(stack, "publish_failed", row.struck)), row.struck, 20
                )
                row.check(failed is not None, "the keeper does not say that it cannot publish")
                text = told(stack, "publish_failed", row.struck)
                row.check("No space left on device" in text, f"it says: {text}")
                row.check(stack.members() == before, "the last good list is gone")
            row.strike(lambda: None, [victim])
            row.wait_until_left()
            faults.health(victim, "on")
            row.wait_until_whole()
