# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of ./test.sh: which parts to run, and the table at the end."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from tests.runner.cases import OUTPUT, Case, Tally, report, tally, write_junit
from tests.runner.engine import engine
from tests.runner.parts import PARTS, Part


@dataclass(frozen=True)
class Result:
    """A part that has run."""

    name: str
    tally: Tally
    seconds: float


def arguments(words: Sequence[str]) -> list[Part]:
    """The parts that are asked for, in the order in which they run."""
    named = [part.name for part in PARTS if part.by_name]
    listed = "\n".join(f"  {part.name:<12} {part.what}" for part in PARTS)
    parser = argparse.ArgumentParser(
        prog="./test.sh",
        description="Run every check, or the parts that are named, or `fast`: those that need "
        "neither Docker nor root.",
        epilog=f"parts, in their order:\n{listed}\n\n{' and '.join(named)} run by their "
        "names only. JUnit files are left in tests/output/.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", metavar="PART", help="fast, or parts by their names")
    asked = parser.parse_args(words).parts
    for name in asked:
        if name not in (*names, "fast"):
            parser.error(f"there is no part {name!r}: fast, {', '.join(names)}")
    if not asked:
        return [part for part in PARTS if not part.by_name]
    return [part for part in PARTS if part.name in asked or (part.fast and "fast" in asked)]


def run_part(part: Part) -> Result:
    """One part under its heading, its JUnit file included."""
    print(f"\n== {part.name}: {part.what}", flush=True)
    junit = OUTPUT / f"{part.name}.xml"
    junit.unlink(missing_ok=True)
    start = time.monotonic()
    try:
        cases = part.run()
    except Exception as error:  # a part that breaks must not hide the others
        cases = [report(Case(part.name, time.monotonic() - start, repr(error)))]
    if not junit.exists():
        write_junit(part.name, cases)
    return Result(part.name, tally(cases), time.monotonic() - start)


def run(parts: Sequence[Part]) -> Generator[Result, None, None]:
    """All parts, the light ones first; those that need an engine share one."""
    for part in parts:
        if not part.needs_engine:
            yield run_part(part)
    heavy = [part for part in parts if part.needs_engine]
    if not heavy:
        return
    print("\n== engine: a Docker engine and the images that the tests use", flush=True)
    start = time.monotonic()
    with engine() as prepared:
        yield Result("engine", tally([prepared]), time.monotonic() - start)
        if not prepared.problem:
            for part in heavy:
                yield run_part(part)


def main() -> int:
    """Exit status 0 when everything ran and nothing failed."""
    parts = arguments(sys.argv[1:])
    results: list[Result] = []
    interrupted = False
    try:
        # The engine is stopped when the generator ends, also after an interrupt.
        with contextlib.closing(run(parts)) as every:
            for result in every:
                results.append(result)
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted", flush=True)
    print(f"\n{'part':<14}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>10}")
    for result in results:
        count = result.tally
        figures = f"{count.passed:>8}{count.failed:>8}{count.skipped:>9}{result.seconds:>10.1f}"
        print(f"{result.name:<14}{figures}")
    total = sum((result.tally for result in results), Tally())
    print(f"\n{total}", flush=True)
    return 1 if interrupted or total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
