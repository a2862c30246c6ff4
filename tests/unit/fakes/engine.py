# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated engine: containers with addresses that start, become healthy, fail and stop by a
clock, and the few subcommands of Compose that the collection uses.

It watches over itself: :class:`ViolationError` is raised when a container is stopped that nginx
still holds a connection to, or when Compose is asked for fewer replicas than there are. Who starts
containers again is watched by ``on_address``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.programs import Ended
from tests.unit.fakes.clock import Clock

LABEL = "digiz.load_balancing"
START_PERIOD = 60.0
"""Seconds in which Docker calls a container that fails its health check "starting"."""


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test may catch it."""


class ViolationError(AssertionError):
    """Something was asked of the engine that a user would have noticed."""


@dataclass(frozen=True)
class Behaviour:
    """How a container does: seconds from start to healthy, and to its end, if it ends by itself.

    ``restarts``: whether its engine starts it again; ``looks``: the status in which it is then
    seen. ``hung``: it runs, but was ill from the beginning and stays so.
    """

    ready_after: float = 1.0
    ends_after: float = math.inf
    exit_code: int = 1
    error: str = ""
    restarts: bool = False
    looks: str = "restarting"
    hung: bool = False
    log: bytes = b""


WELL = Behaviour()
HUNG, SICK = "hung", "sick"
"""What a program may come down with: it answers nothing any more, or that it is ill."""

NEVER_HEALTHY = Behaviour(ready_after=math.inf, log=b"loading\nstill loading\n")


@dataclass
class Container:
    """A container; ``status`` is the engine's word for its state, ``started`` a time by the clock.
    ``address`` is the one in the network ``edge``. ``fault`` (HUNG, SICK) lasts until it is started
    again. Bytes come from it until ``flows``; 0: nothing is under way.
    """

    id: str
    name: str
    service: str
    labels: dict[str, str]
    image_id: str
    address: str
    behaviour: Behaviour
    started: float
    status: str = "running"
    pid: int = 0
    restart_count: int = 0
    fault: str = ""
    flows: float = 0.0


@dataclass(frozen=True)
class Service:
    """What Compose would start: ``network`` is the one in which it gets an address."""

    role: str
    revision: str
    image_id: str = "sha256:image"
    version: str = ""
    behaviours: tuple[Behaviour, ...] = (WELL,)
    network: str = ""


@dataclass
class Engine:
    """The engine with what is on it.

    ``services`` is the Compose project. ``kill_at``: the number of the call at which the caller
    dies. ``failing`` maps a call's name to the error that it raises. ``holds(address)`` tells
    whether nginx has a connection there. ``reuses``: a container that does not run has no address,
    and the lowest free one is given to the next that starts, whoever had it before; that is told to
    ``on_address`` first. ``checked_since``: the start of the engine itself, when its health checks
    begin anew. ``happened``: the events that nobody has read yet, each a word and an id.
    """

    clock: Clock
    stack: str = "shop"
    containers: dict[str, Container] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    kill_at: int = 0
    failing: dict[str, Exception] = field(default_factory=dict)
    compose_answer: tuple[int, str, str] | None = None
    reuses: bool = False
    checked_since: float = 0.0
    happened: list[tuple[str, str]] = field(default_factory=list)
    holds: Callable[[str], bool] = lambda address: False
    on_signal: Callable[[Container, str], None] = lambda container, name: None
    on_exec: Callable[[Sequence[str]], tuple[int, bytes]] = lambda command: (0, b"")
    on_change: Callable[[], None] = lambda: None
    on_address: Callable[[Container, str], None] = lambda container, address: None
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # what there is

    def everyone(self) -> list[Container]:
        """All containers; a copy, since stops come from several threads at once."""
        return list(self.containers.values())

    def of(self, service: str) -> list[Container]:
        """The containers of a service, the oldest first."""
        self.tick()
        return [one for one in self.everyone() if one.service == service]

    def named(self, name: str) -> Container:
        """The container of that name."""
        return next(one for one in self.everyone() if one.name == name)

    def is_well(self, address: str) -> bool:
        """Whether what has this address answers its health check."""
        self.tick()
        return any(
            one.status == "running" and one.address == address and self._is_ready(one)
            for one in self.everyone()
            if address
        )

    def health(self, one: Container) -> str:
        """What Docker's own health check says, as in the status that ``docker ps`` shows."""
        if self._is_ready(one):
            return "healthy"
        anew = self.checked_since > one.started
        early = self.clock.now - max(one.started, self.checked_since) < START_PERIOD
        sick = one.behaviour.hung or one.fault
        return "health: starting" if early and (anew or not sick) else "unhealthy"

    def tick(self) -> None:
        """Let happen what is due: programs end, and are started again."""
        for one in self.everyone():
            age = self.clock.now - one.started
            if one.status in ("running", "restarting") and age >= one.behaviour.ends_after:
                self.end(one)
                if one.behaviour.restarts:
                    one.restart_count += 1
                    self._run(one)
                    one.status = one.behaviour.looks

    def _is_ready(self, one: Container) -> bool:
        behaviour = one.behaviour
        ill = behaviour.hung or one.fault
        return not ill and self.clock.now - one.started >= behaviour.ready_after

    # what changes it

    def called(self, name: str, *arguments: Any) -> None:
        """Note a call, which may be the one at which the caller dies, or one that fails."""
        self.calls.append((name, *arguments))
        if self.kill_at and len(self.calls) == self.kill_at:
            raise Killed
        if name in self.failing:
            raise self.failing[name]
        self.tick()

    def create(self, service: str, behaviour: Behaviour, **changes: Any) -> Container:
        """Make a container of a service and start it; ``changes`` are to its fields or, with
        ``labels``, to its labels.
        """
        spec = self.services[service]
        number = 1 + max((int(c.labels[NUMBER]) for c in self.of(service)), default=0)
        serial = next(self._ids)
        labels = {
            f"{LABEL}.stack": self.stack,
            f"{LABEL}.role": spec.role,
            f"{LABEL}.revision": spec.revision,
            f"{LABEL}.version": spec.version,
            "com.docker.compose.service": service,
            NUMBER: str(number),
            **changes.pop("labels", {}),
        }
        one = Container(
            id=f"{serial:064x}",
            name=f"{self.stack}-{service}-{number}",
            service=service,
            labels=labels,
            image_id=spec.image_id,
            address="",
            behaviour=behaviour,
            started=self.clock.now,
            pid=serial + 70_000,
        )
        if spec.network:
            one.address = self._free_address(one) if self.reuses else f"10.0.0.{serial}"
        for key, value in changes.items():
            setattr(one, key, value)
        self.containers[one.id] = one
        self.on_change()
        return one

    def end(self, one: Container) -> None:
        """A container's program ends, whoever is connected to it."""
        one.status, one.fault, one.flows = "exited", "", 0.0
        if self.reuses:
            one.address = ""
        self.on_change()

    def start(self, one: Container) -> None:
        """Start a container that does not run."""
        self._run(one)
        self.on_change()

    def connect(self, one: Container) -> None:
        """Give a container an address in the network ``edge``."""
        one.address = self._free_address(one)

    def _run(self, one: Container) -> None:
        if not one.address and self.services[one.service].network:
            one.address = self._free_address(one)
        one.status, one.started, one.fault, one.flows = "running", self.clock.now, "", 0.0

    def _free_address(self, one: Container) -> str:
        taken = {other.address for other in self.everyone()}
        found = next(a for a in (f"10.0.0.{n}" for n in itertools.count(1)) if a not in taken)
        self.on_address(one, found)
        return found

    def stop(self, one: Container, grace: int) -> None:
        """End a container's program. Nobody may be connected to it any more."""
        if one.status == "running" and self.holds(one.address):
            raise ViolationError(f"{one.name} is stopped while nginx holds connections to it")
        self.clock.sleep(min(0.3, grace))
        self.end(one)

    # Compose

    def run(self, command: Sequence[str], *_options: Any) -> Ended:
        """Takes the place of ``programs.capture``."""
        arguments = list(command)[command.index("--file") + 2 :]
        self.called("compose", *arguments)
        if self.compose_answer is not None:
            return Ended(*self.compose_answer)
        if arguments[0] == "up":
            self._up(arguments[1:])
        return Ended(0, "", "")

    def _up(self, arguments: list[str]) -> None:
        if "--scale" not in arguments:
            for name in arguments[arguments.index("never") + 1 :]:
                self._recreate(name)
            return
        service, _unused, wanted = arguments[arguments.index("--scale") + 1].partition("=")
        there = [one for one in self.of(service) if not one.labels.get(ONE_OFF)]
        if len(there) > int(wanted):
            raise ViolationError(f"Compose would remove {len(there) - int(wanted)} replicas")
        for one in there:
            if one.status in ("exited", "created"):
                self.start(one)
        behaviours = itertools.cycle(self.services[service].behaviours)
        for _number in range(int(wanted) - len(there)):
            one = self.create(service, next(behaviours))
            self.called("started", one.name)

    def _recreate(self, service: str) -> None:
        for old in self.of(service):
            del self.containers[old.id]
        self.create(service, self.services[service].behaviours[0])


NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"


def matches(labels: Mapping[str, str], wanted: Sequence[str] | str) -> bool:
    """Whether labels fit a filter of the engine's API: ``key=value``, one or several."""
    conditions = [wanted] if isinstance(wanted, str) else wanted
    return all(
        labels.get(key) == value for key, _unused, value in (c.partition("=") for c in conditions)
    )
