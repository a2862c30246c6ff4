# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balancer itself is replaced under traffic, again and again, and nobody notices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack, assert_nothing_failed, deployed, docker, kill

IMAGE, OTHER = "digiz/nginx:1.30", "digiz/nginx:lbtest-other"
REQUESTS = 100_000
MIGRATION = Path("/proc/sys/net/ipv4/tcp_migrate_req")

pytestmark = pytest.mark.rollout


@pytest.fixture(name="stack", scope="module")
def stack_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two replicas of the demo behind a balancer that has an image under two names."""
    docker("tag", IMAGE, OTHER)
    try:
        with deployed(
            "lbtest-swap",
            18121,
            tmp_path_factory.mktemp("swap"),
            replicas=2,
            balancer_image=IMAGE,
            app_drain_timeout=60,
        ) as stack:
            yield stack
    finally:
        docker("rmi", OTHER)


def test_three_replacements_lose_nothing(stack: Stack) -> None:
    """Clients that keep their connections, new ones, silent ones, streams and WebSockets."""
    assert MIGRATION.read_text(encoding="ascii").strip() == "1"
    mix = {
        "think_time": 0.03,
        "open_rate": 200.0,
        "idle_max": 15.0,
        "stream_tokens": 40,
        "ws_life": 6.0,
    }
    seen = {balancer(stack)}
    with stack.traffic(**mix) as traffic:
        for image in (OTHER, IMAGE, OTHER):
            done = stack.must("deploy", balancer_image=image)
            print(*(line for line in done.output.splitlines() if "drained of" in line), sep="\n")
            seen.add(balancer(stack))
        traffic.wait_until(sent=REQUESTS, timeout=240)
        result = traffic.stop()
    print(f"\nthree replacements\n{result.table()}")
    assert_nothing_failed(result)
    assert result.requests >= REQUESTS
    assert len(seen) == 4, "a balancer was not replaced"


def test_a_run_that_changes_nothing_leaves_the_balancer(stack: Stack) -> None:
    before = balancer(stack)
    assert stack.must("deploy", balancer_image=image_of(before)).changed == 0
    assert balancer(stack) == before


def test_a_killed_replacement_is_tidied_by_the_keeper(stack: Stack) -> None:
    """SIGKILL while two balancers hold the ports: both serve, until the keeper leaves one."""
    wanted = OTHER if image_of(balancer(stack)) == IMAGE else IMAGE
    mix = {"closed": 8, "think_time": 0.05, "sse": 2, "stream_tokens": 10, "websockets": 2}
    with stack.traffic(**mix, ws_life=2.0) as traffic:
        process = stack.begin("deploy", balancer_image=wanted)
        deadline = time.monotonic() + 120
        while len(stack.containers("balancer")) < 2:
            assert process.poll() is None, stack.log.read_text(encoding="utf-8")[-4000:]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        kill(process, with_children=True)
        assert len(stack.containers("balancer")) == 2
        while len(stack.containers("balancer")) > 1:
            assert time.monotonic() < deadline, stack.containers("balancer")
            time.sleep(0.2)
        done = stack.must("deploy", balancer_image=wanted)
        result = traffic.stop()
    print(f"\na killed replacement\n{result.table()}")
    assert_nothing_failed(result)
    assert image_of(balancer(stack)) == wanted, done.output[-2000:]


def balancer(stack: Stack) -> str:
    """The only balancer there is, by its id."""
    (one,) = stack.containers("balancer")
    assert one["state"] == "running"
    return str(one["id"])


def image_of(container: str) -> str:
    """The image's name that a container was made from."""
    return docker("inspect", "--format={{.Config.Image}}", container).strip()
