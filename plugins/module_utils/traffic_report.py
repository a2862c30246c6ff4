# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report on traffic, as a plain mapping. Times are seconds, moments ISO 8601 in UTC, shares per
cent. Texts that clients chose are made printable.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import Entry
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import MEMBERS
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_counts import (
    RELATIVE_ERROR,
    Histogram,
    R,
    Table,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_read import (
    Log,
    open_log,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_span import (
    check_top,
    parse_span,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_text import printable
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_totals import (
    CUT,
    FAILED,
    GOOD,
    LIMITED,
    SWITCHED,
    ReplicaRow,
    Row,
    TimedRow,
    Totals,
)

LONGEST_TEXT = 200
_SEPARATE = {0: "none", 429: "429", 499: "499"}


def traffic_report(paths: StackPaths, since: str, until: str, top: int) -> dict[str, Any]:
    """Read the access log of a stack and tell what it adds up to.

    ``since`` and ``until`` are moments as operators write them, or empty. Raises LoadBalancingError
    for a value that is not allowed, and if there is no log.
    """
    now = time.time()
    begin, end = parse_span(since, until, now)
    totals = Totals(Names(paths.nginx), since=begin, until=end, top=check_top(top))
    log = open_log(paths.logs, begin, end)
    for lines in log.blocks():
        totals.add_lines(lines)
    return {"stack": paths.name, **report(totals, log, now)}


class Names:
    """The names of replicas: which one had an address in a generation of the configuration.

    Addresses are given to other containers again, so only that generation's own file tells. Where
    it has been removed, the address is the name.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._members = lru_cache(maxsize=256)(self._read)

    def __call__(self, generation: int, address: str) -> str:
        return self._members(generation).get(address, address)

    def _read(self, generation: int) -> dict[str, str]:
        try:
            members = read_json(os.path.join(self._folder, str(generation), MEMBERS))["members"]
            return {f"{one['address']}:{one['port']}": str(one["name"]) for one in members}
        except (KeyError, TypeError, OSError):
            return {}


def report(totals: Totals, log: Log, now: float) -> dict[str, Any]:
    """The mapping that crosses to Ansible."""
    kinds = totals.kinds()
    return {
        **_period(totals, log, now),
        "requests": totals.requests,
        "bytes": totals.sent,
        "statuses": statuses(totals.codes),
        "error_percent": _error_percent(kinds),
        "errors": kinds[FAILED],
        "limited": kinds[LIMITED],
        "limited_by_balancer": totals.refused,
        "cut": kinds[CUT],
        "retried": totals.retried,
        "failed_attempts": totals.failed_attempts,
        "websockets": totals.codes[SWITCHED],
        "times": {**_times(totals.times), "max": totals.longest},
        "first_byte": _times(totals.first_bytes),
        "relative_error": RELATIVE_ERROR,
        "replicas": _replicas(totals),
        "paths": [
            {"path": _text(name), **_counts(row), **_times_of(row)}
            for name, row in totals.paths.top(totals.top)
        ],
        "other_paths": _others(totals.paths, totals.top),
        "clients": [
            {"client": _text(name), **_counts(row)} for name, row in totals.clients.top(totals.top)
        ],
        "other_clients": _others(totals.clients, totals.top),
        "slowest": [_slow(totals, entry) for entry in totals.slowest],
        "log": {
            "files": sum(not one.outside for one in log.files),
            "left_out": log.left_out + sum(one.outside for one in log.files),
            "lines": sum(one.read for one in log.files),
            "damaged": totals.damaged,
            "notes": [*log.notes, *(one.note for one in log.files if one.note)],
        },
    }


def statuses(codes: list[int]) -> dict[str, int]:
    """How many requests had a status, by class; 429 and 499 are classes of their own, and "none" is
    for connections that ended before there was a status.
    """
    found = dict.fromkeys(["1xx", "2xx", "3xx", "4xx", "5xx", *_SEPARATE.values()], 0)
    for status, count in enumerate(codes):
        if count:
            name = _SEPARATE.get(status) or f"{status // 100}xx"
            found[name] = found.get(name, 0) + count
    return found


def _period(totals: Totals, log: Log, now: float) -> dict[str, Any]:
    """From when until when, and how many requests a second that is.

    It begins with the first request where the log does not reach back to the time that was asked
    for, and without an end it ends now.
    """
    seen = totals.requests > 0
    begin = totals.since
    if seen and not log.reaches_back:
        begin = totals.first
    elif begin == float("-inf"):
        begin = now
    end = now if totals.until == float("inf") else totals.until
    seconds = max(0.0, end - begin)
    return {
        "since": moment(begin),
        "until": moment(end),
        "seconds": round(seconds, 3),
        "first_request": moment(totals.first) if seen else None,
        "last_request": moment(totals.last) if seen else None,
        "requests_per_second": round(totals.requests / seconds, 3) if seconds else 0.0,
    }


def moment(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _times(histogram: Histogram) -> dict[str, float | None]:
    """Percentiles in seconds, None without a time."""
    found = {f"p{percent}": histogram.percentile(percent) for percent in (50, 95, 99)}
    return {key: None if value is None else round(value, 6) for key, value in found.items()}


def _times_of(row: TimedRow) -> dict[str, Any]:
    return {"times": _times(row.times)}


def _counts(row: Row) -> dict[str, Any]:
    """What every list tells of a name."""
    return {
        "requests": row.requests,
        "errors": row.kinds[FAILED],
        "error_percent": _error_percent(row.kinds),
        "limited": row.kinds[LIMITED],
        "cut": row.kinds[CUT],
        "failed_attempts": row.failed_attempts,
        "bytes": row.sent,
    }


def _error_percent(kinds: list[int]) -> float:
    """Failed ones among the good and the failed."""
    return round(100 * kinds[FAILED] / ((kinds[GOOD] + kinds[FAILED]) or 1), 3)


def _replicas(totals: Totals) -> list[dict[str, Any]]:
    rows = sorted(totals.replicas.rows.items())
    answered = sum(row.requests for _name, row in rows) or 1
    return [_replica(name, row, answered) for name, row in rows]


def _replica(name: str, row: ReplicaRow, answered: int) -> dict[str, Any]:
    return {
        "name": _text(name),
        "share_percent": round(100 * row.requests / answered, 3),
        **_counts(row),
        **_times_of(row),
        "first_byte": _times(row.first_bytes),
    }


def _others(table: Table[R], top: int) -> dict[str, int]:
    """What is not in the list."""
    shown = [name for name, _row in table.top(top)]
    return {
        "requests": table.left(shown).requests,
        "names": len(table.rows) - len(shown) + table.others,
        "missing_at_most": table.missing,
    }


def _slow(totals: Totals, entry: Entry) -> dict[str, Any]:
    replica = entry.replica
    if ":" in replica:
        replica = totals.name_of(entry.generation, replica)
    return {
        "seconds": entry.seconds,
        "ended": moment(entry.time),
        "method": _text(entry.method),
        "path": _text(entry.uri),
        "status": entry.status,
        "client": _text(entry.client),
        "replica": _text(replica),
        "request_id": _text(entry.request_id),
    }


def _text(text: str) -> str:
    return printable(text, LONGEST_TEXT)
