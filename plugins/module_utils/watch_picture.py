# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a keeper's ``/status.json`` and ``/series.json`` say, read into types. Pure.

A keeper may be of another version, or something else may answer on its port. So nothing is taken on
trust: what is missing or of another type is None, 0 or empty, and only an answer without the
marks of a keeper is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.load_series import (
    OF_REPLICA,
    TOTALS,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import HEALTHY

MARKS = ("stack", "state", "replicas", "load")
"""Keys without which an answer is not that of a keeper which sees load."""

GONE = "gone"
"""The state of a replica that only the load of the last minutes tells of."""

_LONGEST = 2000


@dataclass(frozen=True)
class ReplicaNow:
    """One replica. Moments are seconds of the epoch, times seconds; None is what nobody knows."""

    name: str
    version: str
    state: str
    member: bool
    since: float | None
    restarts: int
    in_flight: int | None
    reason: str
    requests: int
    share_percent: float | None
    error_percent: float | None
    response_p95: float | None
    cpu_percent: float | None
    memory_percent: float | None


@dataclass(frozen=True)
class LoadNow:
    """The load of the last ``window_seconds``, of which the keeper has seen ``covered_seconds``;
    everything as load_window.LoadWindow tells it.
    """

    window_seconds: float | None
    covered_seconds: float | None
    requests: int
    requests_per_minute: float | None
    response_p50: float | None
    response_p95: float | None
    first_byte_p95: float | None
    error_percent: float | None
    statuses: dict[str, int]
    limited: int
    retried: int
    cpu_percent: float | None
    memory_percent: float | None


@dataclass(frozen=True)
class ChangeThen:
    """Something that changed, or that the keeper did."""

    time: float
    text: str
    level: str


@dataclass(frozen=True)
class DeployThen:
    """One deploy, scaling or way back, as deploy_history.Deploy has it."""

    time: float
    what: str
    result: str
    release: int
    version: str
    replicas: int | None


@dataclass(frozen=True)
class Picture:
    """One stack at one moment. ``age``: seconds since the keeper's last round; ``changes`` newest
    first, ``deploys`` too.
    """

    stack: str
    time: float
    age: float
    state: str
    text: str
    wanted: int
    healthy: int
    members: tuple[str, ...]
    release: int
    version: str
    generation: int
    served: bool
    balancer_running: bool
    deploy: str
    maintenance: bool
    load: LoadNow
    replicas: tuple[ReplicaNow, ...]
    changes: tuple[ChangeThen, ...]
    deploys: tuple[DeployThen, ...]


@dataclass(frozen=True)
class Series:
    """The last minutes in steps: ``times`` are their ends, oldest first; every other list has one
    value for each of them.
    """

    times: tuple[float, ...] = ()
    totals: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    replicas: dict[str, dict[str, tuple[float | None, ...]]] = field(default_factory=dict)


def read_picture(status: Mapping[str, Any]) -> Picture:
    """Read ``/status.json``. Raises LoadBalancingError if it is not that of a keeper."""
    missing = [key for key in MARKS if key not in status]
    if missing:
        raise LoadBalancingError(
            f"What answers is no keeper that tells of load: {', '.join(missing)} is missing. "
            "Correct the address, or run the playbook deploy, which renews the keeper."
        )
    load = _mapping(status["load"])
    replicas = _replicas(_list(status["replicas"]), _mapping(load.get("replicas")))
    return Picture(
        stack=_text(status["stack"]),
        time=_number(status.get("time")) or 0.0,
        age=_number(status.get("age")) or 0.0,
        state=_text(status["state"]),
        text=_text(status.get("text")),
        wanted=_count(status.get("wanted")),
        healthy=sum(one.state == HEALTHY for one in replicas),
        members=tuple(_text(one) for one in _list(status.get("members"))),
        release=_count(status.get("release")),
        version=_text(status.get("version")),
        generation=_count(status.get("generation")),
        served=status.get("served") is True,
        balancer_running=status.get("balancer_running") is True,
        deploy=_text(status.get("deploy")),
        maintenance=status.get("maintenance") is True,
        load=_load(load),
        replicas=replicas,
        changes=tuple(_change(_mapping(one)) for one in _list(status.get("changes"))),
        deploys=tuple(_deploy(_mapping(one)) for one in reversed(_list(status.get("deploys")))),
    )


def read_series(data: Mapping[str, Any]) -> Series:
    """Read ``/series.json``; empty where there is nothing of use."""
    times = _list(data.get("times"))
    moments = [_number(one) for one in times]
    known = tuple(one for one in moments if one is not None)
    if len(known) != len(times):
        return Series()
    totals, replicas = _mapping(data.get("totals")), _mapping(data.get("replicas"))
    return Series(
        times=known,
        totals={key: _values(totals.get(key), len(known)) for key in TOTALS},
        replicas={
            _text(name): {key: _values(_mapping(one).get(key), len(known)) for key in OF_REPLICA}
            for name, one in replicas.items()
        },
    )


def _replicas(rows: list[Any], loads: Mapping[str, Any]) -> tuple[ReplicaNow, ...]:
    """Those that are there, and those that are gone but have answered requests of the window."""
    there = [_mapping(row) for row in rows]
    names = {_text(row.get("name")) for row in there}
    gone = [{"name": name, "state": GONE} for name in loads if _text(name) not in names]
    return tuple(
        _replica(row, _mapping(loads.get(_text(row.get("name"))))) for row in (*there, *gone)
    )


def _replica(row: Mapping[str, Any], load: Mapping[str, Any]) -> ReplicaNow:
    in_flight = _number(row.get("in_flight"))
    return ReplicaNow(
        name=_text(row.get("name")),
        version=_text(row.get("version")),
        state=_text(row.get("state")),
        member=row.get("member") is True,
        since=_number(row.get("since")),
        restarts=_count(row.get("restarts")),
        in_flight=None if in_flight is None else int(in_flight),
        reason=_text(row.get("reason")),
        requests=_count(load.get("requests")),
        share_percent=_number(load.get("share_percent")),
        error_percent=_number(load.get("error_percent")),
        response_p95=_number(load.get("response_p95")),
        cpu_percent=_number(load.get("cpu_percent")),
        memory_percent=_number(load.get("memory_percent")),
    )


def _load(load: Mapping[str, Any]) -> LoadNow:
    statuses = {_text(key): _count(value) for key, value in _mapping(load.get("statuses")).items()}
    return LoadNow(
        window_seconds=_number(load.get("window_seconds")),
        covered_seconds=_number(load.get("covered_seconds")),
        requests=_count(load.get("requests")),
        requests_per_minute=_number(load.get("requests_per_minute")),
        response_p50=_number(load.get("response_p50")),
        response_p95=_number(load.get("response_p95")),
        first_byte_p95=_number(load.get("first_byte_p95")),
        error_percent=_number(load.get("error_percent")),
        statuses=statuses,
        limited=_count(load.get("limited")),
        retried=_count(load.get("retried")),
        cpu_percent=_number(load.get("cpu_percent")),
        memory_percent=_number(load.get("memory_percent")),
    )


def _change(row: Mapping[str, Any]) -> ChangeThen:
    return ChangeThen(
        time=_number(row.get("time")) or 0.0,
        text=_text(row.get("text")),
        level=_text(row.get("level")),
    )


def _deploy(row: Mapping[str, Any]) -> DeployThen:
    replicas = _number(row.get("replicas"))
    return DeployThen(
        time=_number(row.get("time")) or 0.0,
        what=_text(row.get("what")),
        result=_text(row.get("result")),
        release=_count(row.get("release")),
        version=_text(row.get("version")),
        replicas=None if replicas is None else int(replicas),
    )


def _values(value: object, length: int) -> tuple[float | None, ...]:
    """As many as there are times, the rest None."""
    found = [_number(one) for one in _list(value)[:length]]
    return (*found, *(None,) * (length - len(found)))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _count(value: object) -> int:
    return int(_number(value) or 0)


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
