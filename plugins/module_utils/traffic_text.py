# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report on traffic, for people at a terminal. Pure.

Clients choose paths, methods and more, so nothing of that may reach the terminal as it is: no
control characters, no escape sequences, no signs that turn the direction of writing, and no more
than fits into a column.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

_WIDE = ("W", "F")
_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86_400
_LONG = ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", _SECOND, "s"))
_KIB = 1024
_PATH, _NAME, _METHOD = 44, 24, 8

Cells = Sequence[str]


def printable(text: str, width: int) -> str:
    """A text that takes at most ``width`` columns of a terminal, on one line.

    What cannot be printed, has no width or overlays other signs is shown as in Python's escapes.
    """
    parts: list[str] = []
    used = 0
    for sign in text:
        shown = sign if _plain(sign) else _escaped(sign)
        used += columns(shown)
        if used > width:
            return _cut(parts, width - 1) + "…"
        parts.append(shown)
    return "".join(parts)


def columns(text: str) -> int:
    """How many columns a printable text takes."""
    return sum(2 if unicodedata.east_asian_width(sign) in _WIDE else 1 for sign in text)


def _plain(sign: str) -> bool:
    return sign.isprintable() and unicodedata.category(sign)[0] != "M"


def _escaped(sign: str) -> str:
    number = ord(sign)
    if number <= 0xFF:  # noqa: PLR2004
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004


def _cut(parts: list[str], width: int) -> str:
    while parts and sum(columns(part) for part in parts) > width:
        parts.pop()
    return "".join(parts)


def sentence(report: Mapping[str, Any]) -> str:
    """The most important figures."""
    took = report["times"]
    return (
        f"{report['requests']:,} requests in {duration(report['seconds'])}, "
        f"{report['error_percent']:.2f} % errors, {report['limited']:,} limited, "
        f"{report['cut']:,} cut, {report['retried']:,} retried; answers took "
        f"{duration(took['p50'])} (p50), {duration(took['p95'])} (p95)"
    )


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report, one line each."""
    found = [*_summary(report)]
    if report["requests"]:
        found += section("Replicas", _REPLICA_HEAD, [_replica(one) for one in report["replicas"]])
        found += section("Paths", _PATH_HEAD, [_path(one) for one in report["paths"]])
        found += _rest(report["other_paths"], "paths")
        found += section("Slowest requests", _SLOW_HEAD, [_slow(o) for o in report["slowest"]])
        found += section("Clients", _CLIENT_HEAD, [_client(one) for one in report["clients"]])
        found += _rest(report["other_clients"], "clients")
    return [*found, "", *_log(report["log"])]


_REPLICA_HEAD = (
    *("replica", "requests", "share", "errors", "limited", "cut", "failed attempts"),
    *("p50", "p95", "p99", "first byte p95"),
)
_PATH_HEAD = ("path", "requests", "errors", "limited", "cut", "p50", "p95", "p99")
_SLOW_HEAD = ("path", "took", "status", "method", "replica", "client", "ended")
_CLIENT_HEAD = ("client", "requests", "errors", "limited", "cut", "sent")


def _summary(report: Mapping[str, Any]) -> list[str]:
    head = (
        f"Traffic of {printable(report['stack'], _NAME)} from {report['since']} to "
        f"{report['until']} ({duration(report['seconds'])})"
    )
    if not report["requests"]:
        return [head, "no requests"]
    by_class = ", ".join(f"{name} {n:,}" for name, n in report["statuses"].items() if n)
    return [
        head,
        f"requests      {report['requests']:,}, {report['requests_per_second']:,.2f}/s, "
        f"{size(report['bytes'])} sent; from {report['first_request']} to {report['last_request']}",
        f"statuses      {by_class}",
        f"errors        {report['errors']:,}, {report['error_percent']:.2f} %",
        f"limited       {report['limited']:,}, {report['limited_by_balancer']:,} of them by the "
        "balancer",
        f"cut           {report['cut']:,}",
        f"retried       {report['retried']:,}, {report['failed_attempts']:,} attempts failed",
        f"answers took  {_percentiles(report['times'])}, {duration(report['times']['max'])} (most)",
        f"first byte    {_percentiles(report['first_byte'])}",
    ]


def _percentiles(times: Mapping[str, float | None]) -> str:
    return ", ".join(f"{duration(times[key])} ({key})" for key in ("p50", "p95", "p99"))


def _three(times: Mapping[str, float | None]) -> list[str]:
    return [duration(times[key]) for key in ("p50", "p95", "p99")]


def _numbers(one: Mapping[str, Any]) -> list[str]:
    return [f"{one[key]:,}" for key in ("errors", "limited", "cut")]


def _replica(one: Mapping[str, Any]) -> list[str]:
    return [
        printable(one["name"], _PATH),
        f"{one['requests']:,}",
        f"{one['share_percent']:.1f} %",
        *_numbers(one),
        f"{one['failed_attempts']:,}",
        *_three(one["times"]),
        duration(one["first_byte"]["p95"]),
    ]


def _path(one: Mapping[str, Any]) -> list[str]:
    path = printable(one["path"], _PATH)
    return [path, f"{one['requests']:,}", *_numbers(one), *_three(one["times"])]


def _slow(one: Mapping[str, Any]) -> list[str]:
    return [
        printable(one["path"], _PATH),
        duration(one["seconds"]),
        str(one["status"]),
        printable(one["method"], _METHOD),
        printable(one["replica"], _NAME) or "-",
        printable(one["client"], _PATH),
        one["ended"],
    ]


def _client(one: Mapping[str, Any]) -> list[str]:
    client = printable(one["client"], _PATH)
    return [client, f"{one['requests']:,}", *_numbers(one), size(one["bytes"])]


def section(title: str, head: Cells, rows: Sequence[Cells]) -> list[str]:
    """A table under its title; nothing without rows. The first column stands to the left."""
    if not rows:
        return []
    table = [head, *rows]
    widths = [max(columns(row[at]) for row in table) for at in range(len(head))]
    found = ["", title]
    for row in table:
        first = row[0] + " " * (widths[0] - columns(row[0]))
        rest = (" " * (w - columns(cell)) + cell for cell, w in zip(row[1:], widths[1:]))
        found.append("  ".join(["", first, *rest]))
    return found


def _rest(other: Mapping[str, int], what: str) -> list[str]:
    if not other["requests"]:
        return []
    missing = other["missing_at_most"]
    names = f"{'up to ' if missing else ''}{other['names']:,} other {what}"
    text = f"  {other['requests']:,} requests of {names}"
    return [f"{text}; the counts above are at most {missing:,} too low" if missing else text]


def _log(log: Mapping[str, Any]) -> list[str]:
    text = f"log           {log['lines']:,} lines of {log['files']} files, "
    text += f"{log['damaged']:,} damaged; {log['left_out']} files of other times left out"
    return [text, *(f"              {printable(note, 160)}" for note in log["notes"])]


def duration(seconds: float | None) -> str:
    """12 ms, 1.20 s, 2 min 5 s, 3 h 12 min, 2 d 1 h; "-" for None."""
    if seconds is None:
        return "-"
    if seconds < _SECOND:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    unit, name, smaller, its_name = next(one for one in _LONG if whole >= one[0])
    rest = whole % unit // smaller
    return f"{whole // unit} {name}" + (f" {rest} {its_name}" if rest else "")


def size(count: int) -> str:
    """Bytes as 512 B, 1.5 KiB, 2.0 MiB, …"""
    if count < _KIB:
        return f"{count} B"
    value, units = count / _KIB, ["TiB", "GiB", "MiB", "KiB"]
    while value >= _KIB and len(units) > 1:
        value /= _KIB
        units.pop()
    return f"{value:,.1f} {units[-1]}"
