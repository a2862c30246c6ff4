# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a stack as a page of its own: no script, nothing from elsewhere, all text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_page import STYLE
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_text import (
    duration,
    printable,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import (
    Picture,
    Series,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_report import (
    LINE,
    NOTHING,
    Report,
    deploy_text,
    percent,
    replica_cells,
    when,
)
from tools.monitor.plots import Line, legend, plot, shown

_HEADS = (
    *("Replica", "State", "Version", "Gets traffic", "Requests", "Share", "Errors", "p95"),
    *("CPU", "Memory", "Restarts"),
)
_CLASSES = {
    **dict.fromkeys(("ok", "healthy", "succeeded", "better"), "good"),
    **dict.fromkeys(("degraded", "starting", "running", "warning", "changed"), "fair"),
    **dict.fromkeys(("info", "gone"), "soft"),
}
_LIMITS = {
    "p95_seconds": ("response time p95", " s"),
    "error_percent": ("errors", " %"),
    "cpu_percent": ("CPU", " %"),
    "memory_percent": ("memory", " %"),
}
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def page(report: Report, now: float) -> str:
    """The page. ``now``: when it is written, in seconds of the epoch."""
    picture = report.picture
    parts = (
        *(_figures(picture), _charts(picture, report.series), _replicas(picture)),
        *(_baseline(report), _limits(report), _past(picture)),
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{shown(report.stack)}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
{_header(report, now)}
<main>
{_broken(report)}
{"".join(parts)}
</main>
</body>
</html>
"""


def _header(report: Report, now: float) -> str:
    picture = report.picture
    facts = [
        f"version {shown(picture.version)}",
        f"release {picture.release}",
        f"{picture.healthy} of {picture.wanted} replicas healthy",
        f"{len(picture.members)} of {picture.wanted} get traffic",
        f"seen {when(picture.time)}",
        f"written {when(now)}",
    ]
    facts += [f"changed now: {shown(picture.deploy)}"] if picture.deploy else []
    facts += ["in maintenance"] if picture.maintenance else []
    return (
        f'<header><div class="top"><h1>{shown(report.stack)}</h1>{_badge(picture.state)}</div>'
        f'<p id="text">{_sentence(picture.text)}</p><ul id="facts">{_items(facts)}</ul></header>'
    )


def _broken(report: Report) -> str:
    if report.ok:
        return ""
    rows = _items([_sentence(one.text) for one in report.broken])
    return f'<section id="trouble"><h2>Limits that are broken</h2><ul>{rows}</ul></section>'


def _figures(picture: Picture) -> str:
    load = picture.load
    rate = NOTHING if load.requests_per_minute is None else f"{load.requests_per_minute:,.4g}"
    rows = (
        ("Requests a minute", rate, f"{load.requests:,} in {duration(load.covered_seconds)}"),
        ("Response p95", duration(load.response_p95), f"p50 {duration(load.response_p50)}"),
        ("First byte p95", duration(load.first_byte_p95), "streams included"),
        ("Errors", percent(load.error_percent, 2), "status 5xx"),
        ("Limited", f"{load.limited:,}", "status 429"),
        ("Retried", f"{load.retried:,}", "more than one replica was tried"),
        ("Processor", percent(load.cpu_percent), "mean of the replicas' limits"),
        ("Memory", percent(load.memory_percent), "the fullest replica"),
    )
    cells = [
        f'<div class="card"><dt>{escape(title)}</dt><dd>{escape(value)}'
        f"<small>{escape(more)}</small></dd></div>"
        for title, value, more in rows
    ]
    window = duration(load.window_seconds)
    return f'<section><h2>Last {window}</h2><dl class="figures">{"".join(cells)}</dl></section>'


def _charts(picture: Picture, series: Series) -> str:
    marks = [one.time for one in picture.deploys]
    whole = (
        ("Requests", "/s", "requests_per_second"),
        ("Response time p95", " s", "response_p95"),
        ("Errors", " %", "error_percent"),
        ("Members", "", "members"),
    )
    of_replicas = (
        ("Requests of each replica", "/s", "requests_per_second"),
        ("Response time p95 of each replica", " s", "response_p95"),
        ("CPU of each replica", " %", "cpu_percent"),
        ("Memory of each replica", " %", "memory_percent"),
    )
    plots = [
        plot(title, unit, series.times, [Line(title, series.totals.get(key, ()))], marks)
        for title, unit, key in whole
    ]
    plots += [
        plot(
            title,
            unit,
            series.times,
            [Line(name, values[key]) for name, values in series.replicas.items()],
            marks,
        )
        for title, unit, key in of_replicas
        if series.replicas
    ]
    return (
        f"<section><h2>Last ten minutes</h2>{legend(list(series.replicas))}"
        f'<div class="charts">{"".join(plots)}</div></section>'
    )


def _replicas(picture: Picture) -> str:
    rows = []
    for one in picture.replicas:
        name, state, *rest = replica_cells(one)
        reason = f"<small>{shown(one.reason)}</small>" if one.reason else ""
        cells = [f'<td data-label="State">{_badge(state)}{reason}</td>']
        cells += [
            f'<td data-label="{head}">{escape(text)}</td>' for head, text in zip(_HEADS[2:], rest)
        ]
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    return f"<section><h2>Replicas</h2>{_table(_HEADS, rows)}</section>"


def _baseline(report: Report) -> str:
    kept = report.baseline
    if kept is None:
        return ""
    head = (
        f"{kept.moment}, version {shown(kept.version)}, {kept.replicas} replicas, "
        f"{kept.requests:,} requests"
    )
    rows = [f"{_badge(one.verdict)} {escape(one.text)}" for one in report.differences]
    told = _items(rows or ["Nothing is worse, nothing is better."])
    return (
        f"<section><h2>Against the baseline</h2><p>{head}</p>"
        f'<div class="card log"><ul>{told}</ul></div></section>'
    )


def _limits(report: Report) -> str:
    broken = {one.what for one in report.broken}
    rows = [
        f"{_badge('broken' if name in broken else 'ok')} {title}: at most "
        f"{getattr(report.limits, name):g}{unit}"
        for name, (title, unit) in _LIMITS.items()
    ]
    return f'<section><h2>Limits</h2><div class="card log"><ul>{_items(rows)}</ul></div></section>'


def _past(picture: Picture) -> str:
    changes = [
        f"<time>{when(one.time)}</time>{_badge(one.level)}{_sentence(one.text)}"
        for one in picture.changes
    ]
    deploys = [
        f"<time>{when(one.time)}</time>{_badge(one.result)}{escape(deploy_text(one))}"
        for one in picture.deploys
    ]
    lists = "".join(
        f'<section><h2>{title}</h2><div class="card log"><ul>{_items(rows)}</ul></div></section>'
        for title, rows in (("Last changes", changes), ("Last deploys", deploys))
    )
    return f'<div class="lists">{lists}</div>'


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    return (
        f'<div class="card"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _badge(word: str) -> str:
    return f'<span class="badge {_CLASSES.get(word, "bad")}">{shown(word)}</span>'


def _items(rows: Sequence[str]) -> str:
    """Of a list; the rows are HTML already."""
    return "".join(f"<li>{row}</li>" for row in rows)


def _sentence(text: str) -> str:
    return escape(printable(text, LINE))
