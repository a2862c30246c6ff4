# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of traffic gave: plain data, JSON in and out, and a table for people."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from tests.load.faults import CUTS, Failure


@dataclass
class KindResult:
    """Figures of one kind of load. `sent` = `ok` + `failed`, always.

    latency_ms  p50, p95, p99, max; counted from the schedule for `open`, until the first token
                for `sse`, per message for `websocket`, until the complete answer otherwise
    reconnected connections that the server had closed properly before the next request was sent
    reset_at_rest  the same with a reset: no request was lost, but a polite server does not do it
    replayed    answers that say `Idempotent-Replayed`: the application got a message twice, though
                it was sent once; something between must have sent it again
    messages    of `websocket` only: messages that were answered rightly
    """

    sent: int = 0
    ok: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)
    reconnected: int = 0
    reset_at_rest: int = 0
    replayed: int = 0
    messages: int = 0


@dataclass
class FailureDetail:
    """One failure. `second` is counted from the beginning of the traffic; `request_id` is the
    balancer's, empty where it gave no header.
    """

    kind: str
    failure: str
    second: float
    method: str
    path: str
    reason: str
    status: int | None = None
    request_id: str = ""


@dataclass
class Second:
    """What ended within one second; `versions` counts ok answers by the version that gave them."""

    second: int
    ok: int = 0
    failed: int = 0
    versions: dict[str, int] = field(default_factory=dict)


@dataclass
class Result:
    """A whole run.

    started_at     Unix time of the beginning; `seconds` until the end was asked for
    longest_pause  most seconds between two ok answers one after the other of `closed` and `open`,
                   the beginning and the end of the traffic counting as answers;
                   `longest_pause_at`: when it began
    failures       the first 2,000 in detail (all are counted in `kinds`)
    acknowledged   ids of messages whose storing the application has confirmed
    run            what all ids of this run begin with
    """

    started_at: float
    seconds: float
    run: str
    kinds: dict[str, KindResult]
    failures: list[FailureDetail]
    longest_pause: float
    longest_pause_at: float
    instances: dict[str, int]
    versions: dict[str, int]
    timeline: list[Second]
    acknowledged: list[str]

    @property
    def sent(self) -> int:
        """Requests, streams and WebSockets that were begun."""
        return sum(kind.sent for kind in self.kinds.values())

    @property
    def ok(self) -> int:
        """Those that came to their proper end."""
        return sum(kind.ok for kind in self.kinds.values())

    @property
    def failed(self) -> int:
        """Those that did not."""
        return sum(kind.failed for kind in self.kinds.values())

    @property
    def requests(self) -> int:
        """Single requests (closed, open, idle): without streams and WebSockets."""
        return sum(kind.sent for name, kind in self.kinds.items() if name not in LONG_KINDS)

    @property
    def failures_by_kind(self) -> dict[str, int]:
        """All failures by what they were."""
        total: Counter[str] = Counter()
        for kind in self.kinds.values():
            total.update(kind.failures)
        return dict(total)

    @property
    def streams_cut(self) -> int:
        """Streams and WebSockets that had begun and were cut."""
        return sum(
            count
            for name in LONG_KINDS
            for failure, count in self._of(name).failures.items()
            if Failure(failure) in CUTS
        )

    def failed_except(self, expected: Collection[str]) -> int:
        """Failures other than the kinds named (for a test that provokes these itself)."""
        return sum(n for failure, n in self.failures_by_kind.items() if failure not in expected)

    def _of(self, name: str) -> KindResult:
        return self.kinds.get(name, KindResult())

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """From what `to_json` gave."""
        data: dict[str, Any] = json.loads(text)
        data["kinds"] = {name: KindResult(**kind) for name, kind in data["kinds"].items()}
        data["failures"] = [FailureDetail(**detail) for detail in data["failures"]]
        data["timeline"] = [Second(**second) for second in data["timeline"]]
        return cls(**data)

    def table(self) -> str:
        """For people: a line per kind, then what else there is to know."""
        lines = [
            f"{'':<10}{'sent':>9}{'ok':>9}{'failed':>8}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>9}"
        ]
        for name, kind in self.kinds.items():
            times = "".join(
                f"{kind.latency_ms[key]:>{width}.1f}" if key in kind.latency_ms else " " * width
                for key, width in (("p50", 8), ("p95", 8), ("p99", 8), ("max", 9))
            )
            lines.append(f"{name:<10}{kind.sent:>9}{kind.ok:>9}{kind.failed:>8}{times}  ms")
        rate = self.requests / self.seconds if self.seconds else 0.0
        reconnected = sum(kind.reconnected for kind in self.kinds.values())
        replayed = sum(kind.replayed for kind in self.kinds.values())
        lines += [
            f"{self.requests} requests in {self.seconds:.1f} s ({rate:.0f}/s), "
            f"{self.failed} of everything failed, {self.streams_cut} streams cut, "
            f"{self._of('websocket').messages} WebSocket messages",
            f"longest pause {self.longest_pause * 1000:.0f} ms, "
            f"at second {self.longest_pause_at:.1f}",
            f"reconnected after a proper close: {reconnected}",
            f"sent again by something between: {replayed}",
            f"versions: {_counts(self.versions)}",
            f"instances: {_counts(self.instances)}",
        ]
        if self.failed:
            lines.append(f"failures: {_counts(self.failures_by_kind)}")
        first = {(f.kind, f.failure): f for f in reversed(self.failures)}
        lines += [
            f"  first at {f.second:.2f} s: {f.kind} {f.method} {f.path}: {f.failure}"
            f"{f' {f.status}' if f.status else ''}: {f.reason}"
            for f in sorted(first.values(), key=lambda f: f.second)
        ]
        return "\n".join(lines)


LONG_KINDS = ("sse", "websocket")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items())) or "none"
