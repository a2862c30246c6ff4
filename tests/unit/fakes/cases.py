# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replicas as the keeper sees them, in a word each.

``well``, ``starting``, ``ill`` (no answer), ``sick`` (answers that it is ill), ``recovering``
(passes again, but not often enough yet), ``cut`` (off its network), or what the engine calls a
container that does not run (``exited``, ``created``, ``dead``, ``paused``, ``restarting``).
``old/`` in front: of another revision; ``:12`` behind: for 12 s; ``~3`` behind that: 3 s ago
something came from it.
"""

from __future__ import annotations

import re

from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import Case
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    STARTING,
    STOPPED,
    Replica,
)

NOW = 1_000_000.0
STATES = {
    "well": HEALTHY,
    "starting": STARTING,
    "ill": ILL,
    "sick": ILL,
    "recovering": ILL,
    "cut": ILL,
    "paused": ILL,
    "restarting": ILL,
    "exited": STOPPED,
    "created": STOPPED,
    "dead": STOPPED,
}
RUNNING = ("well", "starting", "ill", "sick", "recovering", "cut")
_WORD = re.compile(r"(?P<old>old/)?(?P<kind>[a-z]+)(?::(?P<ago>[\d.]+))?(?:~(?P<silent>[\d.]+))?")


def case(number: int, word: str) -> Case:
    """The replica of that number, ``id3`` with the address 10.0.0.3 while it runs."""
    found = _WORD.fullmatch(word)
    assert found, f"no such replica: {word}"
    kind, old, silent = found["kind"], bool(found["old"]), found["silent"]
    address = f"10.0.0.{number}" if kind in RUNNING and kind != "cut" else ""
    replica = Replica(
        id=f"id{number}",
        name=f"app-{number}",
        number=number,
        revision="old" if old else "new",
        image_id="",
        version="1" if old else "2",
        address=address,
        state=STATES[kind],
    )
    return Case(
        replica=replica,
        container="running" if kind in RUNNING else kind,
        current=not old,
        since=NOW - float(found["ago"] or 0),
        answers=kind in ("well", "sick", "recovering"),
        passes=kind in ("well", "recovering"),
        silent=float(silent) if silent else None,
    )
