# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mutation check from the command line: python -m tests.mutation; … --list; … AREAS."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from tests.mutation.catalogue import AREAS
from tests.mutation.trial import check


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    top.add_argument("names", nargs="*", metavar="AREA", help="areas; all of them without one")
    top.add_argument("--list", action="store_true", help="tell what there is, and do nothing")
    return top


def main(words: Sequence[str]) -> int:
    """Exit status 0 when every mutant was noticed or is explained."""
    top = parser()
    options = top.parse_args(words)
    known = {area.name: area for area in AREAS}
    for name in options.names:
        if name not in known:
            top.error(f"there is no area {name!r}: {', '.join(known)}")
    chosen = [known[name] for name in dict.fromkeys(options.names)] or list(AREAS)
    if options.list:
        for area in chosen:
            print(f"{area.name:<12} {', '.join(area.modules)}: {', '.join(area.tests)}")
        return 0
    return 1 if any(case.problem for case in check(chosen)) else 0


def stop(_number: int, _frame: FrameType | None) -> None:
    """End so that the copies are removed."""
    sys.exit("interrupted")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(sys.argv[1:]))
