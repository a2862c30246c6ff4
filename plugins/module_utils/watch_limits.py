# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limits of a stack, and which of them are broken. Pure.

The limits are those of the alerts (monitor_rules.py) with the same variables, without their waiting
times: the load is that of the last minutes already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import cast

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import (
    DEGRADED,
    OK,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import HEALTHY
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_monitor import FIELDS
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    RefusedError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import Picture

PREFIX = "alert_"
STALLED = 60.0
"""Seconds without a round after which the keeper does not watch; as in the alert KeeperStalled."""


@dataclass(frozen=True)
class Limits:
    """What a figure may reach at most. The variables are these names after ``alert_``."""

    p95_seconds: float = 2.0
    cpu_percent: float = 80.0
    memory_percent: float = 80.0
    error_percent: float = 1.0

    @classmethod
    def from_mapping(cls, given: Mapping[str, object]) -> Limits:
        """Those that are given, the others as they are by default. Raises LoadBalancingError for a
        value that is not allowed.
        """
        values: dict[str, float] = {}
        for name in (field.name for field in fields(cls)):
            value = given.get(name)
            if value is None:
                continue
            variable = f"{PREFIX}{name}"
            try:
                values[name] = cast(float, FIELDS[variable].read(value))
            except RefusedError as refused:
                raise LoadBalancingError(
                    f"{variable}: {refused.shown} is not allowed: {refused.allowed}. "
                    f"Set the variable {variable}."
                ) from None
        return cls(**values)


@dataclass(frozen=True)
class Breach:
    """A limit that is broken. ``value`` and ``limit`` are None where there is no number; ``text``
    says all of it to an operator.
    """

    what: str
    value: float | None
    limit: float | None
    variable: str
    text: str


def absent(reason: str) -> Breach:
    """That the keeper does not answer. ``reason``: why, and what to do."""
    return Breach("keeper", None, None, "keeper_enabled", reason)


def breaches(picture: Picture, limits: Limits) -> tuple[Breach, ...]:
    """What is broken, the gravest first. What nobody knows breaks nothing.

    A deploy takes replicas out and in, so a stack that is only degraded meanwhile is well. In
    maintenance clients get 503 by an operator's will, so errors do not count.
    """
    return (*_keeper(picture), *_stack(picture), *_load(picture, limits))


def _keeper(picture: Picture) -> list[Breach]:
    if abs(picture.age) <= STALLED:
        return []
    text = (
        f"the keeper has not looked at the replicas for {picture.age:.0f} s, "
        f"the limit is {STALLED:.0f} s (keeper_enabled)"
    )
    return [Breach("keeper", picture.age, STALLED, "keeper_enabled", text)]


def _stack(picture: Picture) -> list[Breach]:
    found = []
    changing = picture.state == DEGRADED and picture.balancer_running and bool(picture.deploy)
    if picture.state != OK and not changing:
        text = f"the state is {picture.state}, not {OK}: {picture.text}"
        found.append(Breach("state", None, None, "", text))
    if picture.healthy < picture.wanted and not changing:
        text = f"{picture.healthy} replicas are {HEALTHY}, {picture.wanted} are wanted (replicas)"
        found.append(Breach("healthy", picture.healthy, picture.wanted, "replicas", text))
    return found


def _load(picture: Picture, limits: Limits) -> list[Breach]:
    load = picture.load
    errors = None if picture.maintenance else load.error_percent
    known = [one for one in picture.replicas if one.memory_percent is not None]
    largest = max(known, key=lambda one: one.memory_percent or 0.0, default=None)
    whose = f" ({largest.name})" if largest else ""
    rows = (
        ("p95_seconds", load.response_p95, "the response time p95 is", " s", ""),
        ("error_percent", errors, "the errors are", " %", ""),
        ("cpu_percent", load.cpu_percent, "the use of CPU is", " %", ""),
        ("memory_percent", load.memory_percent, "the use of memory is", " %", whose),
    )
    found = []
    for name, value, words, unit, more in rows:
        limit = float(getattr(limits, name))
        if value is not None and value > limit:
            variable = f"{PREFIX}{name}"
            text = f"{words} {value:.4g}{unit}{more}, the limit is {limit:g}{unit} ({variable})"
            found.append(Breach(name, value, limit, variable, text))
    return found
