# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What advice on the number of replicas is given by: what the keeper saw, the operator's limits,
and the changes so far. Plain data that is checked where it enters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    RefusedError,
    number,
    plain,
    seconds,
    whole,
)

KEPT = 50
"""Changes that are remembered; beyond that the oldest goes."""

WINDOW = 300
"""Seconds over which the keeper looks back. Sooner after a change than that its figures are partly
those of before, so no cool-down is shorter.
"""

LEAST_REQUESTS = 30
"""Of fewer requests neither the response time nor the rate of errors says anything."""

PREFIX = "scale_"
_DAY = 86_400

THRESHOLD_FIELDS: dict[str, Field] = {
    "min_replicas": whole(1, 100),
    "max_replicas": whole(1, 100),
    "up_response_seconds": number(0.01, 3600),
    "up_cpu_percent": number(5, 95),
    "up_memory_percent": number(5, 95),
    "up_requests_per_minute": number(0.1, 10_000_000),
    "up_error_percent": number(0, 100),
    "down_cpu_percent": number(0, 90),
    "down_requests_per_minute": number(0, 10_000_000),
    "cooldown_up": seconds(WINDOW, _DAY),
    "cooldown_down": seconds(WINDOW, _DAY),
}
"""What each threshold may be; the variable is called ``scale_<name>``."""


@dataclass(frozen=True)
class Thresholds:
    """When replicas are added and taken away. Requests are per minute and replica, percentages of
    CPU and memory are of a replica's own limits, the response time is the 95th percentile.
    """

    min_replicas: int = 2
    max_replicas: int = 10
    up_response_seconds: float = 2.0
    up_cpu_percent: float = 70.0
    up_memory_percent: float = 80.0
    up_requests_per_minute: float = 166.7
    up_error_percent: float = 5.0
    down_cpu_percent: float = 30.0
    down_requests_per_minute: float = 70.0
    cooldown_up: int = 300
    cooldown_down: int = 1800

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Thresholds:
        """From values by name, with or without the prefix ``scale_``; what is missing has its
        default. Raises LoadBalancingError for a value that is not allowed, one line for each.
        """
        values: dict[str, Any] = {}
        faults: list[str] = []
        for name, value in given.items():
            key = name[len(PREFIX) :] if name.startswith(PREFIX) else name
            if key not in THRESHOLD_FIELDS:
                known = ", ".join(PREFIX + one for one in THRESHOLD_FIELDS)
                faults.append(f"{PREFIX}{key}: unknown. There is {known}.")
                continue
            try:
                values[key] = THRESHOLD_FIELDS[key].read(plain(value))
            except RefusedError as refused:
                faults.append(_fault(key, refused.shown, refused.allowed))
        if faults:
            raise LoadBalancingError("\n".join(faults))
        found = cls(**values)
        found._check()
        return found

    def _check(self) -> None:
        """Against each other: where up and down meet, the number would swing."""
        pairs = (
            ("min_replicas", "max_replicas", self.min_replicas <= self.max_replicas, "at most"),
            *(
                (f"down_{name}", f"up_{name}", low < high, "less than")
                for name, low, high in (
                    ("cpu_percent", self.down_cpu_percent, self.up_cpu_percent),
                    (
                        "requests_per_minute",
                        self.down_requests_per_minute,
                        self.up_requests_per_minute,
                    ),
                )
            ),
        )
        faults = [
            f"{PREFIX}{low}: {getattr(self, low):g} is not allowed: {how} {PREFIX}{high}, which is "
            f"{getattr(self, high):g}. Set the variable {PREFIX}{low} or {PREFIX}{high}."
            for low, high, fine, how in pairs
            if not fine
        ]
        if faults:
            raise LoadBalancingError("\n".join(faults))


def _fault(key: str, shown: str, allowed: str) -> str:
    return f"{PREFIX}{key}: {shown} is not allowed: {allowed}. Set the variable {PREFIX}{key}."


@dataclass(frozen=True)
class Observation:
    """The stack as the keeper saw it at ``time``, and its load in the last ``window_seconds``, of
    which it has watched ``covered_seconds``. What is not known is None.

    ``replicas`` is the wanted number, ``deploy`` says who changes the stack right now. Requests
    that a limit refused are not among ``requests``: no replica saw them.
    """

    time: float
    replicas: int
    healthy: int
    requests: int
    requests_per_minute: float
    error_percent: float
    response_p95: float | None = None
    cpu_percent: float | None = None
    memory_percent: float | None = None
    window_seconds: float = float(WINDOW)
    covered_seconds: float = float(WINDOW)
    deploy: str = ""
    maintenance: bool = False

    @classmethod
    def from_status(cls, status: Mapping[str, Any]) -> Observation:
        """From the keeper's status.json. Raises LoadBalancingError if it lacks what is needed, as
        the one of an older keeper does.
        """
        load = status.get("load")
        if not isinstance(load, Mapping):
            raise LoadBalancingError(
                "The keeper's status says nothing of the load: it is of an older version, or does "
                "not read the access log yet. Run the playbook deploy."
            )
        try:
            requests, limited = int(load["requests"]), int(load["limited"])
            passed = max(0, requests - limited)
            share = passed / requests if requests else 1.0
            return cls(
                time=_amount(status["time"]),
                replicas=max(1, int(status["wanted"])),
                healthy=int(status["healthy"]),
                deploy=str(status["deploy"]),
                maintenance=bool(status["maintenance"]),
                requests=passed,
                requests_per_minute=share * _amount(load["requests_per_minute"]),
                error_percent=_amount(load["error_percent"]),
                response_p95=_known(load["response_p95"]),
                cpu_percent=_known(load["cpu_percent"]),
                memory_percent=_known(load["memory_percent"]),
                window_seconds=_amount(load["window_seconds"]),
                covered_seconds=_amount(load["covered_seconds"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise LoadBalancingError(
                f"The keeper's status cannot be read ({type(error).__name__}: {error}): it is of "
                "another version. Run the playbook deploy."
            ) from error

    @property
    def reliable_response(self) -> float | None:
        """The response time in seconds, None if there were too few requests for one."""
        return self.response_p95 if self.requests >= LEAST_REQUESTS else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def _amount(value: Any) -> float:
    """A number that is finite and not negative; else ValueError or TypeError."""
    found = float(value)
    if not 0 <= found < math.inf:
        raise ValueError(f"{found} is no amount")
    return found


def _known(value: Any) -> float | None:
    return None if value is None else _amount(value)


@dataclass(frozen=True)
class Change:
    """A change of the number of replicas that was carried out at ``time``, from ``before`` to
    ``after``, at so many requests a minute in all. ``causes``: see advice.py.
    """

    time: float
    before: int
    after: int
    causes: tuple[str, ...] = ()
    requests_per_minute: float = 0.0
    reasons: tuple[str, ...] = ()

    @classmethod
    def of_advice(cls, advice: Mapping[str, Any], time: float) -> Change:
        """What the module scale_advice returned, carried out at ``time``. Raises LoadBalancingError
        if it is something else.
        """
        seen = advice.get("observation")
        rate = seen.get("requests_per_minute", 0.0) if isinstance(seen, Mapping) else 0.0
        row = {
            **{key: advice.get(key) for key in ("before", "causes", "reasons")},
            "time": time,
            "after": advice.get("replicas"),
            "requests_per_minute": rate,
        }
        change = _change(row)
        if change is None:
            raise LoadBalancingError(
                "advice: this value is not allowed: what the module scale_advice returned."
            )
        return change

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.before} to {self.after} replicas: {'; '.join(self.reasons)}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "causes": list(self.causes), "reasons": list(self.reasons)}


@dataclass(frozen=True)
class History:
    """The last changes, oldest first."""

    changes: tuple[Change, ...] = field(default=())

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> History:
        """From a file's content. What is damaged in it is left out: the worst that comes of that
        is a change that is somewhat early.
        """
        rows = data.get("changes")
        found = [_change(row) for row in rows] if isinstance(rows, list) else []
        return cls(tuple(change for change in found if change)[-KEPT:])

    def last(self, now: float) -> Change | None:
        """The newest change. One that lies in the future was written before the clock was set
        back: nobody can tell how long ago it was, so it does not count.
        """
        past = [change for change in self.changes if change.time <= now]
        return max(past, key=lambda change: change.time, default=None)

    def with_change(self, change: Change) -> History:
        """The same with one more; the oldest beyond ``KEPT`` are forgotten."""
        return replace(self, changes=(*self.changes, change)[-KEPT:])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"changes": [change.as_dict() for change in self.changes]}


def _change(row: Any) -> Change | None:
    try:
        return Change(
            time=float(row["time"]),
            before=int(row["before"]),
            after=int(row["after"]),
            causes=tuple(str(one) for one in row["causes"]),
            requests_per_minute=float(row["requests_per_minute"]),
            reasons=tuple(str(one) for one in row["reasons"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
