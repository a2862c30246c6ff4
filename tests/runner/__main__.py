# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of ./test.sh: which parts to run, and in which order."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Sequence

from tests.runner import lanes, leftovers
from tests.runner.cases import OUTPUT, Case, extend_junit, report, write_junit
from tests.runner.engine import engine
from tests.runner.parts import PARTS, Part
from tests.runner.summary import Result, summary

Look = Callable[[], leftovers.Machine]
BESIDE = "beside"  # what is left of the parts that have run beside each other


def arguments(words: Sequence[str]) -> list[Part]:
    """The parts that are asked for, in the order in which they run."""
    listed = "\n".join(f"  {part.name:<12} {part.what}" for part in PARTS)
    named = ", ".join(part.name for part in PARTS if part.by_name)
    parser = argparse.ArgumentParser(
        prog="./test.sh",
        description="Run every check, or the parts that are named, or `fast`: those that need "
        "neither Docker nor root, with a tenth of the examples of property tests.",
        epilog=f"parts, in their order:\n{listed}\n\nRun by their names only: {named}. "
        "JUnit files are left in tests/output/.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", metavar="PART", help="fast, or parts by their names")
    parser.add_argument(lanes.OPTION, action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(words).parts
    for name in asked:
        if name not in (*names, "fast"):
            parser.error(f"there is no part {name!r}: fast, {', '.join(names)}")
    if not asked:
        return [part for part in PARTS if not part.by_name]
    return [part for part in PARTS if part.name in asked or (part.fast and "fast" in asked)]


def run_part(part: Part, look: Look) -> Result:
    """One part under its heading, its JUnit file and what it leaves behind included.

    :param look: at what can be left: what was started, or the whole machine.
    """
    print(f"\n== {part.name}: {part.what}", flush=True)
    junit = OUTPUT / f"{part.name}.xml"
    junit.unlink(missing_ok=True)
    before = look()
    start = time.monotonic()
    try:
        cases = part.run()
    except Exception as error:  # a part that breaks must not hide the others
        cases = [report(Case(part.name, time.monotonic() - start, repr(error)))]
    if not junit.exists():
        write_junit(part.name, cases)
    left = leftovers.compare(before, look)
    extend_junit(part.name, [left])
    return Result(part.name, (*cases, left), time.monotonic() - start)


def run(parts: Sequence[Part]) -> Generator[Result, None, None]:
    """All parts, the light ones first; those that need an engine share one, and the patient ones
    have what these leave of the processors.
    """
    heavy = [part for part in parts if part.needs_engine]
    patient = [part for part in parts if part.patient and heavy]
    light = [part for part in parts if part not in heavy and part not in patient]
    if len(light) > 1:
        yield from lanes.run([part.name for part in light])
    else:
        yield from (run_part(part, leftovers.started) for part in light)
    if not heavy:
        return
    with lanes.aside([part.name for part in patient]) as aside:
        yield from run_heavy(heavy, lambda: leftovers.machine(aside=aside.runs()))
        yield from aside.results()


def run_heavy(parts: Sequence[Part], look: Look) -> Generator[Result, None, None]:
    """Parts that need an engine, with one: one by one, then those that run beside each other."""
    print("\n== engine: a Docker engine and the images that the tests use", flush=True)
    start = time.monotonic()
    with engine() as prepared:
        yield Result("engine", (prepared,), time.monotonic() - start)
        if prepared.problem:
            return
        beside = [part.name for part in parts if part.beside]
        several = len(beside) > 1
        for part in parts:
            if not (several and part.beside):
                yield run_part(part, look)
        if several:
            yield from run_beside(beside, look)


def run_beside(names: Sequence[str], look: Look) -> Generator[Result, None, None]:
    """Parts in lanes, and what all of them together leave behind: none can tell whose it is."""
    (OUTPUT / f"{BESIDE}.xml").unlink(missing_ok=True)
    before = look()
    yield from lanes.run(names, by_line=True)
    print(f"\n== {BESIDE}: what {' and '.join(names)} leave behind", flush=True)
    left = leftovers.compare(before, look)
    write_junit(BESIDE, [left])
    yield Result(BESIDE, (left,), left.seconds)


def run_in_lane(parts: Sequence[Part]) -> Generator[Result, None, None]:
    """Parts for the runner outside, which has the engine and looks at the machine. Ctrl-C reaches
    both; that one ends this one, by a signal of its own.
    """
    signal.signal(signal.SIGINT, lambda *told: None)
    yield from (run_part(part, leftovers.started) for part in parts)


def main() -> int:
    """Exit status 0 when everything ran and nothing failed."""
    parts = arguments(sys.argv[1:])
    if "fast" in sys.argv[1:]:
        os.environ.setdefault("TEST_EXAMPLES", "few")
    in_lane = lanes.OPTION in sys.argv[1:]
    chosen = run_in_lane if in_lane else run
    start = time.monotonic()
    results: list[Result] = []
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, in good order
    try:
        # The engine is stopped when the generator ends, also after an interrupt.
        with contextlib.closing(chosen(parts)) as every:
            for result in every:
                results.append(result)
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted", flush=True)
    if not in_lane:
        print("\n" + "\n".join(summary(results, time.monotonic() - start)), flush=True)
    return 1 if interrupted or any(result.tally.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
