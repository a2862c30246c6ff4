# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hundred random faults, faster than they can be mended: in the end all is well, and no answer
was wrong.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.benchmarks.conftest import Show
from tests.benchmarks.rounds import table
from tests.e2e import faults
from tests.e2e.fault_watch import Watch
from tests.e2e.faults import Replica
from tests.e2e.stack import Stack, deployed
from tests.load.faults import Failure
from tests.load.result import Result

FAULTS = 200
SEED = 2_026
PAUSE = 1.5  # seconds between two faults, on average
LONGEST = 900.0  # seconds for everything
REPLICAS = 3

Harm = Callable[[Stack, Replica], None]

pytestmark = pytest.mark.benchmark


@pytest.fixture(name="stack", scope="module")
def stack_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three replicas of the demo."""
    folder = tmp_path_factory.mktemp("random")
    variables = {"replicas": REPLICAS, "app_env": {"CHATBOT_FAULTS": "1"}}
    with deployed("lbtest-random", 18330, folder, **variables) as stack:
        yield stack


def of_replica(fault: faults.Fault) -> Harm:
    """A fault of one replica."""
    return lambda _stack, victim: fault(victim)()


def of_keeper(number: signal.Signals) -> Harm:
    """A signal to the keeper."""
    return lambda stack, _victim: os.kill(faults.keeper_process(stack), number)


def kill_balancer(stack: Stack, _victim: Replica) -> None:
    """SIGKILL to nginx's master."""
    master = faults.balancer_process(stack)
    if master:
        os.kill(master, signal.SIGKILL)


def lose_members(stack: Stack, _victim: Replica) -> None:
    """The list of members is deleted."""
    (stack.root / "nginx" / "current" / "members.json").unlink()


def restart_engine(_stack: Stack, _victim: Replica) -> None:
    """The engine goes and comes."""
    faults.restart_engine()


#: What is done, and how often beside the others.
HARMS: dict[str, tuple[Harm, int]] = {
    "process killed": (of_replica(faults.crash), 30),
    "process hung": (of_replica(faults.hang), 15),
    "docker kill": (of_replica(faults.by_docker("kill")), 15),
    "docker stop": (of_replica(faults.by_docker("stop", "--time", "1")), 10),
    "docker rm -f": (of_replica(faults.by_docker("rm", "--force")), 20),
    "docker pause": (of_replica(faults.by_docker("pause")), 8),
    "health path answers 503": (of_replica(faults.ill("off")), 10),
    "health path never answers": (of_replica(faults.ill("hang")), 10),
    "cut off its network": (of_replica(faults.unplug), 15),
    "balancer killed": (kill_balancer, 5),
    "members.json deleted": (lose_members, 8),
    "keeper killed": (of_keeper(signal.SIGKILL), 8),
    "keeper hung": (of_keeper(signal.SIGSTOP), 4),
    "engine restarted": (restart_engine, 2),
}


def anyone(stack: Stack, chance: random.Random) -> Replica:
    """Any replica that is there, well or not."""
    found = sorted(stack.containers(), key=lambda one: str(one["name"]))
    one = chance.choice(found)
    address = faults.edge_address(one["id"])
    return Replica(one["id"], one["name"], address)


def harm(stack: Stack, chance: random.Random) -> tuple[str, bool]:
    """One random fault: its name, and whether there was still something to break."""
    weights = [often for _harm, often in HARMS.values()]
    (name,) = chance.choices(list(HARMS), weights)
    try:
        HARMS[name][0](stack, anyone(stack, chance))
    except (AssertionError, IndexError, KeyError, OSError):
        return name, False  # it is broken already
    return name, True


def wrong_answers(results: list[Result]) -> int:
    """Answers that were not what was asked for."""
    wrong = Failure.WRONG_ANSWER.value
    return sum(result.failures_by_kind.get(wrong, 0) for result in results)


def test_two_hundred_random_faults_end_well(stack: Stack, show: Show) -> None:
    """All of them within 15 minutes, the way back to three healthy replicas included."""
    chance = random.Random(SEED)
    begun = time.time()
    done: Counter[str] = Counter()
    vain = 0
    light = {"closed": 10, "think_time": 0.05, "open_rate": 10.0, "idle": 4, "get_path": "/"}
    short = {"sse": 2, "stream_tokens": 10, "websockets": 2, "ws_life": 3.0}
    quiet = {"open_rate": 0.0, "idle": 0, "sse": 0, "websockets": 0, "idempotency_key": True}
    with (
        Watch(stack) as watch,
        stack.traffic(**light, **short) as plain,
        stack.traffic(closed=5, think_time=0.05, **quiet) as keyed,
    ):
        while done.total() < FAULTS:
            name, hit = harm(stack, chance)
            done[name] += hit
            vain += not hit
            time.sleep(chance.uniform(0, 2 * PAUSE))
            assert time.time() < begun + LONGEST, f"only {done.total()} faults in {LONGEST:g} s"
        last = time.time()
        whole = watch.whole(last, begun + LONGEST - last)
        results = [plain.stop(), keyed.stop()]
    figures: list[list[object]] = [
        *([name, count] for name, count in sorted(done.items())),
        ["others, where that was broken already", vain],
        ["seconds for all of them", f"{last - begun:.0f}"],
        ["seconds until whole again", "never" if whole is None else f"{whole - last:.1f}"],
        ["requests", sum(result.sent for result in results)],
        ["failed", sum(result.failed for result in results)],
        ["failed with an Idempotency-Key", results[1].failed],
        ["longest pause (s)", f"{max(result.longest_pause for result in results):.1f}"],
        ["wrong answers", wrong_answers(results)],
    ]
    show(table([f"{FAULTS} faults, seed {SEED}", ""], figures))
    assert whole is not None, stack.status()
    assert stack.versions() == ["1"] * REPLICAS
    assert wrong_answers(results) == 0
    for result in results:
        assert stack.bookkeeping(result).exact, stack.bookkeeping(result)
