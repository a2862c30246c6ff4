# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One row of the fault matrix: a stack under traffic, a fault, and the figures of both.

    with trial(stack, "docker kill", Bar(out=2, whole=15)) as row:
        row.strike(lambda: kill(victim), [victim])
        row.wait_until_left()
        row.wait_until_whole()

The traffic is that of the rolling updates, and beside it some clients whose POSTs carry an
Idempotency-Key. Streams and WebSockets live for 4 s rather than 15 and 12: they are in flight at
any time all the same, and a row need not wait for their end. GETs are of the page: the health path
is what some of the faults are about.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.fault_judge import (
    Entry,
    Excuse,
    Failed,
    InFlight,
    Nothing,
    count,
    failed_in,
    read_log,
)
from tests.e2e.fault_table import TABLE, Row
from tests.e2e.fault_watch import Judge, Watch
from tests.e2e.faults import Replica
from tests.e2e.stack import Stack
from tests.load.process import TrafficProcess
from tests.load.result import Result

TRAFFIC: dict[str, Any] = {
    "stream_tokens": 20,
    "ws_life": 4.0,
    "idle_max": 8.0,
    "get_path": "/",
}
KEYED: dict[str, Any] = {
    "idempotency_key": True,
    "closed": 10,
    "think_time": 0.02,
    "open_rate": 0.0,
    "idle": 0,
    "sse": 0,
    "websockets": 0,
}
SETTLED = 90.0  # seconds for a stack to be whole before the next row
WARM = 500  # requests
PATIENCE = 30.0  # seconds beyond a bar for which is waited, so that the table tells by how much
BEFORE = 0.5  # seconds before a fault in which connections count as those at its moment
LOG_DELAY = 1.2  # seconds: nginx keeps lines for a second at most
SHOWN = 5


@dataclass(frozen=True)
class Bar:
    """Seconds until out of rotation and until whole again, at most; None: no bar."""

    out: float | None = None
    whole: float | None = None


class Trial:
    """A row while it is made."""

    def __init__(self, stack: Stack, row: Row, limits: Bar, watch: Watch) -> None:
        self.row = row
        self.watch = watch
        self.struck = 0.0
        self.excuse: Excuse = Nothing()
        self._stack = stack
        self._limits = limits
        self.log: dict[str, Entry] = {}
        self._victims: dict[str, str] = {}
        self._since = 0.0
        self._file = stack.root / "logs" / "access.log"
        self._offset = self._file.stat().st_size

    def strike(self, fault: Callable[[], object], victims: Sequence[Replica] = ()) -> None:
        """Do it; all seconds count from here."""
        self._victims = {victim.id: victim.address for victim in victims}
        self.struck = self._since = time.time()
        fault()

    def wait_until_left(self) -> float:
        """Wait until the victims are out of rotation; gives that moment."""
        limit = self._limits.out or PATIENCE
        self.row.out_bar = self._limits.out
        out = self.watch.left(self._victims, self.struck, limit + PATIENCE)
        self.row.out = out and out - self.struck
        if out is None or (self._limits.out and out - self.struck > self._limits.out):
            self.problem(f"out of rotation after {_seconds(self.row.out)}, not {limit:g} s")
        self._since = out or self.struck
        return self._since

    def wait_until_whole(
        self, also: Judge = lambda _status: True, since: float | None = None
    ) -> None:
        """Wait until all is well again, and ``also`` holds for the keeper's status. ``since``: the
        moment from which it counts, unless it is that of the fault.
        """
        limit = self._limits.whole or PATIENCE
        begin = since or self.struck
        self.row.whole_bar = self._limits.whole
        whole = self.watch.whole(since or self._since, limit + PATIENCE, also)
        self.row.whole = whole and whole - begin
        if whole is None or (self._limits.whole and whole - begin > self._limits.whole):
            self.problem(f"whole again after {_seconds(self.row.whole)}, not {limit:g} s")

    def excuse_in_flight(self, out: float) -> None:
        """What was in flight on the victims before this moment may fail."""
        self.excuse = InFlight(self._victims.values(), out)

    def check(self, holds: bool, problem: str) -> None:
        """Note a problem unless something holds."""
        if not holds:
            self.problem(problem)

    def problem(self, text: str) -> None:
        """Note what is wrong; the row is in the table all the same."""
        self.row.problems.append(text)

    def finish(self, plain: TrafficProcess, keyed: TrafficProcess) -> None:
        """End the traffic and judge what became of it."""
        results = {False: plain.stop(), True: keyed.stop()}
        time.sleep(LOG_DELAY)
        self.log = log = read_log(self._file, self._offset)
        failed = [one for key, result in results.items() for one in failed_in(result, log, key)]
        row = self.row
        row.failed = count(failed)
        row.requests = sum(result.sent for result in results.values())
        row.pause = results[False].longest_pause
        self._judge(failed)
        self._book(results.values())

    def _judge(self, failed: list[Failed]) -> None:
        unexcused = [one for one in failed if not self.excuse.excuses(one)]
        for one in unexcused[:SHOWN]:
            self.problem(f"{one}, {one.at - self.struck:+.2f} s")
        if len(unexcused) > SHOWN:
            self.problem(f"… and {len(unexcused) - SHOWN} more that nothing excuses")
        if isinstance(self.excuse, InFlight):
            excuse = self.excuse
            held = self.watch.held(set(excuse.victims), self.struck - BEFORE, excuse.out)
            self.row.allowed = f"{held} in flight"
            if len(failed) > held:
                self.problem(f"{len(failed)} failed, but only {held} connections were held")

    def _book(self, results: Iterable[Result]) -> None:
        for result in results:
            books = self._stack.bookkeeping(result)
            self.row.lost += len(books.lost)
            self.row.doubled += len(books.doubled)
            if not books.exact:
                self.problem(str(books))


@contextmanager
def trial(stack: Stack, fault: str, limits: Bar, **traffic: Any) -> Iterator[Trial]:
    """A row of the table: traffic while the block runs, then the judgement, and the row."""
    with ExitStack() as block:
        watch = block.enter_context(Watch(stack))
        assert watch.whole(time.time(), SETTLED), f"not whole before: {stack.status()}"
        row = Row(fault)
        one = Trial(stack, row, limits, watch)
        plain = block.enter_context(stack.traffic(**{**TRAFFIC, **traffic}))
        keyed = block.enter_context(stack.traffic(**KEYED))
        plain.wait_until(sent=WARM, timeout=30)
        keyed.wait_until(sent=WARM // 10, timeout=30)
        try:
            yield one
            one.finish(plain, keyed)
        except BaseException as error:
            one.problem(f"{type(error).__name__}: {error}"[:300])
            raise
        finally:
            TABLE.add(row)
    assert not row.problems, "\n".join(row.problems)


def _seconds(value: float | None) -> str:
    return "no time" if value is None else f"{value:.1f} s"
