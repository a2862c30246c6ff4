# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever fails in whatever order: in the end as many as wanted are well and get traffic, and on
the way there nothing was done that a user would have noticed (tests/unit/fakes/kept.py watches).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker.errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.examples import examples
from tests.unit.fakes.engine import HUNG, SICK, Behaviour, Container
from tests.unit.fakes.kept import KeptHost, fill_disk
from tests.unit.fakes.steps import will

PATIENCE = 900
"""Seconds within which all is well again: the longest pause between repairs, and some."""


@dataclass(frozen=True)
class Fault:
    """Something that happens to a replica (the one of that rank) or to the host, and the seconds
    until the next thing happens.
    """

    kind: str
    rank: int
    then: int


ON_REPLICAS = ("crash", "remove", "hang", "sick", "sick and serving", "pause", "cut")
ON_HOST = ("balancer", "keeper", "members", "current", "deploy", "blind", "full disk", "look")
FAULTS = st.builds(
    Fault,
    kind=st.sampled_from(ON_REPLICAS * 2 + ON_HOST),
    rank=st.integers(0, 4),
    then=st.sampled_from((0, 0, 1, 2, 3, 5, 12, 40)),
)


class Breaking:
    """A kept host, and the ways to break it. A state of the host ends with the next one."""

    def __init__(self, there: KeptHost) -> None:
        self.there = there
        self._states = ExitStack()

    def strike(self, fault: Fault) -> None:
        """Let it happen, and time pass."""
        replicas = self.there.engine.of("app")
        if fault.kind in ON_REPLICAS and replicas:
            self._hit(fault.kind, replicas[fault.rank % len(replicas)])
        elif fault.kind in ON_HOST:
            self.mend()
            self._hit_host(fault.kind)
        self.there.run(fault.then)

    def mend(self) -> None:
        """End the state of the host."""
        self._states.close()

    def _hit(self, kind: str, one: Container) -> None:
        engine = self.there.engine
        runs = one.status == "running"
        if kind == "remove":
            engine.end(one)
            del engine.containers[one.id]
        elif kind == "crash" and runs:
            engine.end(one)
        elif kind == "pause" and runs:
            one.status = "paused"
        elif kind == "cut" and runs:
            one.address = ""
        elif runs:
            one.fault = HUNG if kind == "hang" else SICK
            one.flows = self.there.clock.now + 30 if kind == "sick and serving" else 0.0

    def _hit_host(self, kind: str) -> None:
        there = self.there
        if kind == "balancer":
            there.engine.containers = {one.id: one for one in there.engine.of("app")}
            there.engine.on_change()
        elif kind == "keeper":
            there.begin()
        elif kind == "members":
            Path(there.paths.current, "members.json").unlink(missing_ok=True)
        elif kind == "current" and os.path.islink(there.paths.current):
            os.unlink(there.paths.current)
        elif kind == "deploy":
            there.lock()
            self._states.callback(there.unlock)
        elif kind == "blind":
            there.engine.failing["containers"] = docker.errors.APIError("server error")
            self._states.callback(there.engine.failing.clear)
        elif kind == "full disk":
            fill_disk(there, self._states.enter_context(pytest.MonkeyPatch.context()))


@contextmanager
def breaking(count: int, ready_after: float) -> Iterator[Breaking]:
    """A host that is well; its replicas take that long to start."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        there = KeptHost(Path(folder), patch, count=count)
        will(there, Behaviour(ready_after=ready_after))
        for replica in there.engine.of("app"):
            replica.behaviour = Behaviour(ready_after=ready_after)
        there.run(2)
        one = Breaking(there)
        yield one
        one.mend()


@settings(max_examples=examples(120), deadline=None)
@given(
    st.integers(1, 4),
    st.sampled_from((0.5, 3.0, 20.0)),
    st.lists(FAULTS, min_size=1, max_size=6),
)
def test_in_the_end_all_is_well(count: int, ready_after: float, faults: list[Fault]) -> None:
    with breaking(count, ready_after) as one:
        for fault in faults:
            one.strike(fault)
        one.mend()
        there = one.there
        there.run()
        there.until(lambda: there.is_whole() or is_left_alone(there), limit=PATIENCE)
        for replica in there.engine.of("app"):
            replica.fault = "" if replica.fault == SICK else replica.fault
        there.until(there.is_whole, limit=PATIENCE)
        repairs, reloads = list(there.repairs), there.nginx.reloads
        there.run(30)
        assert (there.repairs, there.nginx.reloads) == (repairs, reloads), "it has come to rest"


def is_left_alone(there: KeptHost) -> bool:
    """Nobody is well, and all answer that: the check may be wrong, so nothing is done about it."""
    running = [one for one in there.engine.of("app") if one.status == "running"]
    return there.sight.state == "down" and all(one.fault == SICK for one in running)
