# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper knows at one moment: immutable, so that every reader sees one whole picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

OK, DEGRADED, DOWN, BLIND = "ok", "degraded", "down", "blind"
"""All replicas are healthy and get traffic; fewer are; none is; the engine does not answer."""


@dataclass(frozen=True)
class ReplicaSight:
    """One replica. Times are seconds, moments seconds of the epoch.

    ``state`` is one of replicas.STARTING, HEALTHY, ILL, STOPPED, ``since`` when it became so,
    ``container`` the engine's own word (running, exited, …). ``current``: of the release in force.
    ``restarts`` counts the keeper's and the engine's; ``repair_at`` is the moment before which the
    keeper will not touch it, 0 if it may at once. ``reason``: why the last probe failed.
    """

    id: str
    name: str
    number: int
    version: str
    revision: str
    address: str
    state: str
    container: str
    current: bool
    member: bool
    since: float
    probe_seconds: float = 0.0
    reason: str = ""
    restarts: int = 0
    repair_at: float = 0.0


@dataclass(frozen=True)
class Change:
    """Something that changed, or that the keeper did. ``text`` says it to an operator, ``event`` is
    a word for programs: ``members``, ``state``, ``repair``, ``crash_loop``, ``publish_failed``,
    ``engine``, ``balancer``, ``deploy``, ``release``, ``keeper``.
    """

    time: float
    event: str
    text: str
    level: str = "info"
    replica: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The whole picture. ``wanted`` replicas, ``generation`` published; ``served``: nginx says that
    it runs with it. ``deploy`` says who holds the deploy lock, empty if nobody does. ``counters``
    count since the keeper's start: ``publishes``, ``publish_failures``, ``repairs``, ``rounds``.
    ``maintenance``: clients get status 503 by an operator's will.
    """

    stack: str
    time: float
    started_at: float
    state: str
    text: str
    wanted: int
    generation: int
    served: bool
    balancer_running: bool
    deploy: str
    release: int
    version: str
    replicas: tuple[ReplicaSight, ...]
    changes: tuple[Change, ...]
    counters: dict[str, int]
    round_seconds: float = 0.0
    maintenance: bool = False

    @property
    def healthy(self) -> int:
        """How many replicas are healthy."""
        return sum(1 for replica in self.replicas if replica.state == "healthy")

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the replicas that get traffic."""
        return tuple(replica.name for replica in self.replicas if replica.member)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with ``healthy`` and ``members``; newest change first."""
        data = asdict(self)
        data["changes"] = [asdict(change) for change in reversed(self.changes)]
        return {**data, "healthy": self.healthy, "members": list(self.members)}
