# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an observer saw: containers and members over time, and the extremes of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Containers:
    """Replica containers at one moment.

    running     those that run, healthy or not
    healthy     those of them that Docker's health check calls healthy
    revisions   running ones by their label `.revision`
    """

    second: float
    running: int
    healthy: int
    revisions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Members:
    """Published members at one moment; `ill`: addresses that did not answer their health path."""

    second: float
    generation: int
    published: int
    healthy: int
    ill: list[str]


@dataclass
class Observation:
    """Everything that was seen.

    gaps    moments at which the engine or the members file could not be read, with the reason
    stale   looks at members thrown away because other ones were published meanwhile
    """

    started_at: float
    containers: list[Containers] = field(default_factory=list)
    members: list[Members] = field(default_factory=list)
    gaps: list[tuple[float, str]] = field(default_factory=list)
    stale: int = 0

    @property
    def min_running(self) -> int:
        """Fewest replica containers that ran at once."""
        return _least(sample.running for sample in self.containers)

    @property
    def max_running(self) -> int:
        """Most replica containers that ran at once."""
        return _most(sample.running for sample in self.containers)

    @property
    def min_healthy(self) -> int:
        """Fewest replicas that Docker called healthy."""
        return _least(sample.healthy for sample in self.containers)

    @property
    def min_members(self) -> int:
        """Fewest published members."""
        return _least(sample.published for sample in self.members)

    @property
    def max_members(self) -> int:
        """Most published members."""
        return _most(sample.published for sample in self.members)

    @property
    def min_healthy_members(self) -> int:
        """Fewest published members that answered their health path."""
        return _least(sample.healthy for sample in self.members)

    @property
    def revisions(self) -> list[str]:
        """Revisions in the order in which they were first seen."""
        return list(dict.fromkeys(name for sample in self.containers for name in sample.revisions))

    def worst(self, below: int) -> list[Members]:
        """The moments at which fewer than `below` members were healthy."""
        return [sample for sample in self.members if sample.healthy < below]

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Observation:
        """From what `to_json` gave."""
        data: dict[str, Any] = json.loads(text)
        data["containers"] = [Containers(**sample) for sample in data["containers"]]
        data["members"] = [Members(**sample) for sample in data["members"]]
        data["gaps"] = [tuple(gap) for gap in data["gaps"]]
        return cls(**data)

    def table(self) -> str:
        """For people: a line whenever something has changed, then the extremes."""
        lines = [
            f"{sample.second:8.2f} s  {sample.running} running, {sample.healthy} healthy  "
            + " ".join(f"{name}={n}" for name, n in sorted(sample.revisions.items()))
            for sample in _changes(
                self.containers, lambda s: (s.running, s.healthy, sorted(s.revisions.items()))
            )
        ]
        lines += [
            f"{sample.second:8.2f} s  generation {sample.generation}: {sample.published} members, "
            f"{sample.healthy} healthy {' '.join(sample.ill)}".rstrip()
            for sample in _changes(self.members, lambda s: (s.generation, s.published, s.ill))
        ]
        lines.append(
            f"replicas running {self.min_running}…{self.max_running}, members healthy at least "
            f"{self.min_healthy_members}, published {self.min_members}…{self.max_members}; "
            f"{len(self.containers)} + {len(self.members)} looks, {len(self.gaps)} gaps, "
            f"{self.stale} stale"
        )
        return "\n".join(lines)


def _least(figures: Iterable[int]) -> int:
    """The least; without any, 0: nothing seen must not pass for enough."""
    return min(figures, default=0)


def _most(figures: Iterable[int]) -> int:
    return max(figures, default=0)


def _changes(samples: list[Any], key: Callable[[Any], Any]) -> Iterable[Any]:
    last: Any = object()
    for sample in samples:
        if key(sample) != last:
            last = key(sample)
            yield sample
