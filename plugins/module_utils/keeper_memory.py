# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper remembers from one look to the next: since when a replica is as it is, what was
repaired, what was said. All of it may be lost; a keeper that starts anew finds the rest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Publication
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import Health
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import (
    BLIND,
    DEGRADED,
    DOWN,
    OK,
    ReplicaSight,
    Snapshot,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_view import View
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import (
    BALANCER,
    CRASH_LOOP,
    FORGIVEN_AFTER,
    MISSING,
    NEW,
    Case,
    Patience,
    Repair,
    Situation,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    Replica,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.socket_progress import silence

PUBLISH_PAUSE, LONGEST_PUBLISH_PAUSE = 1.0, 30.0
"""Seconds until a publication that failed is tried again; they double each time."""

COUNTERS = ("publishes", "publish_failures", "repairs", "rounds")


class Memory:
    """The memory of one keeper. Moments are seconds of the epoch."""

    def __init__(
        self, stack: str, journal: Journal, clock: Callable[[], float] = time.time
    ) -> None:
        self._stack = stack
        self._journal = journal
        self._clock = clock
        self._started = clock()
        self._view: View | None = None
        self._since: dict[str, tuple[str, float]] = {}
        self._repairs: dict[str, int] = {}
        self._forgiven: dict[str, int] = {}
        self._lasting: dict[str, float] = {}
        self._well_since: float | None = 0.0
        self._blind = ""
        self._said = ""
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._publish_at, self._publish_pause = 0.0, PUBLISH_PAUSE
        self.patience: dict[str, Patience] = {}
        self.ejected: set[str] = set()

    # what is seen

    def blind(self, why: str) -> None:
        """The engine does not answer: what was seen last is kept."""
        self._counters["rounds"] += 1
        if not self._blind:
            self._journal.tell("engine", f"nothing can be seen: {why}", "error")
        self._blind = why

    def see(self, view: View) -> None:
        """Take a look in, and tell what is new."""
        self._counters["rounds"] += 1
        if self._blind:
            self._journal.tell("engine", "the engine answers again")
        self._blind = ""
        before, self._view = self._view, view
        self._tell_frame(before, view)
        for one in view.observed.replicas:
            self._see_replica(one, view.health.get(one.id, Health()), view.containers[one.id])
            if one.id in view.restarts:
                self._see_restarts(one, view.restarts[one.id])
        for gone in set(self._since) - set(view.containers):
            del self._since[gone]
            self.patience.pop(gone, None)
            self._repairs.pop(gone, None)
            self._forgiven.pop(gone, None)
        self._see_rest(view)
        if not view.deploy:
            self.ejected.clear()
        state, text = self._state(view)
        if (state, text) != (OK, "") and text != self._said:
            self._journal.tell("state", text, "info" if state == OK else "warning")
        self._said = text

    def _tell_frame(self, before: View | None, view: View) -> None:
        if view.deploy and (before is None or before.deploy != view.deploy):
            self._journal.tell("deploy", f"{view.deploy} has begun: it decides who joins")
        elif before and before.deploy and not view.deploy:
            self._journal.tell("deploy", f"{before.deploy} has ended")
        if before and before.release != view.release:
            self._journal.tell("release", f"release {view.release} is in force")
        if before and before.balancer_runs != view.balancer_runs:
            words = ("runs again", "info") if view.balancer_runs else ("does not run", "error")
            self._journal.tell("balancer", f"the balancer {words[0]}", words[1])

    def _see_replica(self, one: Replica, health: Health, container: str) -> None:
        state, since = self._since.get(one.id, ("", 0.0))
        if state != one.state:
            known = bool(state)
            since = self._clock()
            self._since[one.id] = (one.state, since)
            if known:
                self._tell_state(one, health, container)
        patience = self.patience.get(one.id)
        if patience and one.state == HEALTHY and patience.forgiven(since, self._clock()):
            del self.patience[one.id]

    def _see_rest(self, view: View) -> None:
        """The balancer, and the number of replicas: what lasts makes up for earlier repairs. And
        since when somebody is healthy.
        """
        if not any(one.state == HEALTHY for one in view.observed.replicas):
            self._well_since = None
        elif self._well_since is None:
            self._well_since = self._clock()
        there = sum(1 for one in view.observed.replicas if one.revision == view.stack.revision)
        for key, fine in ((BALANCER, view.balancer_runs), (MISSING, there >= view.stack.count)):
            if not fine:
                self._lasting.pop(key, None)
                continue
            since = self._lasting.setdefault(key, self._clock())
            patience = self.patience.get(key)
            if patience and patience.forgiven(since, self._clock()):
                del self.patience[key]

    def _see_restarts(self, one: Replica, restarts: int) -> None:
        """Call it a crash loop when the engine starts a replica again and again."""
        since = self._since[one.id][1]
        lasting = one.state == HEALTHY and self._clock() - since >= FORGIVEN_AFTER
        if lasting or one.id not in self._forgiven:
            self._forgiven[one.id] = restarts
        often = restarts - self._forgiven[one.id]
        if often >= CRASH_LOOP and one.state != HEALTHY:
            self._journal.tell("crash_loop", crash_loop(one.name, often), "error", one.name)

    def _tell_state(self, one: Replica, health: Health, container: str) -> None:
        reason = container if container != "running" else health.reason
        why = f": {reason}" if reason and one.state != HEALTHY else ""
        level = "info" if one.state == HEALTHY else "warning"
        self._journal.tell("state", f"{one.name} is {one.state}{why}", level, one.name)

    # what is done

    def may_publish(self) -> bool:
        """Whether the pause after a publication that failed is over."""
        return self._clock() >= self._publish_at

    def published(self, done: Publication) -> None:
        """A publication went well."""
        self._publish_at, self._publish_pause = 0.0, PUBLISH_PAUSE
        if not done.changed:
            return
        self._counters["publishes"] += 1
        before = {member.id: member.name for member in done.before.members}
        after = {member.id: member.name for member in done.after.members}
        if self._view and self._view.deploy:
            self.ejected |= set(before) - set(after)
            self.ejected -= set(after)
        parts = [
            f"{word} {', '.join(sorted(one[key] for key in one if key not in other))}"
            for word, one, other in (("in:", after, before), ("out:", before, after))
            if set(one) - set(other)
        ]
        parts.append(f"{len(after)} members, generation {done.after.generation}")
        self._journal.tell("members", "; ".join(parts))

    def not_published(self, why: str) -> None:
        """A publication failed: nginx serves on with what it had."""
        self._counters["publish_failures"] += 1
        self._publish_at = self._clock() + self._publish_pause
        self._publish_pause = min(2 * self._publish_pause, LONGEST_PUBLISH_PAUSE)
        text = f"the members stay as they are, the new ones could not be published: {why}"
        self._journal.tell("publish_failed", text, "error")

    def repaired(self, repair: Repair, text: str | None, error: LoadBalancingError | None) -> None:
        """A repair has ended; with neither text nor error it was not begun."""
        if not text and not error:
            return
        self._counters["repairs"] += 1
        patience = self.patience.get(repair.replica, NEW).repaired(self._clock())
        self.patience[repair.replica] = patience
        self._repairs[repair.replica] = self._repairs.get(repair.replica, 0) + 1
        level = "error" if error else "warning"
        self._journal.tell("repair", str(error or text), level, repair.name)
        if patience.repairs >= CRASH_LOOP and repair.replica in self._since:
            text = crash_loop(repair.name, patience.repairs)
            self._journal.tell("crash_loop", text, "error", repair.name)

    # what follows

    def situation(self, view: View) -> Situation:
        """All that a repair is chosen from."""
        silent = self._silence(view)
        cases = [
            Case(
                replica=one,
                container=view.containers[one.id],
                current=one.revision == view.stack.revision,
                since=self._since[one.id][1],
                answers=view.health.get(one.id, Health()).answered,
                passes=view.health.get(one.id, Health()).streak > 0,
                silent=silent.get(one.address),
            )
            for one in view.observed.replicas
        ]
        return Situation(
            cases=cases,
            count=view.stack.count,
            settled=view.settled,
            restart_after=view.stack.restart_after,
            drain_timeout=view.stack.drain_timeout,
            now=self._clock(),
            balancer_runs=view.balancer_runs,
            spare_balancers=view.spare_balancers,
            well_since=self._well_since or 0.0,
        )

    def _silence(self, view: View) -> Mapping[str, float]:
        """Asked only when somebody is ill, since it reads all connections of the host."""
        ill = {one.address for one in view.observed.replicas if one.state == ILL and one.address}
        try:
            return silence(view.stack.port, ill) if ill else {}
        except LoadBalancingError:
            return dict.fromkeys(ill, 0.0)  # nobody can tell: wait for app_drain_timeout

    def _state(self, view: View) -> tuple[str, str]:
        replicas = view.observed.replicas
        well = sum(1 for one in replicas if one.state == HEALTHY)
        wanted = view.stack.count
        ill = ", ".join(one.name for one in replicas if one.state != HEALTHY)
        if not well:
            return DOWN, "no replica is healthy; the members stay as they are"
        members = sum(1 for one in replicas if view.observed.is_member(one))
        whole = well >= wanted and members >= wanted and len(view.observed.members) == members
        if whole and view.observed.served and view.balancer_runs:
            return OK, f"{well} of {wanted} replicas are healthy"
        parts = [f"{well} of {wanted} replicas are healthy{f', not {ill}' if ill else ''}"]
        parts += [f"{members} of them get traffic"] if well >= wanted and members < wanted else []
        parts += [] if view.observed.served else ["nginx does not serve what is published"]
        parts += [] if view.balancer_runs else ["the balancer does not run"]
        return DEGRADED, "; ".join(parts)

    def snapshot(self, seconds: float) -> Snapshot | None:
        """The whole picture; None before the first look. ``seconds``: how long the look took."""
        view = self._view
        if view is None:
            return None
        state, text = self._state(view)
        if self._blind:
            state, text = BLIND, f"nothing can be seen: {self._blind}"
        return Snapshot(
            stack=self._stack,
            time=self._clock(),
            started_at=self._started,
            state=state,
            text=text,
            wanted=view.stack.count,
            generation=view.published.generation,
            served=view.observed.served,
            balancer_running=view.balancer_runs,
            deploy=view.deploy,
            release=view.release,
            version=view.stack.version,
            replicas=tuple(self._sight(view, one) for one in view.observed.replicas),
            changes=self._journal.changes(),
            counters=dict(self._counters),
            round_seconds=round(seconds, 4),
            maintenance=view.published.maintenance.on,
        )

    def _sight(self, view: View, one: Replica) -> ReplicaSight:
        health = view.health.get(one.id, Health())
        patience = self.patience.get(one.id, NEW)
        return ReplicaSight(
            id=one.id,
            name=one.name,
            number=one.number,
            version=one.version,
            revision=one.revision,
            address=one.address,
            state=one.state,
            container=view.containers[one.id],
            current=one.revision == view.stack.revision,
            member=view.observed.is_member(one),
            since=self._since[one.id][1],
            probe_seconds=round(health.seconds, 4),
            reason=health.reason,
            restarts=self._repairs.get(one.id, 0) + view.restarts.get(one.id, 0),
            repair_at=patience.ready_at,
        )


def crash_loop(name: str, often: int) -> str:
    """What an operator is told of a replica that does not stay well."""
    return (
        f"{name} was started again {often} times and does not stay well; each further time has to "
        f"wait longer. See why: docker logs {name}"
    )
