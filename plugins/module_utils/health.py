# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From single probes to a verdict: healthy after ``rise`` passes in a row, ill after ``fall``
failures in a row. Pure. The terms are those of HAProxy's ``check inter … rise … fall …``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import Probe

UNKNOWN, PASSING, FAILING = "unknown", "passing", "failing"


@dataclass(frozen=True)
class HealthCheck:
    """How a replica is probed: times in seconds, ``statuses`` the ranges of those that are good."""

    port: int
    path: str
    interval: float = 1.0
    timeout: float = 1.0
    rise: int = 2
    fall: int = 3
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)


@dataclass(frozen=True)
class Health:
    """What the probes of one replica say by now.

    ``verdict`` holds since ``since``, a moment of the clock that the caller uses. ``streak`` counts
    passes in a row, or failures as a negative number. ``seconds`` and ``reason`` are those of the
    last probe; ``answered``: it got an answer, of whatever status.
    """

    verdict: str = UNKNOWN
    since: float = 0.0
    streak: int = 0
    seconds: float = 0.0
    reason: str = ""
    answered: bool = False


def judge(before: Health, probe: Probe, check: HealthCheck, now: float) -> Health:
    """What is known after one more probe."""
    if probe.healthy:
        streak = max(before.streak, 0) + 1
        verdict = PASSING if streak >= check.rise else before.verdict
    else:
        streak = min(before.streak, 0) - 1
        verdict = FAILING if -streak >= check.fall else before.verdict
    since = before.since if verdict == before.verdict and before.streak else now
    return Health(verdict, since, streak, probe.seconds, probe.reason, bool(probe.status))
