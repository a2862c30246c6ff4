# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper does about what it sees: who gets traffic, and what is repaired next. Pure.

The rules and their reasons are in docs/decisions/0002-keeper.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    STARTING,
    STOPPED,
    Desired,
    Observed,
    Replica,
    select_members,
)

CREATE, RESTART, START, CONNECT, UNPAUSE = "create", "restart", "start", "connect", "unpause"
TIDY = "tidy"
"""Take one of several balancers away, which a deploy that was killed has left behind."""

BALANCER, MISSING = "balancer", "missing"
"""In place of a container's id: for bringing the balancer up, and for creating replicas."""

QUIET, QUIET_IF_ASKED = 5.0, 2.0
"""Seconds without a byte after which nothing is under way on a replica that is ill. One that still
answers is asked to end, and ends what it serves by itself.
"""

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0
"""Seconds until the second repair of a replica; they double each time, up to the longest."""

_DOUBLINGS = 10
"""More of them than the longest pause needs."""

FORGIVEN_AFTER = 60.0
"""Seconds of health after which earlier repairs count no more."""

CRASH_LOOP = 3
"""Repairs without lasting health in between that make a crash loop."""

PAUSED, RESTARTING, RUNNING = "paused", "restarting", "running"


@dataclass(frozen=True)
class Patience:
    """The repairs of one replica that count: how many, and when the last one was."""

    repairs: int = 0
    last: float = 0.0

    @property
    def ready_at(self) -> float:
        """The moment before which the next repair has to wait."""
        if not self.repairs:
            return 0.0
        doubled = min(self.repairs - 1, _DOUBLINGS)  # a crash loop of days overflows otherwise
        return self.last + min(FIRST_PAUSE * 2.0**doubled, LONGEST_PAUSE)

    def repaired(self, now: float) -> Patience:
        """After one more repair."""
        return Patience(self.repairs + 1, now)

    def forgiven(self, healthy_since: float, now: float) -> bool:
        """Whether health since that moment makes up for the repairs before."""
        return now - max(healthy_since, self.last) >= FORGIVEN_AFTER


NEW = Patience()


@dataclass(frozen=True)
class Case:
    """A replica as a doctor sees it. ``container`` is the engine's word for it (running, exited,
    …); its state holds since ``since``. ``answers``: the last probe got an answer, of whatever
    status; ``passes``: it got a good one. ``silent``: seconds since anything came from it on the
    balancer's connections, None when there are none or nobody can tell.
    """

    replica: Replica
    container: str
    current: bool
    since: float
    answers: bool = False
    passes: bool = False
    silent: float | None = None


@dataclass(frozen=True)
class Situation:
    """All replicas of a stack, and what is wanted of them. ``settled``: the release in force was
    carried out, so its replicas may be created without a deploy. Since ``well_since`` somebody is
    healthy without a break. ``spare_balancers``: what is to be done about them, by their ids.
    """

    cases: Sequence[Case]
    count: int
    settled: bool
    restart_after: float
    drain_timeout: float
    now: float
    balancer_runs: bool = True
    well_since: float = 0.0
    spare_balancers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Repair:
    """One thing to do, and why. ``gently``: it is asked to end before it is made to."""

    action: str
    replica: str
    name: str
    reason: str
    count: int = 0
    gently: bool = False

    @property
    def text(self) -> str:
        """For an operator."""
        return f"{self.action} {self.name}: {self.reason}"


def keeper_members(
    observed: Observed, desired: Desired, deploying: bool, ejected: Collection[str]
) -> tuple[Replica, ...]:
    """The replicas that should get traffic, as far as the keeper has a say; empty: leave it.

    While a deploy runs, that decides who joins: the keeper takes out who is not well, and puts back
    only who it has taken out itself (``ejected``: ids).
    """
    if not any(replica.state == HEALTHY for replica in observed.replicas):
        return ()
    chosen = select_members(observed, desired)
    if not deploying:
        return chosen
    published = {r.id for r in observed.replicas if observed.is_member(r)}
    kept = {r.id: r for r in observed.replicas if r.id in published and r.state == HEALTHY}
    kept.update({r.id: r for r in chosen if r.id in ejected})
    return tuple(sorted(kept.values(), key=lambda replica: replica.number))


def next_repair(situation: Situation, patience: Mapping[str, Patience]) -> Repair | None:
    """The one repair to do now, or None. ``patience`` is kept by the ids of containers."""
    for repair in _wanted(situation):
        if patience.get(repair.replica, NEW).ready_at <= situation.now:
            return repair
    return None


def _wanted(situation: Situation) -> Iterable[Repair]:
    """All that there is to repair, the quickest help first."""
    if not situation.balancer_runs:
        yield Repair(START, BALANCER, "the balancer", "it does not run")
    yield from _halted(situation)
    for container, reason in situation.spare_balancers.items():
        yield Repair(TIDY, container, "the balancers", reason)
    yield from _missing(situation)
    yield from _ill(situation)


def _halted(situation: Situation) -> Iterable[Repair]:
    """Those that only have to be let run, connected or started again."""
    for case in situation.cases:
        replica = case.replica
        if case.container == PAUSED:
            yield Repair(UNPAUSE, replica.id, replica.name, "it was paused")
        elif case.container == RUNNING and not replica.address:
            yield Repair(CONNECT, replica.id, replica.name, "it was cut off its network")
    room = situation.count - len(_alive(situation))
    stopped = [c for c in situation.cases if c.replica.state == STOPPED]
    usable = [c for c in stopped if c.current or not situation.settled]
    for case in usable[: max(0, room)]:
        yield Repair(START, case.replica.id, case.replica.name, f"it is {case.container}")


def _missing(situation: Situation) -> Iterable[Repair]:
    if not situation.settled:
        return
    there = [c for c in situation.cases if c.current]
    missing = situation.count - len(there)
    if missing > 0:
        reason = f"{len(there)} of {situation.count} are there"
        name = "1 replica" if missing == 1 else f"{missing} replicas"
        yield Repair(CREATE, MISSING, name, reason, count=len(situation.cases) + missing)


def _ill(situation: Situation) -> Iterable[Repair]:
    """One that runs and is ill is restarted if nothing is lost by it, no two at a time.

    One that passes again is on its way to be healthy, which takes ``app_health_rise`` probes. Of
    several that were ill together, the first that is well again leaves the others time to follow.
    """
    if any(c.replica.state == STARTING or _recovers(c) for c in situation.cases):
        return
    someone_is_well = any(c.replica.state == HEALTHY for c in situation.cases)
    for case in situation.cases:
        replica = case.replica
        if replica.state != ILL or case.container != RUNNING or not replica.address:
            continue
        ill = situation.now - case.since
        alone = situation.now - situation.well_since if case.answers else ill
        if min(ill, alone) < situation.restart_after or (case.answers and not someone_is_well):
            continue  # all of them answer, but not well: the check may be what is wrong
        if not _moves(case) or ill >= situation.drain_timeout:
            reason = f"it has been ill for {ill:.0f} s"
            yield Repair(RESTART, replica.id, replica.name, reason, gently=case.answers)


def _recovers(case: Case) -> bool:
    return case.replica.state == ILL and case.container == RUNNING and case.passes


def _moves(case: Case) -> bool:
    """Whether what it still serves goes on."""
    return case.silent is not None and case.silent < (QUIET_IF_ASKED if case.answers else QUIET)


def _alive(situation: Situation) -> list[Case]:
    """Those that count as there: of the wanted revision, or any while a deploy is unfinished."""
    return [
        case
        for case in situation.cases
        if case.replica.state != STOPPED and (case.current or not situation.settled)
    ]
