# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last ten minutes in steps of some seconds, as the charts of the keeper's page draw them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import (
    SLOT,
    Slot,
    percent,
    rounded,
)

STEPS = 120
TOTALS = ("requests_per_second", "error_percent", "response_p95", "members")
OF_REPLICA = ("requests_per_second", "response_p95", "cpu_percent", "memory_percent")


class Step(NamedTuple):
    """One step: when it ended, by the window's clock, and the values of TOTALS; for each replica
    those of OF_REPLICA. None is what nobody knows.
    """

    end: float
    totals: tuple[Any, ...]
    replicas: Mapping[str, tuple[Any, ...]]


class LoadSeries:
    """The last steps, made of the slots that a window has closed."""

    def __init__(self, step: float = SLOT, steps: int = STEPS) -> None:
        self._seconds = step
        self._steps: deque[Step] = deque(maxlen=steps)

    def add(self, slot: Slot, members: int | None) -> None:
        """Keep a slot that has ended. ``members``: who got traffic then, None if nobody knows."""
        whole = slot.whole
        totals = (
            rounded(whole.requests / self._seconds),
            rounded(whole.error_percent),
            rounded(whole.response.percentile(95)),
            members,
        )
        replicas = {}
        for name in {*slot.replicas, *slot.samples}:
            tally, sample = slot.replicas.get(name), slot.samples.get(name)
            replicas[name] = (
                rounded((tally.requests if tally else 0) / self._seconds),
                rounded(tally.response.percentile(95)) if tally else None,
                percent(sample.cpu) if sample else None,
                percent(sample.memory) if sample else None,
            )
        self._steps.append(Step(slot.begin + self._seconds, totals, replicas))

    def as_dict(self, now: float, epoch: float) -> dict[str, Any]:
        """For JSON: ``times`` are the ends of the steps in seconds of the epoch, oldest first;
        every other list has one value for each of them, null where there is none.

        :param now: by the window's clock, the same moment as ``epoch`` in seconds of the epoch.
        """
        steps = list(self._steps)
        names = sorted({name for step in steps for name in step.replicas})
        unknown = (None,) * len(OF_REPLICA)
        return {
            "step_seconds": self._seconds,
            "times": [round(epoch - now + step.end, 1) for step in steps],
            "totals": {
                key: [step.totals[index] for step in steps] for index, key in enumerate(TOTALS)
            },
            "replicas": {
                name: {
                    key: [step.replicas.get(name, unknown)[index] for step in steps]
                    for index, key in enumerate(OF_REPLICA)
                }
                for name in names
            },
        }
