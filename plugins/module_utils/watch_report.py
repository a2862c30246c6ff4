# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a stack: one look, the limits, the baseline, as data and as lines of text.

Names, versions and reasons may come from others (an image, a container, an application), so
whatever goes to a terminal goes through traffic_text.printable().
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_text import (
    duration,
    printable,
    section,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_baseline import (
    Baseline,
    Difference,
    compare,
    figures,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import (
    Breach,
    Limits,
    absent,
    breaches,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import (
    DeployThen,
    LoadNow,
    Picture,
    ReplicaNow,
    Series,
)

LINE, NAME, WORD = 200, 40, 16
"""Columns that a sentence, a name, a word may take."""

NOTHING = "-"
"""In place of what nobody knows."""

_LATEST_MOMENT = 253_402_300_799.0
_REPLICAS_HEAD = (
    *("replica", "state", "version", "traffic", "requests", "share", "errors", "p95"),
    *("CPU", "memory", "restarts"),
)


@dataclass(frozen=True)
class Verdict:
    """Whether a stack is well. By itself it is that of a stack whose keeper does not answer."""

    stack: str
    limits: Limits
    broken: tuple[Breach, ...]

    @property
    def ok(self) -> bool:
        """Whether no limit is broken."""
        return not self.broken

    @property
    def text(self) -> str:
        """The most important of it, in one line."""
        words = [printable(one.text, LINE) for one in self.broken] or ["no limit is broken"]
        return f"{printable(self.stack, NAME)}: {'; '.join(words)}"

    @property
    def lines(self) -> list[str]:
        """All of it for people."""
        if self.ok:
            return ["No limit is broken"]
        return [
            "Limits that are broken",
            *(f"  {printable(one.text, LINE)}" for one in self.broken),
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: ``stack``, ``ok``, ``limits``, ``broken``, and empty, what needs a keeper."""
        return {
            "stack": self.stack,
            "ok": self.ok,
            "limits": asdict(self.limits),
            "broken": [asdict(one) for one in self.broken],
            "baseline": None,
            "differences": [],
        }


@dataclass(frozen=True)
class Report(Verdict):
    """One look at a stack, judged and compared with its baseline, if there is one."""

    picture: Picture
    series: Series
    baseline: Baseline | None
    differences: tuple[Difference, ...]

    @property
    def lines(self) -> list[str]:
        """All of it for people, without the series."""
        return [*_picture(self.picture), "", *super().lines, *baseline_lines(self)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the keys of Picture, without the series. None is what nobody knows."""
        return {
            **asdict(self.picture),
            **super().as_dict(),
            "baseline": self.baseline.as_dict() if self.baseline else None,
            "differences": [asdict(one) for one in self.differences],
        }


def report_of(
    picture: Picture, series: Series, limits: Limits, baseline: Baseline | None
) -> Report:
    """What one look shows, judged and compared. Pure."""
    differences = compare(baseline.figures, figures(picture)) if baseline else ()
    broken = breaches(picture, limits)
    return Report(picture.stack, limits, broken, picture, series, baseline, differences)


def without_keeper(stack: str, reason: str, limits: Limits) -> Verdict:
    """What there is to tell when no keeper answers. ``reason``: why, and what to do."""
    return Verdict(stack, limits, (absent(reason),))


def baseline_lines(report: Report) -> list[str]:
    """What differs from the baseline; nothing without one."""
    kept = report.baseline
    if kept is None:
        return []
    head = (
        f"Baseline of {kept.moment}: version {printable(kept.version, WORD)}, "
        f"{kept.replicas} replicas, {kept.requests:,} requests"
    )
    rows = [f"  {one.text}" for one in report.differences]
    return ["", head, *(rows or ["  nothing is worse, nothing is better"])]


def _picture(picture: Picture) -> list[str]:
    load = picture.load
    now = f"version {printable(picture.version, NAME)}, release {picture.release}"
    found = [
        f"{printable(picture.stack, NAME)} is {printable(picture.state, WORD)}: "
        f"{printable(picture.text, LINE)}",
        f"serves        {now}; {len(picture.members)} of {picture.wanted} get traffic",
        *notes(picture),
        f"requests      {requests_text(load)}",
        f"errors        {percent(load.error_percent, 2)} of the answers have a status 5xx; "
        f"{load.limited:,} limited, {load.retried:,} retried",
        f"answers took  {duration(load.response_p50)} (p50), {duration(load.response_p95)} (p95); "
        f"first byte {duration(load.first_byte_p95)} (p95)",
        f"use           CPU {percent(load.cpu_percent)}, memory {percent(load.memory_percent)}",
    ]
    for change in picture.changes[:1]:
        found.append(f"last change   {when(change.time)} {printable(change.text, LINE)}")
    for deploy in picture.deploys[:1]:
        found.append(f"last deploy   {when(deploy.time)} {deploy_text(deploy)}")
    rows = [replica_cells(one) for one in picture.replicas]
    return [*found, *section("Replicas", _REPLICAS_HEAD, rows)]


def notes(picture: Picture) -> list[str]:
    """What somebody is doing with the stack."""
    found = []
    if picture.deploy:
        found.append(f"changes       {printable(picture.deploy, LINE)} is at work")
    if picture.maintenance:
        found.append("maintenance   clients get status 503")
    return found


def requests_text(load: LoadNow) -> str:
    """How many there were."""
    rate = NOTHING if load.requests_per_minute is None else f"{load.requests_per_minute:,.4g}"
    return f"{load.requests:,} in the last {duration(load.covered_seconds)}, {rate} a minute"


def replica_cells(one: ReplicaNow) -> list[str]:
    """One replica, in the order of the table's columns."""
    return [
        printable(one.name, NAME),
        printable(one.state, WORD),
        printable(one.version, WORD) or NOTHING,
        "yes" if one.member else "no",
        f"{one.requests:,}",
        percent(one.share_percent),
        percent(one.error_percent, 2),
        duration(one.response_p95),
        percent(one.cpu_percent),
        percent(one.memory_percent),
        f"{one.restarts:,}",
    ]


def deploy_text(one: DeployThen) -> str:
    """One deploy, without its moment."""
    parts = [f"{printable(one.what, WORD)} {printable(one.result, WORD)}"]
    if one.version:
        parts.append(f"version {printable(one.version, NAME)}")
    if one.replicas is not None:
        parts.append(f"{one.replicas} replicas")
    if one.release:
        parts.append(f"release {one.release}")
    return ", ".join(parts)


def percent(value: float | None, digits: int = 1) -> str:
    """A part of a hundred."""
    return NOTHING if value is None else f"{value:,.{digits}f} %"


def when(moment: float) -> str:
    """A moment in ISO 8601, UTC, to the second."""
    if not 0 < moment < _LATEST_MOMENT:
        return NOTHING
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
