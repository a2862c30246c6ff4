# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look of the keeper at its stack: the engine's containers, what the probes say, what is
published, and whether a deploy runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    Configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    LABEL,
    REPLICA,
    DockerHost,
    is_lasting,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.handover import (
    Handover,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import (
    FAILING,
    PASSING,
    UNKNOWN,
    Health,
    HealthCheck,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import (
    STALE_AFTER,
    DeployLock,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.prober import Prober
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    DEPLOYED,
    Releases,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import RUNNING
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    STARTING,
    Desired,
    Observed,
    Replica,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

_TO_THE_SECOND = len("2026-01-31T23:59:59")

CREATED = "created"
"""The engine's word for a container that was not started yet, or is being started."""

AT_WORK = ("running", "restarting")
"""The engine's words for a container that runs, or that the engine will start again by itself."""


@dataclass(frozen=True)
class View:
    """What was seen. By the ids of replicas: ``containers`` has the engine's words for them,
    ``restarts`` how often the engine has started them again by itself, as far as it was counted.
    ``spare_balancers``: what is to be done about more than one, by ids; asked only while no deploy
    runs.
    """

    stack: Stack
    release: int
    settled: bool
    deploy: str
    observed: Observed
    containers: Mapping[str, str]
    restarts: Mapping[str, int]
    health: Mapping[str, Health]
    published: Configuration
    balancer_runs: bool
    spare_balancers: Mapping[str, str] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether somebody is healthy whose last probe did not fail. While all fail, one by one, it
        may be the check that is wrong.
        """
        return any(
            one.state == HEALTHY and self.health.get(one.id, Health()).streak >= 0
            for one in self.observed.replicas
        )

    @property
    def desired(self) -> Desired:
        """What is wanted. Another image behind the same name is a deploy's business, so images do
        not count here, nor in ``observed``.
        """
        return Desired(self.stack.count, self.stack.revision, "", self.stack.surge)


class Newcomers:
    """Members that joined before the probes of the keeper had proven them. A deploy probes on its
    own and may be quicker: until they pass here, only failures since they joined count.
    """

    def __init__(self) -> None:
        self._members: frozenset[str] | None = None
        self._before: dict[str, int] = {}

    def __contains__(self, replica: str) -> bool:
        return replica in self._before

    def see(self, members: Iterable[str], health: Mapping[str, Health], fall: int) -> None:
        """Take in who is a member and what is known of those that run, by ids. ``fall`` failures
        since it joined make a newcomer one like all others, and so does one end.
        """
        now = frozenset(members)
        joined = now - self._members if self._members is not None else frozenset()
        self._members = now
        self._before.update(dict.fromkeys(joined, 0))
        for one in tuple(self._before):
            known = health.get(one)
            if one not in now or known is None or known.verdict == PASSING:
                del self._before[one]
            elif known.streak >= 0:
                self._before[one] = 0
            elif one in joined:
                self._before[one] = known.streak
            elif self._before[one] - known.streak >= fall:
                del self._before[one]


class Lookout:
    """Looks at one stack of this host."""

    def __init__(self, paths: StackPaths, host: DockerHost, prober: Prober) -> None:
        self._paths = paths
        self._host = host
        self._prober = prober
        self._releases = Releases(paths)
        self._lock = DeployLock(paths)
        self._read = ("", Stack.read(paths))
        self._restarts: dict[str, int] = {}
        self._unproven: set[str] = set()
        self._newcomers = Newcomers()

    @property
    def known(self) -> Stack:
        """The stack's description as it was read last."""
        return self._read[1]

    def stack(self) -> Stack:
        """The stack's description, read again when another release is in force."""
        target = os.path.realpath(self._paths.release)
        if target != self._read[0]:
            self._read = (target, Stack.read(self._paths))
        return self._read[1]

    def look(self) -> View:
        """Look once. Raises LoadBalancingError if the engine does not answer."""
        stack = self.stack()
        balancer = Balancer.of(stack, self._host)
        every = [one for one in self._host.containers() if is_lasting(one)]
        rows = [one for one in every if one["Labels"].get(f"{LABEL}.role") == REPLICA]
        published = balancer.published()
        members = {member.id: member.address for member in published.members}
        health = self._probed(stack, rows)
        self._newcomers.see(members, health, stack.health_fall)
        recovering = any(one.verdict == PASSING for one in health.values())
        found = (
            self._replica(row, health.get(row["Id"], Health()), members, recovering) for row in rows
        )
        replicas = sorted(found, key=lambda replica: replica.number)
        balancers = [one for one in every if one["Labels"].get(f"{LABEL}.role") == "balancer"]
        runs = any(one["State"] in AT_WORK for one in balancers)
        served = not runs or balancer.served_generation() == published.generation
        release = self._releases.current()
        deploy = deploy_at_work(self._lock)
        several = runs and len(balancers) > 1 and not deploy
        return View(
            stack=stack,
            release=release,
            settled=self._releases.status(release) == DEPLOYED,
            deploy=deploy,
            observed=Observed(tuple(replicas), members, served),
            containers={row["Id"]: row["State"] for row in rows},
            restarts=dict(self._restarts),
            health=health,
            published=published,
            balancer_runs=runs,
            spare_balancers=Handover(balancer, "", 0.0).spare() if several else {},
        )

    def _probed(self, stack: Stack, rows: list[dict[str, Any]]) -> Mapping[str, Health]:
        """Have the running replicas probed; gives what is known of them by now."""
        running = {
            row["Id"]: self._host.replica(row, lambda _address: True).address
            for row in rows
            if row["State"] == RUNNING
        }
        self._prober.watch(health_check(stack), running)
        health = self._prober.health()
        self._unproven |= {row["Id"] for row in rows} - set(running)
        self._unproven &= {row["Id"] for row in rows}
        self._unproven -= {one for one, known in health.items() if known.verdict != UNKNOWN}
        return health

    def count_restarts(self, view: View) -> None:
        """Ask how often the engine has started replicas again; it shows in the next look.

        Asked only of those that are not well: who was restarted is not well for a while. Who was
        only created was never restarted. Of one that is being started the engine tells nothing
        before that is over, so this comes when what follows from a look has begun. Raises
        LoadBalancingError.
        """
        known, self._restarts = self._restarts, {}
        for one in view.observed.replicas:
            if view.containers[one.id] == CREATED:
                self._restarts[one.id] = 0
            elif one.id in known and one.state == HEALTHY:
                self._restarts[one.id] = known[one.id]
        for one in view.observed.replicas:
            if one.id not in self._restarts:
                self._restarts[one.id] = int(self._host.inspect(one.id).get("RestartCount", 0))

    def _replica(
        self, row: dict[str, Any], health: Health, members: Mapping[str, str], recovering: bool
    ) -> Replica:
        """A container as a replica. One that is not yet judged is what it was: well if it is a
        member under this address and was never seen to have ended, else about to start.

        A member that was ill was left in only because all were ill. Once another one has proven to
        be well (``recovering``), it stays if it has begun to pass: they recover together, and the
        first one is not to get all the traffic. A newcomer is as well as who let it join said.
        """
        verdict = health.verdict

        def is_healthy(address: str) -> bool:
            member = members.get(row["Id"]) == address
            as_before = verdict == UNKNOWN and row["Id"] not in self._unproven
            begins = recovering and health.streak > 0
            return verdict == PASSING or (
                member and (as_before or begins or row["Id"] in self._newcomers)
            )

        found = replace(self._host.replica(row, is_healthy), image_id="")
        if found.state == ILL and row["State"] == RUNNING and found.address and verdict == UNKNOWN:
            return replace(found, state=STARTING)
        if found.state == STARTING and verdict == FAILING and self._is_late(found.id):
            return replace(found, state=ILL)
        return found

    def _is_late(self, container: str) -> bool:
        """Whether it has had all the time that a start may take. The engine's word is no proof of a
        start: once the engine itself was restarted, it says "starting" of all that are not well.
        """
        started = str(self._host.inspect(container).get("State", {}).get("StartedAt", ""))
        try:
            moment = datetime.fromisoformat(started[:_TO_THE_SECOND]).replace(tzinfo=timezone.utc)
        except ValueError:
            return False
        return time.time() - moment.timestamp() > self.known.start_timeout


def health_check(stack: Stack) -> HealthCheck:
    """How the replicas of a stack are probed."""
    return HealthCheck(
        port=stack.port,
        path=stack.health_path,
        interval=stack.health_interval,
        timeout=stack.health_timeout,
        rise=stack.health_rise,
        fall=stack.health_fall,
        statuses=stack.health_statuses,
    )


def deploy_at_work(lock: DeployLock) -> str:
    """Who holds the deploy lock and gives signs of life, in words; empty if nobody does. A sign
    that lies in the future is one from before the clock was set back.
    """
    owner = lock.owner()
    if owner is None or abs(time.time() - owner.alive) > STALE_AFTER:
        return ""
    return f"{owner.what} by {owner.who} from {owner.where}"


def drilled(paths: StackPaths) -> str:
    """The id of the replica whose probes are to fail, for a drill; empty if none is.

    The file names its own end, so a drill that was killed ends by itself.
    """
    mark = read_json(os.path.join(paths.state, "drill.json"))
    try:
        return str(mark["replica"]) if time.time() < float(mark["until"]) else ""
    except (KeyError, TypeError, ValueError):
        return ""
