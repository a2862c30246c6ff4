# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests of ``pytest -n`` have to stay in one process: those of a file, but the tests of one
stack in several files together, and those of different hosts in one file apart.

xdist's own way, ``--dist loadgroup``, has no effect with pytest 9: it writes the group into an
attribute that nothing reads any more.
"""

from __future__ import annotations

import functools
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent
SHARED = ("three", "faulty")  # fixtures of tests/e2e/conftest.py
RELEASES = ("bookworm", "trixie")


class Distribution(LoadFileScheduling):
    """In place of ``--dist loadfile``."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)


def scope(nodeid: str) -> str:
    """What a test shares with others that have to run in its process."""
    path, _colons, test = nodeid.partition("::")
    stack = shared_stack(path)
    release = next((one for one in RELEASES if f"[{one}]" in test), "")
    return stack or f"{path} {release}".rstrip()


@functools.cache
def shared_stack(path: str) -> str:
    """The shared stack that the tests of a file ask for, if any."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return next((stack for stack in SHARED if f"{stack}: Stack" in text), "")
