# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a run: a table, where the time went, and what failed, for whoever sees no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.runner.cases import Case, Tally, tally

MOST_CASES = 10
MOST_LINES = 12
LONGEST_LINE = 300
LEAST_SHARE = 1  # per cent
LONGEST_CASES = 12
LONG = 10.0  # seconds


@dataclass(frozen=True)
class Result:
    """A part that has run."""

    name: str
    cases: tuple[Case, ...]
    seconds: float

    @property
    def tally(self) -> Tally:
        """How its cases ended."""
        return tally(self.cases)


def summary(results: Sequence[Result], seconds: float) -> Iterator[str]:
    """All lines of a run that took so long; the last one is the total."""
    yield f"{'part':<14}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>10}"
    for result in results:
        count = result.tally
        figures = f"{count.passed:>8}{count.failed:>8}{count.skipped:>9}{result.seconds:>10.1f}"
        yield f"{result.name:<14}{figures}"
    yield from ("", *times(results, seconds), *longest(results))
    failed = [(part.name, case) for part in results for case in part.cases if case.problem]
    for name, case in failed[:MOST_CASES]:
        yield from ("", f"FAILED {name}: {case.name}", *_indented(excerpt(case.problem)))
    if len(failed) > MOST_CASES:
        yield from ("", f"… and {len(failed) - MOST_CASES} more that failed")
    yield from ("", str(sum((result.tally for result in results), Tally())))


def times(results: Sequence[Result], seconds: float) -> Iterator[str]:
    """Where the time went, in one line: shares of what the parts took, some of them beside others;
    the largest first.
    """
    total = sum(result.seconds for result in results)
    if not total:
        return
    ordered = sorted(results, key=lambda result: -result.seconds)
    shares = [(result.name, 100 * result.seconds / total) for result in ordered]
    told = [f"{name} {share:.0f} %" for name, share in shares if share >= LEAST_SHARE]
    rest = sum(share for _name, share in shares if share < LEAST_SHARE)
    if rest:
        told.append(f"others {rest:.0f} %")
    yield f"time: {seconds:.0f} s; {', '.join(told)}"


def longest(results: Sequence[Result]) -> Iterator[str]:
    """The checks that took longest, a line each."""
    cases = [(case.seconds, part.name, case.name) for part in results for case in part.cases]
    for seconds, part, name in sorted(cases, reverse=True)[:LONGEST_CASES]:
        if seconds >= LONG:
            yield f"{seconds:>7.0f} s  {part}: {name}"


def excerpt(problem: str) -> list[str]:
    """A problem's first and last lines, without what is between them if there are many."""
    lines = [line[:LONGEST_LINE] for line in problem.splitlines()]
    if len(lines) <= MOST_LINES:
        return lines
    first, last = MOST_LINES // 2, MOST_LINES - MOST_LINES // 2 - 1
    return [*lines[:first], f"… {len(lines) - first - last} lines …", *lines[-last:]]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
