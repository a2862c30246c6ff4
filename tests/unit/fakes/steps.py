# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short words for tests of a rollout's steps."""

from __future__ import annotations

import dataclasses

from ansible_collections.digiz.load_balancing.plugins.module_utils import replicas as planner
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Step
from ansible_collections.digiz.load_balancing.plugins.module_utils.rollout import Rollout
from tests.unit.fakes.engine import Behaviour, Container
from tests.unit.fakes.host import STACK, SimulatedHost, names


def rollout(there: SimulatedHost, **changes: object) -> Rollout:
    """A rollout of the stack with these fields changed."""
    return Rollout(dataclasses.replace(STACK, **changes), there.host)  # type: ignore[arg-type]


def will(there: SimulatedHost, *behaviours: Behaviour) -> None:
    """What the replicas do that are started from now on."""
    service = there.engine.services["app"]
    there.engine.services["app"] = dataclasses.replace(service, behaviours=behaviours)


def start(count: int) -> Step:
    """The step that starts until so many are healthy."""
    return Step(planner.START, count=count)


def step(action: str, *replicas: Container) -> Step:
    """A step about these replicas."""
    return Step(action, tuple(one.id for one in replicas), tuple(names(replicas)))


def serving(there: SimulatedHost, count: int, revision: str = "new") -> list[Container]:
    """So many healthy replicas, published and served."""
    found = [there.replica(revision=revision) for _unused in range(count)]
    there.start_balancer(found)
    return found


def calls(there: SimulatedHost, name: str) -> list[tuple[object, ...]]:
    """The arguments of all calls of that name to the engine."""
    return [call[1:] for call in there.engine.calls if call[0] == name]
