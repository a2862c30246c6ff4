# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeded defects from the command line: python -m tests.defects; … --list; … NAME --jobs 2."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from tests.defects.catalogue import DEFECTS
from tests.defects.trial import SOUND, rehearse


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m tests.defects", description=__doc__)
    top.add_argument("names", nargs="*", metavar="NAME", help="defects; all of them without one")
    top.add_argument("--jobs", type=int, default=1, help="how many at a time (default: 1)")
    top.add_argument("--list", action="store_true", help="tell what there is, and do nothing")
    return top


def main(words: Sequence[str]) -> int:
    """Exit status 0 when every chosen defect was noticed by a test."""
    top = parser()
    options = top.parse_args(words)
    known = {defect.name: defect for defect in DEFECTS}
    for name in options.names:
        if name not in known:
            top.error(f"there is no defect {name!r}: {', '.join(known)}")
    if options.jobs < 1:
        top.error(f"--jobs: {options.jobs} is not allowed: a whole number from 1")
    chosen = [known[name] for name in dict.fromkeys(options.names)] or list(DEFECTS)
    if options.list:
        for defect in chosen:
            print(f"{defect.name:<28} {defect.file}: {defect.why}")
        return 0
    cases = rehearse(chosen, options.jobs)
    noticed = sum(1 for case in cases if not case.problem and case.name != SOUND)
    print(f"\n{noticed} of {len(chosen)} defects were noticed", flush=True)
    return 0 if noticed == len(chosen) else 1


def stop(_number: int, _frame: FrameType | None) -> None:
    """End so that the copies are removed."""
    sys.exit("interrupted")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(sys.argv[1:]))
