# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper does to a stack: publish members, carry out one repair."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import (
    Balancer,
    Publication,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import Member
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    LONGEST_GRACE,
    DockerHost,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.handover import Handover
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_view import (
    View,
    deploy_at_work,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import Releases
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import (
    BALANCER,
    CONNECT,
    CREATE,
    RESTART,
    START,
    TIDY,
    UNPAUSE,
    Repair,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Replica
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

STEP_WAIT = 2.0
"""Seconds for which a step of a deploy that just begins is waited for."""

_UP = ("up", "--detach", "--no-deps", "--no-build", "--pull", "never")


def publish(paths: StackPaths, view: View, members: Iterable[Replica]) -> Publication:
    """Publish these members, unless somebody published since the look that they come from.

    A static part that is missing or damaged is put back from the release in force.
    """
    host = DockerHost.connect(paths)
    chosen = [Member(r.id, r.name, r.address, view.stack.port) for r in members]
    static = "" if view.published.static else Releases(paths).read(view.release).nginx
    balancer = Balancer.of(view.stack, host)
    return balancer.publish(chosen, static, based_on=view.published.generation)


def repair(paths: StackPaths, stack: Stack, wanted: Repair) -> str:
    """Carry one repair out; gives what was done in words, empty if a deploy has begun meanwhile.

    A step of a deploy and a repair are never at work at once: both hold the kernel's lock.
    """
    lock = DeployLock(paths)
    try:
        with lock.exclusive(timeout=STEP_WAIT):
            if deploy_at_work(lock):
                return ""
            _carry_out(DockerHost.connect(paths), stack, wanted)
    except LoadBalancingError as error:
        if deploy_at_work(lock):
            return ""  # its step holds the kernel's lock
        raise LoadBalancingError(f"{wanted.text}. That failed: {error}") from error
    return wanted.text


def _carry_out(host: DockerHost, stack: Stack, wanted: Repair) -> None:
    if wanted.replica == BALANCER:
        host.compose(*_UP, "balancer")
    elif wanted.action == TIDY:
        Handover(Balancer.of(stack, host), "", stack.drain_timeout).tidy()
    elif wanted.action == CREATE:
        host.compose(*_UP, "--no-recreate", "--scale", f"app={wanted.count}", "app")
    elif wanted.action == START:
        host.start(wanted.replica)
    elif wanted.action == UNPAUSE:
        host.unpause(wanted.replica)
    elif wanted.action == CONNECT:
        host.connect_network(wanted.replica, "edge")
    elif wanted.action == RESTART:
        # Not the engine's own restart: its restart policy may start the container in between.
        host.stop(wanted.replica, min(stack.stop_grace, LONGEST_GRACE) if wanted.gently else 0)
        host.start(wanted.replica)
