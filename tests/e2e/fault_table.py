# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault matrix as one table: what failed, how long it took, and what was allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.rounds import table

SORTS = ("GET", "POST", "POST with key", "stream", "WebSocket")
FILE = Path(__file__).resolve().parent.parent / "output" / "faults.txt"
_TIMES = ("out of rotation", "whole again", "pause")
_HEAD = ("fault", *SORTS, "of", "allowed", *_TIMES, "lost/doubled")
_LEGEND = (
    "GET … WebSocket: failed ones. Times in seconds, with the bar behind the stroke. pause: the "
    "longest time without a right answer."
)


@dataclass
class Row:
    """The figures of one fault. ``allowed`` says which failures may be; None in a figure: it was
    not measured, or did not come about.
    """

    fault: str
    failed: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    allowed: str = "0"
    out: float | None = None
    out_bar: float | None = None
    whole: float | None = None
    whole_bar: float | None = None
    pause: float = 0.0
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)

    def cells(self) -> list[object]:
        """The columns."""
        return [
            f"{self.fault}{' ✗' if self.problems else ''}",
            *(self.failed.get(sort, 0) for sort in SORTS),
            self.requests,
            self.allowed,
            _within(self.out, self.out_bar),
            _within(self.whole, self.whole_bar),
            f"{self.pause:.1f}",
            f"{self.lost}/{self.doubled}",
        ]


def _within(seconds: float | None, limit: float | None) -> str:
    if seconds is None and limit is None:
        return "-"
    reached = "never" if seconds is None else f"{seconds:.1f}"
    return reached if limit is None else f"{reached} / {limit:g}"


class Table:
    """All rows so far; what is there is in the file at any moment."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        """One more row."""
        self.rows.append(row)
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(f"{self.text()}\n", encoding="utf-8")

    def text(self) -> str:
        """For people, with what is wrong below."""
        wrong = [f"✗ {row.fault}: {problem}" for row in self.rows for problem in row.problems]
        return "\n".join([table(_HEAD, [row.cells() for row in self.rows]), _LEGEND, *wrong])


TABLE = Table()
"""The rows of this run of pytest."""
