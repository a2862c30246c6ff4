# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which failed requests a fault excuses, by the balancer's own access log."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.result import FailureDetail, Result

LONG = {"sse": "stream", "websocket": "WebSocket"}
CLEAR_503 = "database: not available"
#: Between tries on several members, and between several passes (an error page that asks again).
_UPSTREAMS = re.compile(r", | : ")


@dataclass(frozen=True)
class Entry:
    """A request in the access log: when it came and ended, and whom it was sent to."""

    began: float
    ended: float
    upstreams: tuple[str, ...]

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Entry:
        """From a line of the log."""
        tried = [one.rpartition(":")[0] for one in _UPSTREAMS.split(line["upstream_addr"]) if one]
        ended = float(line["msec"])
        return cls(ended - float(line["request_time"]), ended, tuple(tried))


def read_log(path: Path, offset: int) -> dict[str, Entry]:
    """The requests in the access log from a byte on, by their ids."""
    found = {}
    with path.open("rb") as file:
        file.seek(offset)
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue  # half a line: the disk was full, or nginx was killed
            found[line["request_id"]] = Entry.of(line)
    return found


@dataclass(frozen=True)
class Failed:
    """A failed request: ``sort`` as in the table, ``at`` when the client saw it fail, ``entry`` the
    balancer's view of it, if it has one.
    """

    sort: str
    detail: FailureDetail
    at: float
    entry: Entry | None

    def __str__(self) -> str:
        detail = self.detail
        sent = f"to {', '.join(self.entry.upstreams)}" if self.entry else "not in the access log"
        status = f" {detail.status}" if detail.status else ""
        return f"{self.sort}: {detail.failure}{status} ({detail.reason[:80]}), {sent}"


def failed_in(result: Result, log: Mapping[str, Entry], keyed: bool) -> list[Failed]:
    """The failed requests of one run of traffic."""
    assert len(result.failures) == result.failed, "more failures than are kept in detail"
    return [
        Failed(
            sort_of(detail, keyed),
            detail,
            result.started_at + detail.second,
            log.get(detail.request_id),
        )
        for detail in result.failures
    ]


def sort_of(detail: FailureDetail, keyed: bool) -> str:
    """Which column of the table a failure belongs to."""
    if detail.kind in LONG:
        return LONG[detail.kind]
    if detail.method == "GET":
        return "GET"
    return "POST with key" if keyed else "POST"


def count(failed: Iterable[Failed]) -> dict[str, int]:
    """How many of each sort."""
    return dict(Counter(one.sort for one in failed))


@dataclass(frozen=True)
class InFlight:
    """Excuses what was in flight on the victims: sent to one of them, as the last of its tries,
    before they were out of rotation. GETs, and POSTs with a key, are sent again, so they are not.
    """

    victims: Collection[str]
    out: float

    def excuses(self, failed: Failed) -> bool:
        """Whether this one may have failed."""
        if failed.sort not in ("POST", "stream", "WebSocket") or failed.entry is None:
            return False
        last = failed.entry.upstreams[-1] if failed.entry.upstreams else ""
        return last in self.victims and failed.entry.began <= self.out


@dataclass(frozen=True)
class During:
    """Excuses what failed between two moments."""

    begin: float
    end: float

    def excuses(self, failed: Failed) -> bool:
        """Whether this one may have failed."""
        return self.begin <= failed.at <= self.end


@dataclass(frozen=True)
class NoDatabase:
    """Excuses what needs the database, was told so clearly, and asked while it was away."""

    begin: float
    end: float

    def excuses(self, failed: Failed) -> bool:
        """Whether this one may have failed."""
        if not self.begin <= failed.at <= self.end or CLEAR_503 not in failed.detail.reason:
            return False
        return failed.sort == "WebSocket" or (
            failed.sort in ("POST", "POST with key") and failed.detail.status == 503
        )


@dataclass(frozen=True)
class Nothing:
    """Excuses nothing."""

    def excuses(self, _failed: Failed) -> bool:
        """Whether this one may have failed."""
        return False


Excuse = InFlight | During | NoDatabase | Nothing
