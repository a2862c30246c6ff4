# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated host with a keeper: time passes in steps of a second. In each of them everything is
probed once, and the keeper looks and acts once and whenever something wakes it.

What a user would notice is found by the host itself, which raises :class:`ViolationError`: see
``_before_call``, ``_before_address`` and ``_signal``.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper,
    keeper_memory,
    keeper_view,
    lock,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import (
    FAILING,
    Health,
    HealthCheck,
    judge,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper import Keeper
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_hand import Done, Hand
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_memory import Memory
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Snapshot
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import Probe
from ansible_collections.digiz.load_balancing.plugins.module_utils.prober import Ask
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    DEPLOYED,
    Release,
    Releases,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from tests.unit.fakes.clock import Clock
from tests.unit.fakes.engine import SICK, START_PERIOD, Container, ViolationError
from tests.unit.fakes.host import STACK, STATIC, SimulatedHost

REPAIRS = ("stop", "start", "connect", "unpause", "compose")
JUDGED = 5.0
"""Seconds after which everybody knows how a replica is: three probes, and a round."""


class StandInProber:
    """Takes the place of the prober: probes when it is told to, in the same thread."""

    def __init__(self, _changed: Callable[[], None], how: Ask, clock: Clock) -> None:
        self._how = how
        self._clock = clock
        self._known: dict[tuple[str, str, HealthCheck], Health] = {}
        self.hurried: list[str] = []

    def watch(self, check: HealthCheck, targets: Mapping[str, str]) -> None:
        """Probe just these from now on."""
        wanted = {(replica, address, check) for replica, address in targets.items() if address}
        self._known = {key: self._known.get(key, Health()) for key in wanted}

    def health(self) -> dict[str, Health]:
        """What is known of each, by its id."""
        return {key[0]: health for key, health in self._known.items()}

    def probe(self) -> None:
        """Probe each of them once."""
        for key, health in self._known.items():
            self._known[key] = judge(health, self._how(*key), key[2], self._clock.now)

    def hurry(self, replica: str) -> None:
        """Probe a replica now."""
        self.hurried.append(replica)

    def fail(self, replica: str, reason: str) -> None:
        """Call a replica ill without asking."""
        for key in self._known:
            if key[0] == replica:
                ill = Health(FAILING, self._clock.now, -key[2].fall, 0.0, reason)
                self._known[key] = ill

    def close(self) -> None:
        """Probe nobody any more."""
        self._known.clear()


def at_once(hand: Hand[Any], job: Callable[[], Any]) -> None:
    """Takes the place of ``Hand.begin``: the job is done when this ends. A violation is not an
    error of the job: it ends the test.
    """
    try:
        hand._done = Done(job())
    except LoadBalancingError as error:
        hand._done = Done(error=error)
    hand._finished()


class KeptHost(SimulatedHost):
    """A host on which a stack was deployed: release 1 is in force, its replicas are well and
    published, and a keeper has begun. ``changes`` are to the stack.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, **changes: Any) -> None:
        super().__init__(folder, patch)
        self.engine.reuses = True
        self.stack = dataclasses.replace(STACK, **changes)
        for module in (keeper, keeper_view):
            patch.setattr(module, "time", self.clock)
        patch.setattr(lock, "time", _with_calendar(self.clock))
        patch.setattr(keeper_memory, "silence", self._silence)
        patch.setattr(keeper, "ask", self._ask)
        patch.setattr(keeper, "Prober", functools.partial(StandInProber, clock=self.clock))
        patch.setattr(keeper, "Memory", functools.partial(Memory, clock=self.clock.time))
        patch.setattr(Hand, "begin", at_once)
        self.output = io.StringIO()
        self.repairs: list[tuple[str, str]] = []
        """What was done so far: to whom, or the end of Compose's command."""
        self.token = ""
        self._owners: dict[str, str] = {}
        self._since: dict[str, tuple[bool, float]] = {}
        self.deploy_release(self.stack)
        replicas = [self.replica() for _unused in range(self.stack.count)]
        self.start_balancer(replicas)
        self._watch()
        self.keeper = self.begin()

    def begin(self) -> Keeper:
        """A keeper that has just started, instead of the one before."""
        journal = Journal("shop", self.output, self.clock.time)
        self.keeper = Keeper(self.paths, self.host, journal)
        return self.keeper

    def deploy_release(self, stack: Stack, status: str = DEPLOYED) -> None:
        """Take a release of this stack into force."""
        releases = Releases(self.paths)
        number = releases.add(Release({"services": {}}, STATIC, stack, {}), "ana")
        releases.take_into_force(number)
        releases.mark(number, status)

    # time

    def run(self, seconds: int = 1) -> None:
        """Let so many seconds pass."""
        for _unused in range(seconds):
            end = self.clock.now + 1.0
            if self.token:
                DeployLock(self.paths, self.clock.time)._beat(self.token)
            self._note_health()
            self.keeper._prober.probe()  # type: ignore[attr-defined]
            self.round()
            while self.keeper.wake.is_set() and self.clock.now + keeper.SETTLE < end:
                self.keeper.wake.clear()
                self.clock.sleep(keeper.SETTLE)
                self.round()
            self.clock.sleep(max(0.0, end - self.clock.now))

    def round(self) -> None:
        """Let the keeper look and act once."""
        before = len(self.repairs)
        self.keeper.round()
        if len(self.repairs) > before + 1:
            raise ViolationError(f"several repairs at once: {self.repairs[before:]}")

    def until(self, holds: Callable[[], bool], limit: int = 60) -> int:
        """Let seconds pass until something holds; gives how many."""
        for passed in range(limit):
            if holds():
                return passed
            self.run()
        raise AssertionError(f"not so within {limit} s: {self.lines()[-5:]}")

    def is_whole(self) -> bool:
        """Whether as many as wanted are well and get traffic, and nobody else does."""
        return (
            len(self.serving()) == self.stack.count == len(self.nginx.members)
            and self.sight.state == "ok"
        )

    # what is seen from outside

    @property
    def sight(self) -> Snapshot:
        """The keeper's last snapshot."""
        assert self.keeper.snapshot, "no round has ended yet"
        return self.keeper.snapshot

    def lines(self, event: str = "", level: str = "") -> list[str]:
        """What the keeper has told, of that event and level if they are given."""
        told = [json.loads(line) for line in self.output.getvalue().splitlines()]
        return [
            one["text"]
            for one in told
            if event in ("", one["event"]) and level in ("", one["level"])
        ]

    def app(self, number: int) -> Container:
        """The replica of that number."""
        return self.engine.named(f"shop-app-{number}")

    # a deploy

    def lock(self) -> None:
        """A deploy takes the lock, and gives signs of life from now on."""
        owner = ("ana", "laptop", "deploy")
        self.token = DeployLock(self.paths, self.clock.time).acquire(*owner)[0]

    def unlock(self) -> None:
        """It ends."""
        DeployLock(self.paths, self.clock.time).release(self.token)
        self.token = ""

    def abandon(self) -> None:
        """It is killed."""
        self.token = ""

    # what is found

    def _watch(self) -> None:
        called = self.engine.called

        def before(name: str, *arguments: Any) -> None:
            one = self.engine.containers.get(arguments[0]) if arguments else None
            if name in REPAIRS and (one is None or one.service != "once"):
                self._before_call(name, one)
            called(name, *arguments)
            if name in REPAIRS and (one is None or one.service != "once"):
                self._note_repair(name, one.name if one else " ".join(arguments[-2:]))

        self.engine.called = before  # type: ignore[method-assign]
        self.engine.on_address = self._before_address
        self.engine.holds = lambda address: False

    def _note_repair(self, name: str, subject: str) -> None:
        """A stop and a start make a restart."""
        if name == "start" and self.repairs[-1:] == [("stop", subject)]:
            self.repairs[-1] = ("restart", subject)
        else:
            self.repairs.append((name, subject))

    def _before_call(self, name: str, one: Container | None) -> None:
        """Nothing is done to what is well, or starts, or still serves; nothing under a deploy."""
        if self.token:
            raise ViolationError(f"{name} of {one.name if one else 'services'} in a deploy")
        if one is None:
            return
        if one.status == "running" and self.engine.is_well(one.address):
            raise ViolationError(f"{name} of {one.name}, which is well")
        if name != "stop":
            return
        starting = [other.name for other in self.engine.of("app") if self._is_starting(other)]
        if starting:
            raise ViolationError(f"{one.name} is restarted while {starting} start")
        _well, since = self._since[one.id]
        if one.flows > self.clock.now and self.clock.now - since < self.stack.drain_timeout:
            raise ViolationError(f"{one.name} is restarted while it serves")

    def _before_address(self, one: Container, address: str) -> None:
        """While somebody is well, no address is given away that nginx holds for another one. What
        cannot be published is no reason not to repair, though.
        """
        owner = self._owners.get(address, one.id)
        free = address not in self.nginx.members or owner == one.id
        if not free and self.keeper._memory.may_publish() and self._serving_for_long():
            raise ViolationError(f"nginx sends to {one.name} what was meant for {owner[-4:]}")

    def _signal(self, one: Container, name: str) -> None:
        """No reload may take out the last one that serves and is known to be well."""
        before = self._serving_for_long()
        super()._signal(one, name)
        self._remember_owners()
        if before and not self.serving():
            raise ViolationError(f"{before} were the last ones that served")

    def _changed(self) -> None:
        """nginx may have been started; without a configuration it ends at once."""
        if not os.path.exists(self.paths.current):
            for one in self.engine.everyone():
                if one.service == "balancer" and not self.nginx.running:
                    one.status = "exited"
        super()._changed()
        self._remember_owners()

    def _remember_owners(self) -> None:
        self._owners = {one.address: one.id for one in self.balancer().published().members}

    def _is_starting(self, one: Container) -> bool:
        """A member that starts under its old address counts as well until it is judged."""
        if one.status != "running" or one.fault or not one.address:
            return False
        published = self._owners.get(one.address) == one.id
        early = self.clock.now - one.started < START_PERIOD
        return early and not published and not self.engine.is_well(one.address)

    def _serving_for_long(self) -> list[str]:
        """Who serves and must be known to be well by now."""
        known = {id for id, (well, at) in self._since.items() if well and self._passed(at)}
        return [name for name in self.serving() if self.engine.named(name).id in known]

    def _passed(self, moment: float) -> bool:
        return self.clock.now - moment >= JUDGED

    def _note_health(self) -> None:
        """Since when each replica is well, or not."""
        for one in self.engine.of("app"):
            well = self.engine.is_well(one.address)
            if self._since.get(one.id, (None, 0.0))[0] != well:
                self._since[one.id] = (well, self.clock.now)

    # what the keeper asks of the machine

    def _ask(self, _replica: str, address: str, _check: HealthCheck) -> Probe:
        running = [o for o in self.engine.of("app") if o.status == "running"]
        found = next((one for one in running if one.address == address), None)
        if found is None:
            return Probe(False, 0.0, "No route to host")
        if found.fault == SICK:
            return Probe(False, 0.01, "answered 503", 503)
        if found.fault or found.behaviour.hung:
            return Probe(False, 1.0, "timed out")
        if not self.engine.is_well(address):
            return Probe(False, 0.0, "Connection refused")
        return Probe(True, 0.01, "", 200)

    def _silence(self, _port: int, addresses: Iterable[str]) -> dict[str, float]:
        return {
            one.address: max(0.0, self.clock.now - one.flows)
            for one in self.engine.everyone()
            if one.flows and one.status == "running" and one.address in addresses
        }


def _with_calendar(clock: Clock) -> SimpleNamespace:
    """The clock with what the module ``time`` has for writing times down."""
    return SimpleNamespace(
        time=clock.time,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
        localtime=time.localtime,
        strftime=time.strftime,
    )


def fill_disk(there: KeptHost, patch: pytest.MonkeyPatch) -> None:
    """From now on nothing can be written below ``nginx/``."""
    real = os.replace

    def replace(source: str, target: str) -> None:
        if target.startswith(there.paths.nginx):
            raise OSError(28, "No space left on device")
        real(source, target)

    patch.setattr(os, "replace", replace)


def deafen(patch: pytest.MonkeyPatch) -> None:
    """From now on the kernel does not tell connections."""

    def refuse(_port: int, _addresses: Iterable[str]) -> dict[str, float]:
        raise LoadBalancingError("The kernel does not tell connections: not permitted.")

    patch.setattr(keeper_memory, "silence", refuse)
