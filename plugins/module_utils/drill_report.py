# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a drill, to people and to programs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_traffic import (
    TrafficResult,
)


@dataclass(frozen=True)
class Course:
    """How it went, in seconds since the fault; None for what did not happen. ``seen`` is what the
    keeper said last.
    """

    out: float | None
    whole: float | None
    seen: str = ""


@dataclass(frozen=True)
class Report:
    """A drill that was carried out. ``began`` is the moment of the fault, in seconds since the
    traffic began; ``rotates``: the fault takes its victim out of the rotation.
    """

    fault: str
    victim: str
    rotates: bool
    course: Course
    patience: float
    began: float
    traffic: TrafficResult

    @property
    def mended(self) -> bool:
        """Whether the stack was whole again in time."""
        return self.course.whole is not None

    @property
    def text(self) -> str:
        """All of it in one sentence."""
        return f"{self.healing}; {self.requests}"

    @property
    def healing(self) -> str:
        """What became of the victim and of the stack."""
        course, parts = self.course, []
        if self.rotates and course.out is None:
            parts.append("never out of rotation")
        elif self.rotates:
            parts.append(f"out of rotation after {course.out:.1f} s")
        if course.whole is not None:
            parts.append(f"whole again after {course.whole:.1f} s")
        else:
            seen = f" ({course.seen})" if course.seen else ""
            parts.append(f"not whole again within {self.patience:.0f} s{seen}")
        return f"{self.fault}: {self.victim} {', '.join(parts)}"

    @property
    def requests(self) -> str:
        """What clients saw of it."""
        seen = self.traffic
        kinds = f" ({by_kind(seen)})" if seen.failed else ""
        return (
            f"{seen.failed:,} of {seen.sent:,} requests failed{kinds}, "
            f"longest pause {seen.longest_pause:.1f} s"
        )

    @property
    def lines(self) -> list[str]:
        """For people, one thing a line."""
        seen = self.traffic
        found = [self.healing, self.requests]
        if seen.failures:
            first, last = (one.at - self.began for one in (seen.failures[0], seen.failures[-1]))
            found.append(
                f"those that failed were due from {first:+.1f} s to {last:+.1f} s of the fault"
            )
        times = (f"{seconds * 1000:,.0f} ms" for seconds in (seen.p50, seen.p95, seen.slowest))
        found.append("answers took {} (p50), {} (p95), {} at most".format(*times))
        return found

    def as_dict(self) -> dict[str, Any]:
        """The mapping that crosses to Ansible."""
        return {
            "fault": self.fault,
            "victim": self.victim,
            "mended": self.mended,
            "out_seconds": self.course.out if self.rotates else None,
            "whole_seconds": self.course.whole,
            "fault_at": self.began,
            "requests": self.traffic.as_dict(),
        }


def by_kind(seen: TrafficResult) -> str:
    """The failures by kind, for people."""
    return ", ".join(f"{kind} {count:,}" for kind, count in seen.kinds.items())
