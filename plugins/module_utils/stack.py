# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout and a keeper need to know of a stack, as the release in force holds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import Statuses


@dataclass(frozen=True)
class Stack:
    """One stack, times in seconds; its replicas should be of ``revision`` and ``image``.

    A replica is healthy after ``health_rise`` probes in a row that were answered with one of
    ``health_statuses``, ill after ``health_fall`` in a row that were not; the keeper restarts it
    when it was ill for ``restart_after``.
    """

    name: str
    port: int
    health_path: str
    health_interval: float
    health_timeout: float
    health_rise: int
    health_fall: int
    health_statuses: Statuses
    start_timeout: float
    drain_timeout: float
    stop_grace: int
    balancer_image: str
    balancer_ports: tuple[int, ...]
    status_port: int
    count: int
    surge: int
    revision: str
    image: str
    version: str
    keeper_enabled: bool
    keeper_port: int
    restart_after: float
    tls: CertificateSpec

    @classmethod
    def read(cls, paths: StackPaths) -> Stack:
        """Read the file of the release in force. Raises LoadBalancingError if the stack was never
        deployed.
        """
        data = read_json(os.path.join(paths.release, "stack.json"))
        if not data:
            raise LoadBalancingError(
                f"There is no stack {paths.name} in {paths.root}. "
                "Run the playbook deploy first, or correct stack_name."
            )
        return cls.from_mapping(data)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Stack:
        """The stack in a mapping made by :meth:`as_dict`. Raises LoadBalancingError if something is
        missing, as in a file of another version.
        """
        missing = [key for key in cls.__dataclass_fields__ if key not in data]
        if missing:
            raise LoadBalancingError(
                f"The description of the stack lacks {', '.join(missing)}. Run the playbook deploy."
            )
        known = {key: data[key] for key in cls.__dataclass_fields__}
        known["balancer_ports"] = tuple(data["balancer_ports"])
        known["health_statuses"] = tuple((low, high) for low, high in data["health_statuses"])
        known["tls"] = CertificateSpec.from_mapping(data["tls"])
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """The stack as a mapping that JSON can hold."""
        return {
            **vars(self),
            "balancer_ports": list(self.balancer_ports),
            "health_statuses": [list(one) for one in self.health_statuses],
            "tls": self.tls.as_dict(),
        }
