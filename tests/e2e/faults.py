# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults: what breaks a replica, the balancer, the keeper or the engine, as in real life."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_service
from tests.e2e.fault_watch import APP_PORT
from tests.e2e.stack import Stack, children, docker

ENGINE_PID_FILE = Path("/run/docker.pid")
ENGINE_TIMEOUT = 60.0  # seconds
POLL = 0.02


Fault = Callable[..., Callable[[], None]]
"""Prepares a fault of the replicas that it is given; what it gives back does it, at once."""


@dataclass(frozen=True)
class Replica:
    """A replica as it is published."""

    id: str
    name: str
    address: str


def replicas(stack: Stack, count: int) -> list[Replica]:
    """The replicas to hit: members that are well, first those that were repaired least lately, so
    that the back-off after earlier faults does not show in the figures of the next one.
    """
    status = stack.status()
    well = [one for one in status["replicas"] if one["member"] and one["state"] == "healthy"]
    well.sort(key=lambda one: (one["repair_at"], one["restarts"], one["number"]))
    return [Replica(one["id"], one["name"], one["address"]) for one in well[:count]]


def inspect(container: str) -> dict[str, Any]:
    """What the engine knows of a container."""
    found: dict[str, Any] = json.loads(docker("inspect", container))[0]
    return found


def edge_address(container: str) -> str:
    """The address under which the balancer reaches a replica; empty while it has none."""
    networks = inspect(container)["NetworkSettings"]["Networks"]
    return next((one["IPAddress"] for name, one in networks.items() if name.endswith("_edge")), "")


def lives(stack: Stack) -> dict[str, str]:
    """When each replica was started last, by its id: another moment is a restart."""
    return {one["id"]: inspect(one["id"])["State"]["StartedAt"] for one in stack.containers()}


# replicas


def application(replica: Replica) -> list[int]:
    """The host's ids of the application's processes: Docker's own init is not one of them."""
    first = first_process(replica.id)
    found = children(first) if first else []
    for parent in found:
        found += children(parent)
    return found


def send(number: signal.Signals, victims: Iterable[Replica]) -> Callable[[], None]:
    """What sends a signal to the applications of these, all at the same moment."""
    processes = [pid for victim in victims for pid in application(victim)]
    assert processes

    def strike() -> None:
        for pid in processes:
            os.kill(pid, number)

    return strike


def crash(*victims: Replica) -> Callable[[], None]:
    """The application ends by SIGKILL, as when the memory is gone."""
    return send(signal.SIGKILL, victims)


def hang(*victims: Replica) -> Callable[[], None]:
    """The application runs and does nothing any more."""
    return send(signal.SIGSTOP, victims)


def by_docker(*command: str) -> Fault:
    """A docker command with the containers' ids behind it; it returns when all is done."""

    def fault(*victims: Replica) -> Callable[[], None]:
        return lambda: print(docker(*command, *(victim.id for victim in victims)))

    return fault


def unplug(victim: Replica) -> Callable[[], None]:
    """It is cut off the network on which the balancer reaches it."""
    network = inspect(victim.id)["Config"]["Labels"]["com.docker.compose.project"] + "_edge"
    return lambda: print(docker("network", "disconnect", "--force", network, victim.id))


def ill(state: str) -> Fault:
    """The health path answers 503 (off) or never (hang), the rest works."""

    def fault(*victims: Replica) -> Callable[[], None]:
        def strike() -> None:
            for victim in victims:
                health(victim, state)

        return strike

    return fault


def health(replica: Replica, state: str) -> None:
    """Set what the health path of this replica does: on, off or hang."""
    url = f"http://{replica.address}:{APP_PORT}/fault/health/{state}"
    with urlopen(Request(url, method="POST"), timeout=5) as answer:
        assert json.loads(answer.read()) == {"health": state}


@dataclass(frozen=True)
class Round:
    """One round of a crash loop: seconds from the end of the application to its next start, and
    when that start was killed.
    """

    pause: float
    killed: float


def crash_again_and_again(replica: Replica, times: int) -> list[Round]:
    """Kill the application each time it comes up. The last start is left alone."""
    rounds: list[Round] = []
    pid = first_process(replica.id)
    for _number in range(times):
        crash(replica)()
        killed = time.time()
        pid = started_again(replica, pid)
        rounds.append(Round(time.time() - killed, killed))
        wait_for(lambda: application(replica), 10)
    return rounds


def started_again(replica: Replica, before: int) -> int:
    """Wait for another first process than the one before, and give it."""
    return int(wait_for(lambda: {first_process(replica.id)} - {0, before}, 60).pop())


def first_process(container: str) -> int:
    """The host's id of a container's first process, 0 if none runs."""
    return int(inspect(container)["State"]["Pid"])


# what there is one of


def balancer_process(stack: Stack) -> int:
    """nginx's master."""
    return first_process(stack.containers("balancer")[0]["id"])


def keeper_process(stack: Stack) -> int:
    """The keeper, as it says itself."""
    return int(stack.status()["pid"])


def restart_engine() -> None:
    """End the engine and start it again, as an upgrade of its package does."""
    pid = int(ENGINE_PID_FILE.read_text(encoding="ascii"))
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), ENGINE_TIMEOUT)
    engine_service.start_directly()
    assert engine_service.wait_until_answers(ENGINE_TIMEOUT)


@contextmanager
def database_down(stack: Stack) -> Iterator[None]:
    """The database is stopped; afterwards it runs and answers again."""
    name = stack.containers("database")[0]["name"]
    docker("stop", name)
    try:
        yield
    finally:
        docker("start", name)
        ready = ["docker", "exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "chatbot"]
        wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, 30)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of its own at a folder; taken away at the end, whoever still uses it."""
    folder.mkdir()
    size = f"size={megabytes}m,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
        folder.rmdir()


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """A file system without a byte left."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass  # that was the last byte
        yield
    finally:
        filler.unlink()


def wait_for(condition: Callable[[], Any], timeout: float, poll: float = POLL) -> Any:
    """Wait until something holds, and give it."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {timeout:g} s"
        time.sleep(poll)
    return found
