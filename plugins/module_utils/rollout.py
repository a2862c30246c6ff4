# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry a plan out, one step at a time: start, join, drain, stop.

Every step is defined by what holds after it, looks at the world before it acts, and says in a
sentence what it did. A step that no longer fits what is there (a replica died meanwhile) does
nothing and says so: plan again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import replicas as planner
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import Member
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    REPLICA,
    DockerHost,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import (
    Probe,
    is_healthy,
    probe,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    Desired,
    Observed,
    Replica,
    Step,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

POLL = 0.2
MAX_RESTARTS = 3
"""A new replica that its engine has restarted so often does not come up any more."""

ENDED = ("created", "exited", "dead", "restarting")
"""Docker's words for a container whose program does not run."""

QUIET_CHECKS = 2
"""Looks in a row that must find no connection: between two looks a request may be on its way."""


@dataclass(frozen=True)
class Outcome:
    """What a step did. ``stale``: nothing, because the plan no longer fits; ``details`` are figures
    for programs.
    """

    text: str
    changed: bool = True
    stale: bool = False
    details: dict[str, Any] = field(default_factory=dict)


class Rollout:
    """A stack's replicas on one host, and the way from what is to what is wanted."""

    def __init__(self, stack: Stack, host: DockerHost) -> None:
        self.stack = stack
        self._host = host
        self._balancer = Balancer.of(stack, host)

    def desired(self) -> Desired:
        """What is wanted; the image's id is looked up, since a name may mean another image than
        yesterday.
        """
        image_id = self._host.image_id(self.stack.image)
        return Desired(self.stack.count, self.stack.revision, image_id, self.stack.surge)

    def observe(self) -> Observed:
        """What is there: containers, their health by our own probe, and who is published."""
        published = {m.id: m.address for m in self._balancer.published().members}
        return Observed(
            self._host.replicas(self._is_healthy), published, self._balancer.is_served()
        )

    def carry_out(self, step: Step) -> Outcome:
        """Carry one step out. Raises LoadBalancingError if it fails; what served before still
        serves then.
        """
        actions = {
            planner.START: self._start,
            planner.JOIN: self._join,
            planner.DRAIN: self._drain,
            planner.STOP: self._stop,
        }
        return actions[step.action](step)

    def _is_healthy(self, address: str) -> bool:
        stack = self.stack
        health = (stack.health_fall, stack.health_timeout, stack.health_statuses)
        return is_healthy(address, stack.port, stack.health_path, *health)

    def _probe(self, address: str) -> Probe:
        stack = self.stack
        health = (stack.health_timeout, stack.health_statuses)
        return probe(address, stack.port, stack.health_path, *health)

    # start

    def _start(self, step: Step) -> Outcome:
        desired = self.desired()
        if not desired.image_id:
            raise LoadBalancingError(
                f"The image {self.stack.image} is not on the host. "
                "Correct app_image or app_version, or make it available."
            )
        before = self._host.replicas(self._is_healthy)
        current = [r for r in before if desired.is_met_by(r)]
        healthy = [r for r in current if r.state == planner.HEALTHY]
        starting = [r for r in current if r.state == planner.STARTING]
        create = step.count - len(healthy) - len(starting)
        started = time.monotonic()
        if create > 0:
            self._create(len(before) + create, {r.id for r in before})
        known = {r.id for r in before if r not in starting}
        ready = self._wait_until_healthy(desired, known, {r.id for r in starting}, started)
        there = len(healthy) + len(ready)
        if there < step.count:
            text = f"{there} of {step.count} are there, others were removed meanwhile: plan again"
            return Outcome(text, changed=create > 0, stale=True)
        if not ready:
            return Outcome("all of the wanted version are healthy", changed=False)
        words = [f"{name} healthy after {seconds:.1f} s" for name, seconds in ready.items()]
        return Outcome(", ".join(words), details={"seconds_to_healthy": ready})

    def _create(self, scale: int, before: set[str]) -> None:
        """Let Compose add replicas; if it fails, those that it made meanwhile are removed."""
        arguments = ["up", "--detach", "--no-recreate", "--no-deps", "--no-build"]
        try:
            self._host.compose(*arguments, "--pull", "never", "--scale", f"app={scale}", "app")
        except LoadBalancingError:
            with contextlib.suppress(LoadBalancingError):
                made = self._host.replicas(lambda address: True)
                self._remove([replica for replica in made if replica.id not in before])
            raise

    def _wait_until_healthy(
        self, desired: Desired, known: set[str], starting: set[str], started: float
    ) -> dict[str, float]:
        """Seconds to healthy by name, of all that are not ``known``; on failure those are removed
        that were started here, and those of an earlier run (``starting``) that are still not well.
        """
        rise = self.stack.health_rise
        passed: dict[str, int] = {}
        ready: dict[str, float] = {}
        restarts = {one: self._host.inspect(one).get("RestartCount", 0) for one in starting}
        deadline = started + self.stack.start_timeout
        while True:
            found = self._host.replicas(lambda address: True)
            found = tuple(r for r in found if desired.is_met_by(r) and r.id not in known)
            waiting = [r for r in found if passed.get(r.id, 0) < rise]
            for replica in waiting:
                passed[replica.id] = self._probe_again(replica, passed.get(replica.id, 0))
                if passed[replica.id] >= rise:
                    ready[replica.name] = round(time.monotonic() - started, 1)
            waiting = [r for r in waiting if passed[r.id] < rise]
            if not waiting:
                return {r.name: ready[r.name] for r in found}
            reasons = {r: self._reason(r, restarts.get(r.id, 0)) for r in waiting}
            failed = [r for r in waiting if reasons[r]]
            if failed or time.monotonic() > deadline:
                first = (failed or waiting)[0]
                remove = [r for r in found if r in waiting or r.id not in starting]
                self._give_up(first, reasons[first] or self._illness(first), remove)
            time.sleep(POLL)

    def _probe_again(self, replica: Replica, passed: int) -> int:
        if not replica.address:
            return 0
        return passed + 1 if self._probe(replica.address).healthy else 0

    def _reason(self, replica: Replica, restarts_before: int) -> str:
        """Why a replica does not come up any more, empty while it still may."""
        found = self._host.inspect(replica.id)
        state = found.get("State", {})
        restarts = found.get("RestartCount", 0) - restarts_before
        ended = state.get("Status") in ENDED
        if not ended and restarts >= MAX_RESTARTS:
            return f"does not stay up: it was started again {restarts} times"
        if not ended or (state["Status"] == "restarting" and restarts < MAX_RESTARTS):
            return ""
        error = f" ({state['Error']})" if state.get("Error") else ""
        return f"ended with exit status {state.get('ExitCode')}{error}"

    def _illness(self, replica: Replica) -> str:
        """What a replica answers when its time is over."""
        reason = "it has no address"
        if replica.address:
            reason = self._probe(replica.address).reason or "flapping"
        return (
            f"did not become healthy within {self.stack.start_timeout:g} s "
            f"({self.stack.health_path}: {reason})"
        )

    def _give_up(self, first: Replica, why: str, remove: Iterable[Replica]) -> None:
        """Remove what was started and say why, with the last lines of the first one that failed."""
        try:
            logs = self._host.logs(first.id) or "(it printed nothing)"
        except LoadBalancingError as error:
            logs = f"({error})"
        what_now = (
            "It was removed; what served before still serves."
            if first in self._remove(remove)
            else "It stays, because it is a member."
        )
        raise LoadBalancingError(f"{first.name} {why}. {what_now} Its last lines:\n{logs}")

    def _remove(self, replicas: Iterable[Replica]) -> list[Replica]:
        """Remove those that are no members; gives them."""
        members = {m.id for m in self._balancer.published().members}
        gone = [replica for replica in replicas if replica.id not in members]
        for replica in gone:
            self._host.stop_and_remove(replica.id, self.stack.stop_grace)
        return gone

    # join

    def _join(self, step: Step) -> Outcome:
        chosen = planner.select_members(self.observe(), self.desired())
        kept = [r.name for r in chosen if r.id in step.replicas]
        if kept or not chosen:
            why = f"{', '.join(kept)} must stay" if kept else "nobody is healthy"
            return Outcome(f"{why}: plan again", changed=False, stale=True)
        members = [Member(r.id, r.name, r.address, self.stack.port) for r in chosen]
        done = self._balancer.publish(members)
        joined = sorted(
            {m.name for m in done.after.members} - {m.name for m in done.before.members}
        )
        left = sorted({m.name for m in done.before.members} - {m.name for m in done.after.members})
        words = [f"in: {', '.join(joined)}"] if joined else []
        words += [f"out: {', '.join(left)}"] if left else []
        words += [f"{len(members)} members, generation {done.after.generation}"]
        return Outcome(
            "; ".join(words),
            changed=done.changed,
            details={"generation": done.after.generation, "joined": joined, "left": left},
        )

    # drain

    def _drain(self, step: Step) -> Outcome:
        members = {m.id for m in self._balancer.published().members}
        if members & set(step.replicas):
            return Outcome("it is a member again: plan again", changed=False, stale=True)
        chosen = [r for r in self._host.replicas(lambda address: True) if r.id in step.replicas]
        addresses = {r.address for r in chosen if r.address}
        started = time.monotonic()
        deadline = started + self.stack.drain_timeout
        held, left = self._held(addresses)
        first, quiet = held, 0
        while quiet < QUIET_CHECKS and time.monotonic() < deadline:
            time.sleep(POLL)
            held, left = self._held(addresses)
            quiet = quiet + 1 if not left else 0
        seconds = round(time.monotonic() - started, 1)
        names = ", ".join(step.names)
        text = f"{names} drained of {first} connections in {seconds:.1f} s"
        if quiet < QUIET_CHECKS:
            text = (
                f"{names} still has {held} connections after {seconds:.0f} s, "
                "the limit that app_drain_timeout sets; they will be cut"
            )
        return Outcome(
            text, details={"connections": first, "left": held, "seconds_to_drain": seconds}
        )

    def _held(self, addresses: set[str]) -> tuple[int, int]:
        """Connections to these addresses, and the same plus idle clients of workers that shut down.

        A worker that shuts down answers the next request on such a connection by the old member
        list.
        """
        workers = self._balancer.workers()
        held = sum(worker.upstream[address] for worker in workers for address in addresses)
        return held, held + sum(worker.idle_clients for worker in workers if worker.exiting)

    # stop

    def _stop(self, step: Step) -> Outcome:
        members = {m.id for m in self._balancer.published().members}
        there = {c["Id"]: c["State"] for c in self._host.containers(role=REPLICA)}
        if any(one in members and there.get(one) == "running" for one in step.replicas):
            return Outcome("it is a member again: plan again", changed=False, stale=True)
        started = time.monotonic()
        present = [one for one in step.replicas if one in there]
        with ThreadPoolExecutor(max_workers=max(1, len(present))) as pool:
            list(
                pool.map(
                    lambda one: self._host.stop_and_remove(one, self.stack.stop_grace), present
                )
            )
        seconds = round(time.monotonic() - started, 1)
        return Outcome(
            f"{', '.join(step.names)} stopped in {seconds:.1f} s",
            changed=bool(present),
            details={"seconds_to_stop": seconds},
        )
