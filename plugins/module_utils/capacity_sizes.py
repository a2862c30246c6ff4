# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The starting points: how many replicas and how large a server for how much traffic.

They are the rule of thumb that this collection gives before anything is measured: for web
applications that answer within a second or two, a chatbot in front of a language model for example.
The calculation of ``capacity`` raises them where the load does not fit, and never lowers them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

BASE_MEMORY = 2.0
"""Gigabytes for what is no replica: system, engine, balancer and keeper 1, database 1."""


@dataclass(frozen=True)
class Range:
    """From ``min`` to ``max``; without an end where ``max`` is None."""

    min: int
    max: int | None

    def at_least(self, need: float) -> Range:
        """The same, with both ends raised to a need where that is greater."""
        least = math.ceil(need)
        return Range(max(self.min, least), None if self.max is None else max(self.max, least))

    def times(self, low: float, high: float) -> Range:
        """Both ends multiplied, each by its own factor, in whole units."""
        least = math.ceil(round(self.min * low, 6))
        most = None if self.max is None else math.ceil(round(self.max * high, 6))
        return Range(least, most)

    def __str__(self) -> str:
        """Such as ``2-4``, ``4`` or ``12+``."""
        if self.max is None:
            return f"{self.min}+"
        return str(self.min) if self.min == self.max else f"{self.min}-{self.max}"


@dataclass(frozen=True)
class Row:
    """One line of the starting points. It is for less than ``below`` requests a minute (None: for
    any number). ``cost`` is US dollars a month, ``memory`` gigabytes.
    """

    title: str
    below: float | None
    replicas: Range
    vcpus: Range
    memory: Range
    cost: Range


# 1000 a minute belongs to the third line ("above 1000" begins after it), 500 to the larger one.
_AFTER_1000 = math.nextafter(1000.0, math.inf)
ROWS = (
    Row("under 100", 100, Range(2, 3), Range(2, 4), Range(4, 4), Range(25, 50)),
    Row("100-500", 500, Range(3, 5), Range(4, 6), Range(8, 8), Range(50, 100)),
    Row("500-1000", _AFTER_1000, Range(5, 8), Range(6, 8), Range(12, 16), Range(100, 250)),
    Row("above 1000", None, Range(8, None), Range(12, None), Range(24, None), Range(250, None)),
)


@dataclass(frozen=True)
class ServerSize:
    """A server for ``replicas.min`` replicas. Units as in Row."""

    replicas: Range
    vcpus: Range
    memory: Range
    cost: Range

    def as_dict(self) -> dict[str, Any]:
        """``{replicas_min, replicas_max, vcpus, memory_gb, monthly_cost}``."""
        return {
            "replicas_min": self.replicas.min,
            "replicas_max": self.replicas.max,
            "vcpus": asdict(self.vcpus),
            "memory_gb": asdict(self.memory),
            "monthly_cost": asdict(self.cost),
        }


def row_of_traffic(requests_per_minute: float) -> Row:
    """The line for so many requests a minute."""
    return next(row for row in ROWS if row.below is None or requests_per_minute < row.below)


def row_of_replicas(replicas: int, least: Row) -> Row:
    """The first line from ``least`` on that has room for so many replicas."""
    rows = ROWS[ROWS.index(least) :]
    return next(row for row in rows if row.replicas.max is None or replicas <= row.replicas.max)


def server_size(replicas: int, surge: int, cpus: float, memory: float, row: Row) -> ServerSize:
    """The server for so many replicas, of ``cpus`` and ``memory`` gigabytes each.

    Its line of the starting points is the one that has room for the replicas. Where these need more
    than that line says, vCPUs and memory are raised, and the cost in proportion to the one that
    grows more. Memory has to suffice for ``surge`` more replicas, which a rollout starts first.
    """
    line = row_of_replicas(replicas, row)
    vcpus = line.vcpus.at_least(round(replicas * cpus, 6))
    room = line.memory.at_least(round((replicas + surge) * memory + BASE_MEMORY, 6))
    return ServerSize(
        replicas=Range(replicas, line.replicas.max),
        vcpus=vcpus,
        memory=room,
        cost=line.cost.times(
            max(vcpus.min / line.vcpus.min, room.min / line.memory.min),
            max(_growth(vcpus, line.vcpus), _growth(room, line.memory)),
        ),
    )


def _growth(grown: Range, line: Range) -> float:
    return 1.0 if grown.max is None or line.max is None else grown.max / line.max


def table() -> list[Mapping[str, str]]:
    """The starting points as texts, by the columns ``traffic, replicas, vcpus, memory, cost``."""
    return [
        {
            "traffic": row.title,
            "replicas": str(row.replicas),
            "vcpus": str(row.vcpus),
            "memory": memory_text(row.memory),
            "cost": f"${row.cost}",
        }
        for row in ROWS
    ]


def memory_text(memory: Range) -> str:
    """Such as ``12-16 GB`` or ``24 GB+``."""
    return f"{memory.min} GB+" if memory.max is None else f"{memory} GB"
