# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is observed and what is wanted to the next step of a rollout. Pure.

A plan is made by asking for the next step, assuming that it succeeds, and asking again. Nothing is
remembered between two runs, so a rollout that was killed at any moment is finished by planning
anew from what is there.

Two promises hold for every plan, whatever was observed (tests/unit/test_replicas.py):

* while the plan is carried out, the number of healthy members never falls below the wanted
  number of replicas, or below what it was at the beginning where that was less;
* there are never more containers than wanted + surge, or than there were at the beginning where
  that was more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

STARTING = "starting"
HEALTHY = "healthy"
ILL = "ill"
STOPPED = "stopped"

START = "start"
JOIN = "join"
DRAIN = "drain"
STOP = "stop"


@dataclass(frozen=True)
class Replica:
    """One container of the service that is replicated, as it was observed.

    ``number`` is Compose's container number; ``address`` is its address in the network that holds
    only replicas, empty while it has none; ``image_id`` is the id of the image that it was made
    from.
    """

    id: str
    name: str
    number: int
    revision: str
    image_id: str
    version: str
    address: str
    state: str


@dataclass(frozen=True)
class Desired:
    """What is wanted: ``count`` replicas of ``revision``; ``image_id`` is empty when the image is
    not there yet.
    """

    count: int
    revision: str
    image_id: str
    surge: int = 1

    def is_met_by(self, replica: Replica) -> bool:
        """Whether a replica is of the wanted configuration and made from the wanted image."""
        return replica.revision == self.revision and replica.image_id == self.image_id


@dataclass(frozen=True)
class Observed:
    """Replicas and which of them the balancer sends to.

    ``members`` maps the id of a replica to the address under which it is published; ``served``
    tells whether nginx really runs with that list (it does not when a run was killed between
    writing it and the reload).
    """

    replicas: tuple[Replica, ...]
    members: Mapping[str, str]
    served: bool = True

    def is_member(self, replica: Replica) -> bool:
        """Whether the balancer sends to this replica; not so when it came back under another
        address.
        """
        return bool(replica.address) and self.members.get(replica.id) == replica.address


@dataclass(frozen=True)
class Step:
    """One step of a plan, defined by what holds after it.

    ``start``: ``count`` replicas of the wanted revision exist and all of them are healthy.
    ``join``: all healthy replicas of the wanted revision are members, ``replicas`` no longer are.
    ``drain``: the balancer can send nothing to ``replicas`` any more. ``stop``: ``replicas`` are
    gone. ``names`` are theirs, for people.
    """

    action: str
    replicas: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    count: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The mapping that crosses to Ansible, with a sentence for people in ``text``."""
        return {
            "action": self.action,
            "replicas": list(self.replicas),
            "names": list(self.names),
            "count": self.count,
            "text": self.text,
        }

    @property
    def text(self) -> str:
        """What the step will do, in words."""
        names = ", ".join(self.names)
        if self.action == START:
            return f"start until {self.count} of the wanted version are healthy"
        if self.action == JOIN:
            return "join the healthy ones" + (f", take out {names}" if names else "")
        return f"{self.action} {names}"

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Step:
        """The step in a mapping made by :meth:`as_dict`."""
        return cls(
            action=str(data["action"]),
            replicas=tuple(data.get("replicas") or ()),
            names=tuple(data.get("names") or ()),
            count=int(data.get("count") or 0),
        )


def select_members(observed: Observed, desired: Desired) -> tuple[Replica, ...]:
    """The replicas that the balancer should send to now.

    Healthy ones of the wanted revision come first (lowest number first), at most as many as
    wanted; healthy outdated ones fill up what is missing, preferably those that are members
    already, the newest of them kept longest. If no replica is healthy, those that are members
    stay, so that a wrong health check does not become an outage.
    """
    healthy = [replica for replica in observed.replicas if replica.state == HEALTHY]
    current = sorted((r for r in healthy if desired.is_met_by(r)), key=lambda r: r.number)
    outdated = sorted(
        (r for r in healthy if not desired.is_met_by(r)),
        key=lambda r: (not observed.is_member(r), -r.number),
    )
    chosen = (current + outdated)[: desired.count]
    if not chosen:
        running = (r for r in observed.replicas if r.state != STOPPED and r.id in observed.members)
        chosen = sorted((r for r in running if r.address), key=lambda r: -r.number)[: desired.count]
    return tuple(sorted(chosen, key=lambda r: r.number))


def next_step(observed: Observed, desired: Desired) -> Step | None:
    """The one step to take now, or None when nothing is left to do."""
    members = select_members(observed, desired)
    wanted = {replica.id: replica.address for replica in members}
    present = {replica.id for replica in observed.replicas}
    dead = [r for r in observed.replicas if r.state == STOPPED and r.id not in observed.members]
    if dead:
        return _step(STOP, dead)
    if wanted and (wanted != dict(observed.members) or not observed.served):
        return _step(
            JOIN, [r for r in observed.replicas if r.id in observed.members and r.id not in wanted]
        )
    stale = [r for r in observed.replicas if r.state == STOPPED]
    leaving = [r for r in _leaving(observed, desired) if r.id not in wanted]
    if stale or leaving:
        return _step(DRAIN, leaving) if leaving else _step(STOP, stale)
    missing = desired.count - len(_counted(observed, desired))
    starting = [r for r in observed.replicas if r.state == STARTING]
    create = max(0, min(missing, desired.count + desired.surge - len(present)))
    if create or starting:
        return Step(START, count=len(_counted(observed, desired)) + create)
    return None


def make_plan(observed: Observed, desired: Desired) -> list[Step]:
    """All steps from what is observed to what is wanted, if each of them succeeds.

    A drained replica is stopped at once, so each ``drain`` is followed by its ``stop``.
    """
    steps: list[Step] = []
    step = next_step(observed, desired)
    while step is not None:
        steps.append(step)
        if step.action == DRAIN:
            step = replace(step, action=STOP)
            steps.append(step)
        observed = outcome(observed, desired, step)
        step = next_step(observed, desired)
    return steps


def outcome(observed: Observed, desired: Desired, step: Step) -> Observed:
    """What would be observed after a step that succeeded."""
    if step.action == START:
        return _started(observed, desired, step.count)
    if step.action == JOIN:
        members = {r.id: r.address for r in select_members(observed, desired)}
        return Observed(observed.replicas, members)
    if step.action == STOP:
        left = tuple(r for r in observed.replicas if r.id not in step.replicas)
        members = {
            key: value for key, value in observed.members.items() if key not in step.replicas
        }
        return Observed(left, members, observed.served)
    return observed


def _step(action: str, replicas: Iterable[Replica]) -> Step:
    chosen = sorted(replicas, key=lambda r: r.number)
    return Step(action, tuple(r.id for r in chosen), tuple(r.name for r in chosen))


def _counted(observed: Observed, desired: Desired) -> list[Replica]:
    """Those of the wanted revision that are healthy or may still become so, at most as many as
    wanted.
    """
    current = [
        r for r in observed.replicas if desired.is_met_by(r) and r.state in (HEALTHY, STARTING)
    ]
    return sorted(current, key=lambda r: (r.state != HEALTHY, r.number))[: desired.count]


def _leaving(observed: Observed, desired: Desired) -> list[Replica]:
    """Running replicas that have no place in what is wanted."""
    counted = {r.id for r in _counted(observed, desired)}
    return [r for r in observed.replicas if r.id not in counted and r.state != STOPPED]


def _started(observed: Observed, desired: Desired, count: int) -> Observed:
    replicas = [
        replace(r, state=HEALTHY) if r.state == STARTING and desired.is_met_by(r) else r
        for r in observed.replicas
    ]
    have = sum(1 for r in replicas if desired.is_met_by(r) and r.state == HEALTHY)
    number = max((r.number for r in replicas), default=0)
    for offset in range(1, count - have + 1):
        label = f"new-{number + offset}"
        replicas.append(
            Replica(
                label,
                label,
                number + offset,
                desired.revision,
                desired.image_id,
                "",
                label,
                HEALTHY,
            )
        )
    return Observed(tuple(replicas), observed.members, observed.served)
