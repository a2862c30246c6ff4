# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A failover drill: break one part of a running stack under traffic, watch it heal, tell figures.

Whatever happens, also when it is told to end: what the fault did is undone before the drill ends.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    read_configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_faults import FAULTS
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_report import (
    Course,
    Report,
    by_kind,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_scene import (
    Fault,
    Scene,
    keeper_status,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import (
    LONGEST,
    RATE,
    Traffic,
    TrafficResult,
    check_path,
    check_rate,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import OK
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import (
    DeployLock,
    kernel_lock,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import HEALTHY_STATUSES
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_config import (
    read_served,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Target,
)

WARM_UP = COOL_DOWN = 2.0
PATIENCE, LONGEST_PATIENCE = 90.0, 240.0
"""Seconds within which the stack must be whole again; more where the stack itself allows more time
to restart a replica and to start it.
"""

_POLL = 0.05
_STATUS_POLL = 0.2
_LOCK_TIMEOUT = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Order:
    """What an operator asks for; an empty ``path`` is the stack's health path. ``who`` and
    ``where`` are for the audit log.
    """

    fault: str
    rate: int = RATE
    path: str = ""
    mode: str = "production"
    confirmed: bool = False
    who: str = "unknown"
    where: str = "unknown"

    def check(self) -> None:
        """Raises LoadBalancingError for values that are not allowed."""
        check_rate(self.rate)
        if self.path:
            check_path(self.path)

    @property
    def needs_confirmation(self) -> bool:
        """Whether it may not be carried out as it is."""
        return self.mode == "production" and not self.confirmed


class Drill:
    """One drill on one stack of this host. Making it changes nothing; ``injected`` tells whether
    anything was broken.
    """

    def __init__(self, paths: StackPaths, order: Order) -> None:
        """Raises LoadBalancingError when it cannot begin: bad values, no stack, no keeper, not
        whole, a deploy at work, nobody to serve meanwhile.
        """
        order.check()
        stack = Stack.read(paths)
        host = DockerHost.connect(paths)
        self.injected = False
        self._hand = ThreadPoolExecutor(max_workers=1)
        self._order = order
        self._scene = Scene(stack, host, lambda: keeper_status(stack.keeper_port))
        self._lock = DeployLock(paths)
        self._check_whole()
        self.fault: Fault = FAULTS[order.fault](self._scene)
        self.path = order.path or stack.health_path
        slow = stack.restart_after + stack.start_timeout + 20
        self._patience = min(max(PATIENCE, slow), LONGEST_PATIENCE)

    def plan(self) -> str:
        """What it would do."""
        return (
            f"{self._order.fault}: {self.fault.victim} {self.fault.does}, under "
            f"{self._order.rate} requests/s to {self.path}"
        )

    def run(self) -> Report:
        """Carry it out. Raises LoadBalancingError when it was not carried out to its end; nothing
        stays broken then either, unless the text says so.
        """
        self._check_confirmed()
        lock = os.path.join(self._scene.paths.state, "drill.lock")
        with Interruption() as interruption, kernel_lock(lock, _LOCK_TIMEOUT):
            self._check_whole()
            traffic = self._traffic()
            try:
                try:  # a signal may come at the very moment at which it is switched off
                    course, began = self._carry_out(traffic)
                finally:
                    interruption.ignore()
            finally:
                try:
                    self._restore()
                finally:
                    seen = traffic.stop()
        fault = self.fault
        report = Report(
            fault.name, fault.victim, fault.rotates, course, self._patience, began, seen
        )
        self._audit(report.text)
        return report

    def _carry_out(self, traffic: Traffic) -> tuple[Course, float]:
        """From the first request to the last look; gives also the moment of the fault, in seconds
        since the traffic began.
        """
        traffic.start()
        started = time.monotonic()
        time.sleep(WARM_UP)
        self._check_traffic(traffic.so_far())
        self._audit(f"{self.fault.name} of {self.fault.victim}")
        self.injected = True
        began = time.monotonic() - started
        course = self._watch(self._hand.submit(self.fault.inject))
        time.sleep(COOL_DOWN)
        return course, began

    def _check_whole(self) -> None:
        name = self._scene.paths.name
        owner = self._lock.owner()
        if owner:
            raise LoadBalancingError(
                f"The stack {name} is being changed: {owner.describe(time.time())}. "
                "Wait for it to end, then run this again; run the playbook deploy if it is dead."
            )
        status = self._scene.status()
        if not status:
            raise LoadBalancingError(
                f"The keeper of the stack {name} does not answer on "
                f"127.0.0.1:{self._scene.stack.keeper_port}, so nobody would mend what a drill "
                "breaks. Set the variable keeper_enabled to true and run the playbook deploy."
            )
        if status.get("state") != OK:
            raise LoadBalancingError(
                f"The stack {name} is {status.get('state')}: {status.get('text')}. "
                "A drill begins with a stack that is whole. Run the playbook verify."
            )

    def _check_confirmed(self) -> None:
        if self._order.needs_confirmation:
            raise LoadBalancingError(
                f"drill_confirm: false is not allowed with mode=production: the stack "
                f"{self._scene.paths.name} serves users, and a part of it is broken on purpose. "
                "Set the variable drill_confirm to true."
            )

    def _traffic(self) -> Traffic:
        stack = self._scene.stack
        served = read_served(read_configuration(self._scene.paths).static)
        agent = f"digiz-load-balancing-drill/{secrets.token_hex(8)}"
        target = Target(stack.balancer_ports[0], served.host, agent)
        of_health = self.path == stack.health_path
        statuses = stack.health_statuses if of_health else HEALTHY_STATUSES
        return Traffic(target, self.path, self._order.rate, statuses, LONGEST)

    def _check_traffic(self, seen: TrafficResult) -> None:
        """What fails before the fault would be counted as its doing."""
        if seen.failed:
            raise LoadBalancingError(
                f"{seen.failed} of {seen.sent} requests to {self.path} failed before the fault "
                f"({by_kind(seen)}). Nothing was broken. Correct drill_path, lower drill_rate, or "
                "run the playbook verify."
            )

    def _watch(self, injection: Future[None]) -> Course:
        """Look until the stack is whole, or the patience is over."""
        begun = time.monotonic()
        out: float | None = None
        since = time.time()
        asked = -_STATUS_POLL
        seen = ""
        while True:
            passed = time.monotonic() - begun
            if injection.done():
                injection.result()  # raises what went wrong
            if out is None and self.fault.has_left(self._scene.members()):
                out = passed
            if not injection.done() or out is None:
                since = time.time()
            elif passed - asked >= _STATUS_POLL:
                asked = passed
                status = self._scene.status()
                seen = f"{status['state']}: {status['text']}" if status else "no keeper answers"
                if self._is_whole(status, since):
                    return Course(out, time.monotonic() - begun)
            if passed >= self._patience:
                return Course(out, None, seen)
            time.sleep(_POLL)

    def _is_whole(self, status: dict[str, Any], since: float) -> bool:
        """Whether the keeper says so, by what it saw later than ``since``."""
        if status.get("deploy"):
            raise LoadBalancingError(
                f"A deploy has begun during the drill: {status['deploy']}. The drill is ended, "
                "and what it broke is put right."
            )
        self.fault.watch(status)
        return (
            status.get("state") == OK
            and status["time"] > since
            and len(self._scene.members()) >= status["wanted"]
            and self.fault.is_mended(status)
        )

    def _restore(self) -> None:
        self._hand.shutdown(wait=True)
        try:
            if self.injected:
                self.fault.restore()
        except LoadBalancingError as error:
            raise LoadBalancingError(
                f"What the drill did to {self.fault.victim} could not be undone: {error}"
            ) from error

    def _audit(self, text: str) -> None:
        self._lock.audit(self._order.who, self._order.where, "drill", text)


def plan(paths: StackPaths, order: Order) -> tuple[str, bool]:
    """What a drill would do, and whether it would do anything: not where there is no stack yet.
    Raises LoadBalancingError when it could not begin.
    """
    order.check()
    if not os.path.lexists(paths.release):
        return f"{order.fault}: there is no stack {paths.name} yet that could be broken", False
    needs = "; needs drill_confirm=true" if order.needs_confirmation else ""
    return f"{Drill(paths, order).plan()}{needs}", True


class Interruption:
    """Signals that end a program raise LoadBalancingError instead, once; then they are ignored."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as below nohup
                self._before[number] = signal.signal(number, self._raise)
        return self

    def __exit__(self, *_unused: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """Nothing interrupts what follows. Children are not born deaf, as with SIG_IGN."""
        for number in self._before:
            signal.signal(number, _nothing)

    def _raise(self, number: int, _frame: object) -> None:
        self.ignore()
        name = signal.Signals(number).name
        raise LoadBalancingError(f"The drill was ended by {name}. What it broke is put right.")


def _nothing(_number: int, _frame: object) -> None:
    """A signal handler that does nothing."""
