# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the faults of a drill work on, and what all of them have in common.

Mending is the keeper's work. ``restore()`` is for what is still broken when a drill ends, however
it ends: it does nothing where the keeper was there before, and nothing the second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    read_configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.loopback import get_json
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

_STATUS_TIMEOUT = 1.0


@dataclass(frozen=True)
class Scene:
    """The stack that a drill works on. ``status`` asks the keeper what it sees."""

    stack: Stack
    host: DockerHost
    status: Callable[[], dict[str, Any]]
    proc: str = "/proc"

    @property
    def paths(self) -> StackPaths:
        """Where the stack's files are."""
        return self.host.paths

    def members(self) -> dict[str, str]:
        """Who is published: addresses by the ids of replicas."""
        return {member.id: member.address for member in read_configuration(self.paths).members}


def keeper_status(port: int) -> dict[str, Any]:
    """What the keeper on that port sees; an empty mapping if it does not answer."""
    return get_json(port, "/status.json", _STATUS_TIMEOUT)


class Fault:
    """What all faults have in common. ``victim`` is its name for people, ``does`` what happens to
    it; ``rotates``: the balancer is to send it nothing meanwhile.
    """

    name = ""
    does = ""
    rotates = False

    def __init__(self, scene: Scene, victim: str) -> None:
        self._scene = scene
        self.victim = victim

    def inject(self) -> None:
        """Break it. Raises LoadBalancingError if that is not possible."""
        raise NotImplementedError

    def has_left(self, members: Mapping[str, str]) -> bool:
        """Whether the victim gets no traffic any more, by what is published."""
        return not self.rotates

    def watch(self, status: Mapping[str, Any]) -> None:
        """Told what the keeper sees, as long as the stack is not whole."""

    def is_mended(self, status: Mapping[str, Any]) -> bool:
        """Whether the victim is back, beyond what the keeper says of the stack as a whole."""
        return True

    def restore(self) -> None:
        """Undo what is still broken."""


def main_process(inspected: Mapping[str, Any]) -> int:
    """The host's id of a container's first process, 0 if it does not run or is gone."""
    return int(inspected.get("State", {}).get("Pid", 0))
