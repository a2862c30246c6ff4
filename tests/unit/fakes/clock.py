# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that stands still until somebody sleeps: tests of long waits take no time."""

from __future__ import annotations


class Clock:
    """Takes the place of the module ``time`` in the code under test. Seconds."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        """What ``time.monotonic`` gives."""
        return self.now

    def time(self) -> float:
        """What ``time.time`` gives."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass; rounded, so that ten times 0.1 is 1."""
        self.now = round(self.now + seconds, 6)
