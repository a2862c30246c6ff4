# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is counted since the keeper's start, for Prometheus: it only ever grows. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from itertools import accumulate

from ansible_collections.digiz.load_balancing.plugins.module_utils.load_request import (
    CLASSES,
    Request,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_window import REPLICAS

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets, in seconds."""

REQUEST, STREAM = "request", "stream"
KINDS = (REQUEST, STREAM)
"""Whether an answer came at once or went on for a while: their durations say different things."""


class Buckets:
    """A histogram as Prometheus has it; ``sum`` is in seconds."""

    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(BOUNDS) + 1)

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.sum += seconds
        self._counts[bisect_left(BOUNDS, seconds)] += 1

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound, the last one +Inf, and how many did not exceed it."""
        bounds = [*map(str, BOUNDS), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self._counts))))


class Totals:
    """Requests by class of status, as a whole and by the replica that answered; durations of those
    that are neither 429 nor 499, by kind.
    """

    def __init__(self) -> None:
        self.classes = [0] * len(CLASSES)
        self.durations = {kind: Buckets() for kind in KINDS}
        self.first_bytes = {kind: Buckets() for kind in KINDS}
        self.replicas: dict[str, list[int]] = {}

    def add(self, request: Request) -> None:
        """Count a request."""
        self.classes[request.status] += 1
        if request.timed:
            kind = STREAM if request.stream else REQUEST
            self.durations[kind].add(request.seconds)
            if request.first_byte is not None:
                self.first_bytes[kind].add(request.first_byte)
        if request.replica:
            counts = self.replicas.get(request.replica)
            if counts is None:
                if len(self.replicas) >= REPLICAS:
                    return
                counts = self.replicas[request.replica] = [0] * len(CLASSES)
            counts[request.status] += 1

    def keep(self, names: Collection[str]) -> None:
        """Forget all other replicas: a name never comes back."""
        for gone in [name for name in self.replicas if name not in names]:
            del self.replicas[gone]
