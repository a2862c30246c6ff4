# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run in a folder in which mutmut has run: every mutant and its end, as JSON, through mutmut.

What mutmut prints for people is one mutant per call; this is all of them at once.
"""

from __future__ import annotations

import json
import sys

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

DONE = ("killed", "timeout")


def changed(diff: str) -> tuple[str, str]:
    """The lines before and after, each as one line."""
    lines = diff.splitlines()[2:]
    before = [line[1:].strip() for line in lines if line.startswith("-")]
    after = [line[1:].strip() for line in lines if line.startswith("+")]
    return " ".join(before), " ".join(after)


def main() -> None:
    """One object for each mutant; the texts only of those that no test noticed."""
    found = []
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            old, new = "", ""
            if status not in DONE:
                old, new = changed(get_diff_for_mutant(name, path=path))
            found.append(
                {"module": path.stem, "name": name, "status": status, "old": old, "new": new}
            )
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
