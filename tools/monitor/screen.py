# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a stack for the terminal, with Rich. Every text from elsewhere is made printable and
goes in as text: markup in a name is shown as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_text import (
    duration,
    printable,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import (
    Picture,
    ReplicaNow,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import (
    NOTHING,
    Report,
    baseline_lines,
    deploy_text,
    percent,
    requests_text,
    when,
)

CHANGES, DEPLOYS = 5, 3
"""How many of the last ones are shown."""

_BLOCKS = "▁▂▃▄▅▆▇█"
_NAME, _WORD = 24, 9
_FIGURES = 38
"""Columns of the figures, left of their courses."""

_COLOURS = {
    **dict.fromkeys(("ok", "healthy", "succeeded"), "green"),
    **dict.fromkeys(("degraded", "starting", "running", "warning"), "yellow"),
    **dict.fromkeys(("failed", "interrupted", "error"), "red"),
    **dict.fromkeys(("gone", "info"), ""),
}
"""By words of state, result and level."""


def screen(report: Report, width: int, trouble: str = "") -> RenderableType:
    """All of it. ``width``: columns of the terminal; ``trouble``: why this is an old look."""
    parts: list[RenderableType] = []
    if trouble:
        text = f"This is what was seen last. {trouble}"
        parts.append(Panel(Text(printable(text, 4 * width)), border_style="red"))
    picture = report.picture
    parts += _head(picture, width)
    if report.broken:
        told = Text("\n").join(Text(printable(one.text, 2 * width)) for one in report.broken)
        parts.append(Panel(told, title="Limits that are broken", border_style="red"))
    parts += [Text(), _load(report, width), Text(), _replicas(picture, width)]
    if report.baseline:
        parts += [_line(text, width) for text in baseline_lines(report)]
    parts.append(_past(picture, width))
    return Group(*parts)


def _head(picture: Picture, width: int) -> list[Text]:
    state = printable(picture.state, _WORD)
    first = Text(overflow="ellipsis", no_wrap=True)
    first.append(printable(picture.stack, _NAME), "bold")
    first.append(f"  {state.upper()}  ", f"bold {_colour(picture.state)}")
    first.append(printable(picture.text, width))
    second = (
        f"version {printable(picture.version, _NAME)}, release {picture.release}; "
        f"{len(picture.members)} of {picture.wanted} get traffic; {when(picture.time)}"
    )
    found = [first, _line(second, width)]
    if picture.deploy:
        found.append(Text(printable(f"Changed now: {picture.deploy}", width), "yellow"))
    if picture.maintenance:
        found.append(Text("Maintenance: clients get status 503", "yellow"))
    return found


def _load(report: Report, width: int) -> Table:
    """Each figure, and its course in the last ten minutes."""
    picture, totals, limits = report.picture, report.series.totals, report.limits
    load = picture.load
    broken = {one.what for one in report.broken}
    rate = NOTHING if load.requests_per_minute is None else f"{load.requests_per_minute:,.4g}/min"
    took = f"{duration(load.response_p95)} (p95), {duration(load.response_p50)} (p50)"
    room = max(0, min(60, width - _FIGURES - 16))
    table = Table(
        box=None,
        padding=(0, 1, 0, 0),
        show_header=False,
        title=Text(f"Requests: {requests_text(load)}", "bold"),
        title_justify="left",
    )
    table.add_column(no_wrap=True, style="dim", width=13)
    table.add_column(no_wrap=True, width=_FIGURES)
    table.add_column(no_wrap=True, style="cyan")
    rows = (
        ("", "requests", rate, "requests_per_second"),
        ("p95_seconds", "response", f"{took}, limit {limits.p95_seconds:g} s", "response_p95"),
        ("", "first byte", f"{duration(load.first_byte_p95)} (p95)", ""),
        (
            "error_percent",
            "errors",
            f"{percent(load.error_percent, 2)}, limit {limits.error_percent:g} %",
            "error_percent",
        ),
        ("", "limited", f"{load.limited:,} with 429, {load.retried:,} retried", ""),
        ("cpu_percent", "CPU", f"{percent(load.cpu_percent)}, limit {limits.cpu_percent:g} %", ""),
        (
            "memory_percent",
            "memory",
            f"{percent(load.memory_percent)}, limit {limits.memory_percent:g} %",
            "",
        ),
        ("", "members", f"{len(picture.members)} of {picture.wanted}", "members"),
    )
    for what, title, text, course in rows:
        style = "bold red" if what in broken else ""
        table.add_row(title, Text(text, style), course_of(totals.get(course, ()), room))
    return table


def _replicas(picture: Picture, width: int) -> Table:
    """Health, distribution and use of each."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("replica", no_wrap=True, overflow="ellipsis", max_width=max(8, width - 62))
    for title in ("state", "traffic"):
        table.add_column(title, no_wrap=True)
    for title in ("share", "errors", "p95", "CPU", "memory", "restarts"):
        table.add_column(title, no_wrap=True, justify="right")
    for one in picture.replicas:
        table.add_row(*_cells(one))
    return table


def _cells(one: ReplicaNow) -> list[Text]:
    return [
        Text(printable(one.name, _NAME)),
        Text(printable(one.state, _WORD), _colour(one.state)),
        Text("yes" if one.member else "no", "" if one.member else "dim"),
        *(
            Text(text)
            for text in (
                percent(one.share_percent),
                percent(one.error_percent, 2),
                duration(one.response_p95),
                percent(one.cpu_percent, 0),
                percent(one.memory_percent, 0),
                f"{one.restarts:,}",
            )
        ),
    ]


def _past(picture: Picture, width: int) -> Group:
    """The last changes and deploys."""
    parts = [Text(), Text("Last changes", "bold")]
    for change in picture.changes[:CHANGES]:
        text = f"{when(change.time)} {printable(change.text, 2 * width)}"
        parts.append(Text(text, _COLOURS.get(change.level, "")))
    parts += [Text(), Text("Last deploys", "bold")]
    for deploy in picture.deploys[:DEPLOYS]:
        text = f"{when(deploy.time)} {deploy_text(deploy)}"
        parts.append(Text(text, _COLOURS.get(deploy.result, "")))
    return Group(*parts)


def course_of(values: Sequence[float | None], width: int) -> str:
    """A row of blocks, the highest value full; a blank where nobody knows. Each block is the
    highest of the values that share it.
    """
    if not values or width < 1:
        return ""
    known = [value for value in values if value is not None]
    top = max(known, default=0.0)
    count = min(width, len(values))
    found = []
    for index in range(count):
        part = values[index * len(values) // count : (index + 1) * len(values) // count]
        there = [value for value in part if value is not None]
        if not there:
            found.append(" ")
            continue
        share = max(there) / top if top > 0 else 0.0
        found.append(_BLOCKS[max(0, min(len(_BLOCKS) - 1, int(share * len(_BLOCKS))))])
    return "".join(found)


def _line(text: str, width: int) -> Text:
    """One line, cut at the terminal's edge."""
    return Text(printable(text, width))


def _colour(state: str) -> str:
    return _COLOURS.get(state, "red")
