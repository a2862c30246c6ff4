# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One balancer takes over from another without a gap: both hold the ports for a while.

Level-triggered: what is there decides what is next, so a run that was killed is finished by the
next one. See docs/decisions/0003-edge.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    REVISION,
    is_lasting,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

START, ADD, WAIT, QUIT, REMOVE, DRAIN, DONE = (
    "start",
    "add",
    "wait",
    "quit",
    "remove",
    "drain",
    "done",
)
READY_TIMEOUT = 20.0
"""Seconds within which a new balancer serves; publishing waits for so long at most."""

QUIT_TIMEOUT = 10.0
DRAIN_MARGIN = 5.0
"""Seconds beyond ``app_drain_timeout`` after which nginx should have ended by itself."""

POLL = 0.05
_UP = ("up", "--detach", "--no-deps", "--no-build", "--pull", "never")
_TAKEN = "Address already in use"
_AT_WORK = ("running", "restarting")


@dataclass(frozen=True)
class Seen:
    """A balancer container. ``alive``: it runs, or the engine starts it again. ``accepting``: it
    has workers that take connections, and ``serving`` that with the published generation.
    ``quitting``: it serves only what it has. ``born`` orders them by age.
    """

    id: str
    revision: str
    born: float
    alive: bool = True
    accepting: bool = True
    serving: bool = True
    quitting: bool = False


@dataclass(frozen=True)
class Action:
    """The next thing to do, and to which container, if it is about one."""

    kind: str
    container: str = ""


def next_action(seen: Sequence[Seen], wanted: str) -> Action:
    """What is next, so that one balancer of the ``wanted`` revision is left. Pure.

    An empty ``wanted`` leaves the newest that serves. Nobody is told to quit, and nobody is removed
    that accepts connections, unless another one serves that stays.
    """
    ended = [one for one in seen if not one.alive]
    active = [one for one in seen if one.alive and not one.quitting]
    quitting = [one for one in seen if one.alive and one.quitting]
    right = [one for one in active if not wanted or one.revision == wanted]
    if not active and not quitting:
        return Action(START)
    if not right:
        return Action(REMOVE, ended[0].id) if ended else Action(ADD)
    serving = [one for one in right if one.serving]
    if not serving:
        return Action(WAIT, max(right, key=_age).id)
    stays = max(serving, key=_age)
    for one in sorted(active, key=_age):
        if one.id != stays.id:
            return Action(QUIT if one.accepting else REMOVE, one.id)
    if ended:
        return Action(REMOVE, ended[0].id)
    return Action(DRAIN, quitting[0].id) if quitting else Action(DONE)


def _age(one: Seen) -> tuple[float, str]:
    return one.born, one.id


class Handover:
    """Leave one balancer of the wanted revision, without a moment in which nobody listens."""

    def __init__(self, balancer: Balancer, wanted: str, drain_timeout: float) -> None:
        self._balancer = balancer
        self._host = balancer.host
        self._wanted = wanted
        self._drain_timeout = drain_timeout

    def observe(self) -> list[Seen]:
        """The balancer's containers, running or not."""
        rows = [one for one in self._host.containers(role="balancer") if is_lasting(one)]
        instances = self._balancer.instances(connections=False) if rows else []
        running = {one.id: one for one in instances}
        generation = self._balancer.published().generation
        found = []
        for row in rows:
            instance = running.get(row["Id"])
            accepting = bool(instance and instance.accepting)
            served = instance.served_generation() if instance and accepting else None
            found.append(
                Seen(
                    id=row["Id"],
                    revision=row["Labels"].get(REVISION, ""),
                    born=float(row.get("Created", 0)),
                    alive=row["State"] in _AT_WORK,
                    accepting=accepting,
                    serving=served is not None and served == generation,
                    quitting=bool(instance and instance.quitting),
                )
            )
        return found

    def next(self) -> Action:
        """What is next. A single balancer that accepts needs no socket to be asked over: one of an
        older release has none.
        """
        seen = self.observe()
        if len(seen) == 1 and seen[0].accepting and seen[0].revision == self._wanted:
            return Action(DONE)
        return next_action(seen, self._wanted)

    def carry_out(self) -> str:
        """Hand over, and wait for the old one's end; says what happened.

        Raises LoadBalancingError with the new one's last words when it does not come up. It is
        gone then, and the old one serves on.
        """
        started = time.monotonic()
        clients: dict[str, int] = {}
        added = gap = False
        with self._balancer.publishing():
            action = self.next()
            while action.kind not in (DONE, DRAIN, START):
                if action.kind == ADD:
                    self._add()
                    added = True
                elif action.kind == WAIT:
                    gap = self._wait(action.container)
                elif action.kind == QUIT:
                    clients[action.container] = self.retire(action.container)
                else:
                    self._host.stop_and_remove(action.container, 1)
                action = self.next()
            ready = time.monotonic() - started
        if action.kind == START:
            return ""
        drained = self._drain(clients)
        if gap:
            return (
                f"balancer recreated in {ready:.1f} s, in which nothing listened for a moment: "
                "the one before did not share its ports"
            )
        first = f"balancer replaced, new one ready after {ready:.1f} s" if added else ""
        return ", ".join(filter(None, (first, *drained))) or "balancer tidied"

    def retire(self, container: str) -> int:
        """Tell a balancer to quit and wait until it accepts nothing more; gives its clients. The
        caller holds the lock for publishing.

        SIGQUIT is the container's stop signal, so the engine does not start it again.
        """
        found = [one for one in self._balancer.instances() if one.id == container]
        clients = sum(worker.clients for one in found for worker in one.workers)
        self._host.signal(container, "QUIT")
        deadline = time.monotonic() + QUIT_TIMEOUT
        while self._accepts(container):
            if time.monotonic() > deadline:
                raise LoadBalancingError(
                    f"The old balancer {container[:12]} still accepts connections {QUIT_TIMEOUT:g} "
                    "s after it was told to quit. Both serve on; run the playbook deploy again."
                )
            time.sleep(0.02)
        return clients

    def _accepts(self, container: str) -> bool:
        running = self._balancer.instances(connections=False)
        return any(one.accepting for one in running if one.id == container)

    def spare(self) -> dict[str, str]:
        """What the keeper has to do about more than one balancer, by the container's id."""
        reasons = {QUIT: "another one serves", REMOVE: "one has ended, another one serves"}
        action = next_action(self.observe(), self._wanted)
        return {action.container: reasons[action.kind]} if action.kind in reasons else {}

    def tidy(self) -> None:
        """Do one thing about more than one balancer, after another look."""
        with self._balancer.publishing():
            action = next_action(self.observe(), self._wanted)
            if action.kind == QUIT:
                self.retire(action.container)
            elif action.kind == REMOVE:
                self._host.stop_and_remove(action.container, 1)

    def _add(self) -> None:
        """Start one more, after its nginx has read the present configuration."""
        current = self._balancer.paths.current
        if os.path.exists(current):
            self._balancer.test(os.path.realpath(current))
        count = len([one for one in self._host.containers(role="balancer") if is_lasting(one)]) + 1
        self._host.compose(*_UP, "--no-recreate", "--scale", f"balancer={count}", "balancer")

    def _wait(self, container: str) -> bool:
        """Wait until a new one serves; gives whether it had to take the old one's place instead."""
        deadline = time.monotonic() + READY_TIMEOUT
        while self.next() == Action(WAIT, container):
            state = self._host.inspect(container)
            failed = bool(state.get("RestartCount"))
            if failed or time.monotonic() > deadline:
                return self._give_up(container)
            time.sleep(POLL)
        return False

    def _give_up(self, container: str) -> bool:
        words = self._host.logs(container, 15)
        others = [one for one in self.observe() if one.id != container and one.accepting]
        if not others:
            raise LoadBalancingError(f"The balancer does not come up. Its last words:\n{words}")
        self._host.stop_and_remove(container, 1)
        if _TAKEN not in words:
            raise LoadBalancingError(
                "The new balancer does not come up; it was removed, the old one serves on. "
                f"Its last words:\n{words}"
            )
        self._host.compose(*_UP, "balancer")
        return True

    def _drain(self, clients: dict[str, int]) -> list[str]:
        """Wait for the end of those that quit, and remove them; says how long each took."""
        started = time.monotonic()
        deadline = started + self._drain_timeout + DRAIN_MARGIN
        texts = []
        action = self.next()
        while action.kind in (DRAIN, REMOVE):
            late = time.monotonic() > deadline
            if action.kind == REMOVE or late:
                self._host.stop_and_remove(action.container, 1)
                seconds = time.monotonic() - started
                count = clients.get(action.container, 0)
                verb = "was cut off after" if late else f"drained of {count} connections in"
                texts.append(f"the old one {verb} {seconds:.1f} s")
            else:
                time.sleep(POLL * 4)
            action = self.next()
        return texts
