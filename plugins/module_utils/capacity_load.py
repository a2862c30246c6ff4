# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load on one replica of a running stack, past the balancer, to measure what it takes.

The load is closed: so many clients ask, each again as soon as it has its answer, so that so many
requests are in flight whatever the times are. No request is sent twice. Clients wait 5 s.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_measure import (
    Limits,
    Measurement,
    Seen,
    search,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    Member,
    read_configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import (
    TIMEOUT,
    Connection,
    Sent,
    is_path,
    summarize,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import (
    DeployLock,
    kernel_lock,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import (
    HEALTHY_STATUSES,
    Statuses,
    is_in,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_config import (
    read_served,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Target,
)

_LOCK_TIMEOUT = 1.0
_PAUSE = 0.05
"""Seconds that a client waits after a failure, or it would ask as fast as it is refused."""


@dataclass(frozen=True)
class Order:
    """What an operator asks for; an empty ``path`` is the stack's health path. ``who`` and
    ``where`` are for the audit log.
    """

    limits: Limits = field(default_factory=Limits)
    path: str = ""
    mode: str = "production"
    confirmed: bool = False
    who: str = "unknown"
    where: str = "unknown"

    @property
    def needs_confirmation(self) -> bool:
        """Whether it may not be carried out as it is."""
        return self.mode == "production" and not self.confirmed


class Client:
    """Asks again as soon as it has its answer, on one connection as long as that is kept."""

    def __init__(self, target: Target, path: str, statuses: Statuses) -> None:
        self._target = target
        self._path = path
        self._statuses = statuses
        self._connection = Connection(target)
        self.sent: list[Sent] = []

    def ask_until(self, end: float) -> None:
        """Ask until that moment; the last request may end later, by its time-out."""
        while time.monotonic() < end:
            if self.sent and not self._connection.is_open:
                self._connection = Connection(self._target)
            due = time.monotonic()
            self._connection.give_up_at = due + TIMEOUT
            kind = self._connection.get(self._path, True)
            if kind.isdigit() and is_in(int(kind), self._statuses):
                kind = ""
            self.sent.append(Sent(due, time.monotonic(), kind, True))
            if kind:
                self._connection.close()
                time.sleep(_PAUSE)
        self._connection.close()

    def give_up_if_late(self) -> None:
        """End the request that is over its time, from another thread."""
        connection = self._connection
        if time.monotonic() >= connection.give_up_at:
            connection.give_up()


def load(target: Target, path: str, statuses: Statuses, clients: int, seconds: float) -> list[Sent]:
    """Let so many clients ask for so long; all their requests."""
    end = time.monotonic() + seconds
    asking = [Client(target, path, statuses) for _number in range(clients)]
    threads = [threading.Thread(target=one.ask_until, args=(end,), daemon=True) for one in asking]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for client in asking:
            client.give_up_if_late()
        time.sleep(_PAUSE)
    return [sent for client in asking for sent in client.sent]


class Site:
    """One replica of a stack on this host, to be loaded. Making it changes nothing."""

    def __init__(self, paths: StackPaths, order: Order) -> None:
        """Raises LoadBalancingError when it cannot begin: a bad path, no stack, no replica that has
        traffic, in production only one, a deploy at work.
        """
        if order.path and not is_path(order.path):
            raise LoadBalancingError(
                f"measure_path: {order.path!r} is not allowed: a path that begins with /, in ASCII "
                "without spaces. Set the variable measure_path."
            )
        self._order = order
        self._paths = paths
        self._lock = DeployLock(paths)
        stack = Stack.read(paths)
        self._check_quiet()
        self.member = self._choose()
        self.path = order.path or stack.health_path
        of_health = self.path == stack.health_path
        self._statuses = stack.health_statuses if of_health else HEALTHY_STATUSES
        served = read_served(read_configuration(paths).static)
        agent = f"digiz-load-balancing-measure/{secrets.token_hex(8)}"
        self._target = Target(self.member.port, served.host, agent, self.member.address)

    def plan(self) -> str:
        """What it would do."""
        limits = self._order.limits
        return (
            f"GET {self.path} of {self.member.name}, up to {limits.most} at once, "
            f"{limits.step_seconds:g} s each time"
        )

    def measure(self) -> Measurement:
        """Carry it out. Raises LoadBalancingError when it is not confirmed, when a deploy begins,
        and when not even one request at a time holds.
        """
        if self._order.needs_confirmation:
            raise LoadBalancingError(
                "measure_confirm: false is not allowed with mode=production: the stack "
                f"{self._paths.name} serves users, and one of its replicas is loaded until it is "
                "slow. Set the variable measure_confirm to true."
            )
        with kernel_lock(os.path.join(self._paths.state, "drill.lock"), _LOCK_TIMEOUT):
            self._audit(self.plan())
            found = search(self._trial, self._order.limits)
        if not found.safe:
            raise LoadBalancingError(
                f"Not even one request at a time holds the limits ({found.steps[-1].text}). "
                "Correct the variable measure_path, or raise measure_p95_seconds."
            )
        self._audit(found.text)
        return found

    def _trial(self, clients: int) -> Seen:
        self._check_quiet()
        begun = time.monotonic()
        seconds = self._order.limits.step_seconds
        sent = load(self._target, self.path, self._statuses, clients, seconds)
        return seen_of(sent, begun, time.monotonic(), left=self._has_left())

    def _check_quiet(self) -> None:
        owner = self._lock.owner()
        if owner:
            raise LoadBalancingError(
                f"The stack {self._paths.name} is being changed: {owner.describe(time.time())}. "
                "Wait for it to end, then run this again; run the playbook deploy if it is dead."
            )

    def _choose(self) -> Member:
        members = self._members()
        if not members:
            raise LoadBalancingError(
                f"The stack {self._paths.name} has no replica with traffic. "
                "Run the playbook verify."
            )
        if len(members) == 1 and self._order.mode == "production":
            raise LoadBalancingError(
                f"The stack {self._paths.name} has one replica with traffic: loaded until it is "
                "slow, it would be slow for all users. Scale to two at least, or run the playbook "
                "verify if there should be more; then run this again."
            )
        return members[-1]

    def _has_left(self) -> bool:
        """Whether it has no traffic any more, or has been restarted at another address."""
        there = {(one.id, one.address) for one in self._members()}
        return (self.member.id, self.member.address) not in there

    def _members(self) -> Sequence[Member]:
        return read_configuration(self._paths).members

    def _audit(self, text: str) -> None:
        self._lock.audit(self._order.who, self._order.where, "measure", text)


def seen_of(sent: Sequence[Sent], begun: float, ended: float, left: bool) -> Seen:
    """The figures of a trial."""
    result = summarize(sent, begun, ended)
    rate = (result.sent - result.failed) / result.seconds
    return Seen(result.sent, result.failed, result.p95, rate, left)


def plan(paths: StackPaths, order: Order) -> tuple[str, bool]:
    """What a measurement would do, and whether it would do anything: not where there is no stack
    yet. Raises LoadBalancingError when it could not begin.
    """
    if not os.path.lexists(paths.release):
        return f"there is no stack {paths.name} yet that could be measured", False
    needs = "; needs measure_confirm=true" if order.needs_confirmation else ""
    return f"{Site(paths, order).plan()}{needs}", True
