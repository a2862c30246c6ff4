# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rounds in turns, medians of their ratios, and a small table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

Figures = dict[str, list[float]]


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> Figures:
    """Measure each way once a round: `{way: [figure of each round]}`.

    Every other round goes backwards, so that no way is always the one after the same other.
    """
    figures: Figures = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways) if number % 2 == 0 else list(ways)[::-1]
        for name in names:
            figures[name].append(ways[name]())
    return figures


def ratio(figures: Figures, one: str, other: str) -> float:
    """The median over the rounds of what `one` reached divided by what `other` reached."""
    return median(a / b for a, b in zip(figures[one], figures[other], strict=True))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they must be: the first to the left, the others to the right."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    lines = []
    for first, *others in texts:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)
