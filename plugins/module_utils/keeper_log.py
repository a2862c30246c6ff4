# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's journal: what changed, in memory for the page and as JSON lines for the log.

The keeper is level-triggered: it finds the same fault again each second. The journal tells it once
and then once a minute, with how often it was found.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Change

KEPT = 100
"""Changes that are kept in memory."""

QUIET = 60.0
"""Seconds for which a text that was written is not written again."""

LONGEST = 2000
"""Characters of one text. The last lines of an ill replica may be longer."""

_SUBJECTS = 1000
"""Events and replicas whose last text is remembered. Replicas come and go."""


class Stream(Protocol):
    """What the journal needs of a file."""

    def write(self, text: str, /) -> object:
        """Add a text."""

    def flush(self) -> object:
        """Send on what was added."""


@dataclass
class _Told:
    """The last text about an event of a replica: when it was written, how often it was told
    since.
    """

    text: str
    written: float
    again: int = 0


class Journal:
    """The last changes of one stack."""

    def __init__(
        self,
        stack: str,
        stream: Stream | None = None,
        clock: Callable[[], float] = time.time,
        quiet: float = QUIET,
    ) -> None:
        """
        :param stream: where the lines go, standard output unless told.
        :param clock: seconds of the epoch.
        :param quiet: seconds for which the same text is not written again.
        """
        self._stack = stack
        self._stream: Stream = sys.stdout if stream is None else stream
        self._clock = clock
        self._quiet = quiet
        self._changes: deque[Change] = deque(maxlen=KEPT)
        self._told: dict[tuple[str, str], _Told] = {}
        self._lock = threading.Lock()

    def tell(self, event: str, text: str, level: str = "info", replica: str = "") -> None:
        """Keep and write a change, unless the last one of this event and replica said the same
        less than ``quiet`` seconds ago: then it is only counted. Parameters are those of Change.

        A text that differs from the last one is always news: a replica that is ill, healthy and
        ill again within a second is three lines.
        """
        replica, text = printable(replica), printable(text)
        with self._lock:
            now = self._clock()
            often = self._often((event, replica), text, now)
            if often is None:
                return
            change = Change(now, event, text + often, level, replica)
            self._changes.append(change)
            self._write(change)

    def changes(self) -> tuple[Change, ...]:
        """The last 100 changes that were written, oldest first."""
        with self._lock:
            return tuple(self._changes)

    def _often(self, subject: tuple[str, str], text: str, now: float) -> str | None:
        """What to add to a text that is to be written; None if it is not to be written."""
        told = self._told.get(subject)
        often = ""
        if told is not None and told.text == text:
            since = now - told.written
            if 0 <= since < self._quiet:  # a clock that was set back must not silence the journal
                told.again += 1
                return None
            if told.again and since > 0:
                often = f" ({told.again + 1} times in {since:.0f} s)"
        self._told.pop(subject, None)
        self._told[subject] = _Told(text, now)
        if len(self._told) > _SUBJECTS:
            del self._told[next(iter(self._told))]
        return often

    def _write(self, change: Change) -> None:
        line = {
            "time": datetime.fromtimestamp(change.time).astimezone().isoformat("T", "milliseconds"),
            "level": change.level,
            "stack": self._stack,
            "event": change.event,
            "replica": change.replica,
            "text": change.text,
        }
        try:
            # One call for one line, so that lines of several threads or processes do not mix.
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads, or the disk is full: no reason to keep no replicas


def printable(text: str) -> str:
    """A text in one line: runs of white space and control characters become one space each, what
    is beyond 2,000 characters is left out.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 2] + " …"
