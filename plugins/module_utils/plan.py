# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan for people and for Ansible: the steps, and the replicas before and after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    read_configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    DockerHost,
    engine_is_there,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    Desired,
    Observed,
    Replica,
    Step,
    make_plan,
    outcome,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.rollout import Rollout
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack


@dataclass(frozen=True)
class Plan:
    """Steps that lead from ``before`` to ``after``."""

    before: Observed
    after: Observed
    steps: tuple[Step, ...]

    def rows(self) -> list[dict[str, Any]]:
        """The replicas that are there before, one mapping each."""
        return [row(self.before, replica) for replica in self.before.replicas]


def plan_stack(stack: Stack, paths: StackPaths, engine_may_be_missing: bool = False) -> Plan:
    """Plan for a stack on this host.

    With ``engine_may_be_missing`` (check mode on a host that has none yet) nothing is observed
    where no engine answers. Raises LoadBalancingError otherwise.
    """
    if engine_may_be_missing and not engine_is_there():
        published = {m.id: m.address for m in read_configuration(paths).members}
        before = Observed((), published)
        desired = Desired(stack.count, stack.revision, "", stack.surge)
    else:
        rollout = Rollout(stack, DockerHost.connect(paths))
        before, desired = rollout.observe(), rollout.desired()
    steps = make_plan(before, desired)
    after = before
    for step in steps:
        after = outcome(after, desired, step)
    named = tuple(_named(replica, stack) for replica in after.replicas)
    members = {r.id: r.address for r in named if r.id in after.members}
    return Plan(before, Observed(named, members), tuple(steps))


def row(observed: Observed, replica: Replica) -> dict[str, Any]:
    """A replica as one mapping."""
    return {
        "id": replica.id,
        "name": replica.name,
        "version": replica.version,
        "revision": replica.revision,
        "state": replica.state,
        "address": replica.address,
        "member": observed.is_member(replica),
    }


def describe(observed: Observed) -> str:
    """The replicas as lines of text, for a diff."""
    return "".join(
        f"{r.name}: version {r.version}, revision {r.revision}, {r.state}"
        f"{', member' if observed.is_member(r) else ''}\n"
        for r in observed.replicas
    )


def _named(replica: Replica, stack: Stack) -> Replica:
    """A replica that is yet to be started, under the name that Compose will give it."""
    if not replica.id.startswith("new-"):
        return replica
    name = f"{stack.name}-app-{replica.number}"
    return Replica(**{**vars(replica), "name": name, "version": stack.version})
