# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plots as inline SVG. Pure; every text is escaped here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_text import printable
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import when

COLOURS = 8
"""Classes k0 to k7 of keeper_page.STYLE."""

Values = Sequence["float | None"]
_STEPS = (1.0, 2.0, 5.0, 10.0)
_LONGEST = 60
_LEAST = 1e-9


@dataclass(frozen=True)
class Line:
    """One line of a plot: one value for each time, None where nobody knows it."""

    name: str
    values: Values


def shown(text: str) -> str:
    """A text from elsewhere, for HTML: printable, not too long, escaped."""
    return escape(printable(text, _LONGEST))


def plot(
    title: str,
    unit: str,
    times: Sequence[float],
    lines: Sequence[Line],
    marks: Sequence[float] = (),
) -> str:
    """A figure of lines over time.

    :param times: of all values, in seconds of the epoch, ascending.
    :param marks: moments that get a vertical line.
    """
    known = [value for line in lines for value in line.values if value is not None]
    now = _last(lines[0].values) if len(lines) == 1 else None
    value = "" if now is None else f"{now:.4g}{unit}"
    if not times or not known:
        return _figure(title, value, '<p class="details">Nothing is known yet.</p>')
    top = _ceiling(max(known))
    paths = [
        f'<path class="line k{index % COLOURS}" d="{_path(times, line.values, top)}"/>'
        for index, line in enumerate(lines)
    ]
    paths += [_mark(_x(times, mark)) for mark in marks if times[0] <= mark <= times[-1]]
    told = f"{title}: at most {max(known):.4g}{unit}, from {when(times[0])} to {when(times[-1])}"
    drawing = (
        '<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(told)}">{"".join(paths)}</svg>'
        f'<span class="top-of">{top:.4g}{escape(unit)}</span></div>'
        f'<div class="axis"><span>{when(times[0])[11:]}</span><span>{when(times[-1])[11:]}</span>'
        "</div>"
    )
    return _figure(title, value, drawing)


def legend(names: Sequence[str]) -> str:
    """Which colour is whose; the order is that of the lines."""
    rows = [
        f'<li class="k{index % COLOURS}"><span class="swatch"></span>{shown(name)}</li>'
        for index, name in enumerate(names)
    ]
    return f'<ul id="legend">{"".join(rows)}</ul>'


def _figure(title: str, value: str, content: str) -> str:
    return (
        f'<figure class="card"><figcaption><h3>{escape(title)}</h3>'
        f'<span class="value">{escape(value)}</span></figcaption>{content}</figure>'
    )


def _path(times: Sequence[float], values: Values, top: float) -> str:
    """Lines between neighbours that are both known; a value alone is a point."""
    parts, drawn = [], False
    for moment, value in zip(times, values):
        if value is None:
            drawn = False
            continue
        point = f"{_x(times, moment):.2f},{100 - 100 * min(max(value, 0.0), top) / top:.2f}"
        parts.append(f"L{point}" if drawn else f"M{point}h.01")
        drawn = True
    return "".join(parts)


def _x(times: Sequence[float], moment: float) -> float:
    whole = times[-1] - times[0]
    return 100 * (moment - times[0]) / whole if whole > 0 else 100.0


def _mark(x: float) -> str:
    return f'<line class="deploy" x1="{x:.2f}" x2="{x:.2f}" y1="0" y2="100"/>'


def _ceiling(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … that is not below a value; 1 for next to nothing."""
    if value < _LEAST:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in _STEPS if step * power >= value), 10 * power)


def _last(values: Values) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)
