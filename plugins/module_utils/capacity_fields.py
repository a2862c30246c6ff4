# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the capacity calculation reads: names, ranges and defaults of its inputs.

A value may be typed or a text, as everywhere; None and an empty text mean: not given.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_queue import (
    Work,
    variation_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    RefusedError,
    choice,
    number,
    plain,
    show,
    size,
    size_in_bytes,
    whole,
)

INPUTS: dict[str, Field] = {
    "requests_per_minute": number(0, 600_000),
    "requests_per_second": number(0, 10_000),
    "mean_seconds": number(0.001, 3600),
    "p95_seconds": number(0.001, 86400),
    "concurrent_streams": whole(0, 1_000_000),
    "stream_seconds": number(0.1, 86400),
    "safe_concurrency": whole(1, 100_000),
    "target_utilisation": number(0.1, 0.95),
    "waiting_seconds": number(0.001, 3600),
    "replica_memory": size("6m", "16t"),
    "replica_cpus": number(0.01, 512),
    "rollout_surge": whole(1, 100),
    "mode": choice("production", "development"),
}
SHARED_VARIABLES = {
    "replica_memory": "app_memory_reservation",
    "replica_cpus": "app_cpus",
    "rollout_surge": "rollout_surge",
    "mode": "mode",
}
"""The variables of all playbooks that hold an input; the others are called capacity_<input>."""

HIGHEST_LOAD = 1_000_000
"""Requests and streams at once. More is no question for one server, and takes long to compute."""

_GIGABYTE = 2**30


def variable_of(name: str) -> str:
    """The variable of the playbook ``capacity`` that holds an input."""
    return SHARED_VARIABLES.get(name, f"capacity_{name}")


@dataclass(frozen=True)
class Demand:
    """What there is to serve, and by what means. Rates are a minute's, times are seconds,
    ``replica_memory`` is gigabytes (GiB). ``p95_seconds`` and ``waiting_seconds`` (the target for
    the mean wait) may be absent.
    """

    requests_per_minute: float = 60.0
    mean_seconds: float = 1.0
    p95_seconds: float | None = None
    concurrent_streams: int = 0
    stream_seconds: float = 30.0
    safe_concurrency: int = 100
    target_utilisation: float = 0.7
    waiting_seconds: float | None = None
    replica_memory: float = 0.5
    replica_cpus: float = 1.0
    rollout_surge: int = 1
    mode: str = "production"

    @classmethod
    def from_mapping(cls, given: object) -> Demand:
        """Read a mapping with any of INPUTS; defaults for the rest.

        Raises LoadBalancingError, with one line for each fault.
        """
        values = _read(given)
        if "requests_per_second" in values:
            values["requests_per_minute"] = values.pop("requests_per_second") * 60
        if "replica_memory" in values:
            values["replica_memory"] = size_in_bytes(values["replica_memory"]) / _GIGABYTE
        demand = cls(**values)
        demand.check()
        return demand

    def check(self) -> None:
        """Compare the values with each other; raises LoadBalancingError."""
        if self.p95_seconds is not None and self.p95_seconds < self.mean_seconds:
            raise LoadBalancingError(
                f"p95_seconds: {self.p95_seconds:g} is not allowed: not less than mean_seconds, "
                f"which is {self.mean_seconds:g}. Set the variable capacity_p95_seconds or "
                "capacity_mean_seconds."
            )
        if self.load > HIGHEST_LOAD:
            raise LoadBalancingError(
                f"{self.load:.0f} requests and streams at once are not allowed: at most "
                f"{HIGHEST_LOAD}. Set the variables capacity_requests_per_minute, "
                "capacity_mean_seconds or capacity_concurrent_streams."
            )

    @property
    def works(self) -> tuple[Work, ...]:
        """The two kinds of work: requests, and streams, which are taken as exponentially long."""
        requests = Work(
            self.requests_per_minute / 60,
            self.mean_seconds,
            variation_of(self.mean_seconds, self.p95_seconds),
        )
        streams = Work(self.concurrent_streams / self.stream_seconds, self.stream_seconds)
        return requests, streams

    @property
    def load(self) -> float:
        """Requests and streams at once, on average: rate x mean time + streams (Little's law)."""
        return self.requests_per_minute / 60 * self.mean_seconds + self.concurrent_streams


def _read(given: object) -> dict[str, Any]:
    """The values that are given, typed; raises LoadBalancingError for all faults at once."""
    mapping = plain(given)
    if not isinstance(mapping, dict):
        raise LoadBalancingError(
            f"{show(mapping)} is not allowed: a mapping with any of {', '.join(INPUTS)}."
        )
    values: dict[str, Any] = {}
    faults = []
    for name, value in mapping.items():
        if name not in INPUTS:
            faults.append(_unknown(name))
        elif value is not None and not (isinstance(value, str) and not value.strip()):
            try:
                values[name] = INPUTS[name].read(value)
            except RefusedError as refused:
                faults.append(
                    f"{name}: {refused.shown} is not allowed: {refused.allowed}. "
                    f"Set the variable {variable_of(name)}."
                )
    if values.keys() >= {"requests_per_minute", "requests_per_second"}:
        faults.append(both_rates(values["requests_per_minute"]))
    if faults:
        raise LoadBalancingError("\n".join(faults))
    return values


def both_rates(per_minute: float) -> str:
    """The fault that the rate is given twice."""
    return (
        "requests_per_second: a value is not allowed together with requests_per_minute, which is "
        f"{per_minute:g}. Set the variable capacity_requests_per_second or "
        "capacity_requests_per_minute."
    )


def _unknown(name: object) -> str:
    close = difflib.get_close_matches(str(name), INPUTS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it may be {', '.join(INPUTS)}."
    return f"unknown input {show(name)}: {hint}"
