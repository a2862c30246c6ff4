# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A baseline: the figures of a stack at one moment, kept to compare later ones with.

It is kept in ``state/baseline.json``. Only :func:`read`, :func:`save` and :func:`drop` touch the
host; :func:`compare` is pure.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    write_json,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import Picture

WORSE, BETTER, CHANGED = "worse", "better", "changed"


@dataclass(frozen=True)
class Figure:
    """One figure that is compared. Two values are the same when they are no further apart than
    ``absolute``, or than ``relative`` of the larger one. ``more`` says what it means if there is
    more of it: WORSE, BETTER, or only CHANGED.
    """

    name: str
    title: str
    unit: str
    more: str
    relative: float
    absolute: float


FIGURES = (
    Figure("response_p50", "response time p50", "s", WORSE, 0.2, 0.02),
    Figure("response_p95", "response time p95", "s", WORSE, 0.2, 0.05),
    Figure("first_byte_p95", "first byte p95", "s", WORSE, 0.2, 0.05),
    Figure("error_percent", "errors", "%", WORSE, 0.0, 0.5),
    Figure("cpu_percent", "CPU", "%", WORSE, 0.1, 5.0),
    Figure("memory_percent", "memory", "%", WORSE, 0.1, 5.0),
    Figure("requests_per_minute", "requests a minute", "", CHANGED, 0.25, 10.0),
    Figure("healthy", "healthy replicas", "", BETTER, 0.0, 0.0),
)
"""The keeper's percentiles are exact to 5 %, so 20 % of a time is more than two errors of that."""

_OPPOSITE = {WORSE: BETTER, BETTER: WORSE, CHANGED: CHANGED}

Figures = Mapping[str, "float | None"]
"""By the names of FIGURES; None is what nobody knew."""


@dataclass(frozen=True)
class Baseline:
    """Figures and when they were taken (``time``, seconds of the epoch), of how many requests."""

    stack: str
    time: float
    version: str
    release: int
    replicas: int
    requests: int
    figures: dict[str, float | None]

    @property
    def moment(self) -> str:
        """When, in ISO 8601, UTC."""
        return datetime.fromtimestamp(self.time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with ``date``."""
        return {**asdict(self), "date": self.moment}


@dataclass(frozen=True)
class Difference:
    """A figure that is not what it was. ``verdict``: WORSE, BETTER or CHANGED."""

    name: str
    before: float
    now: float
    verdict: str
    text: str


def take(picture: Picture) -> Baseline:
    """The figures of now."""
    return Baseline(
        stack=picture.stack,
        time=picture.time,
        version=picture.version,
        release=picture.release,
        replicas=picture.wanted,
        requests=picture.load.requests,
        figures=dict(figures(picture)),
    )


def figures(picture: Picture) -> Figures:
    """What is compared. Without a request there was no answer, so there is no rate of errors."""
    load = picture.load
    return {
        "response_p50": load.response_p50,
        "response_p95": load.response_p95,
        "first_byte_p95": load.first_byte_p95,
        "error_percent": load.error_percent if load.requests else None,
        "cpu_percent": load.cpu_percent,
        "memory_percent": load.memory_percent,
        "requests_per_minute": load.requests_per_minute,
        "healthy": float(picture.healthy),
    }


def compare(before: Figures, now: Figures) -> tuple[Difference, ...]:
    """What differs, what got worse first. A figure that is unknown on one side is left out."""
    found = []
    for figure in FIGURES:
        old, new = before.get(figure.name), now.get(figure.name)
        if old is None or new is None or _same(figure, old, new):
            continue
        verdict = figure.more if new > old else _OPPOSITE[figure.more]
        text = f"{figure.title}: {_show(figure, old)} → {_show(figure, new)}, {verdict}"
        found.append(Difference(figure.name, old, new, verdict, text))
    return tuple(sorted(found, key=lambda one: (WORSE, CHANGED, BETTER).index(one.verdict)))


def _same(figure: Figure, old: float, new: float) -> bool:
    allowed = max(figure.absolute, figure.relative * max(abs(old), abs(new)))
    return abs(new - old) <= allowed


def _show(figure: Figure, value: float) -> str:
    return f"{value:.4g} {figure.unit}".rstrip()


def read(paths: StackPaths) -> Baseline | None:
    """The one that is kept; None if none is, or what is kept is damaged.

    Raises LoadBalancingError if it may not be read.
    """
    try:
        data = read_json(_file(paths))
    except OSError as error:
        raise LoadBalancingError(f"{_file(paths)} cannot be read: {error.strerror}.") from error
    return from_mapping(data)


def is_there(paths: StackPaths) -> bool:
    """Whether one is kept, damaged or not."""
    return os.path.lexists(_file(paths))


def from_mapping(data: Mapping[str, Any]) -> Baseline | None:
    """The baseline in a mapping made by :meth:`Baseline.as_dict`; None if it is damaged."""
    try:
        found = data["figures"]
        kept = {
            one.name: None if found.get(one.name) is None else float(found[one.name])
            for one in FIGURES
        }
        baseline = Baseline(
            stack=str(data["stack"]),
            time=float(data["time"]),
            version=str(data["version"]),
            release=int(data["release"]),
            replicas=int(data["replicas"]),
            requests=int(data["requests"]),
            figures=kept,
        )
        sound = bool(baseline.moment) and all(
            value is None or math.isfinite(value) for value in kept.values()
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
        return None
    return baseline if sound else None


def save(paths: StackPaths, baseline: Baseline) -> None:
    """Keep it in place of the one before. Raises LoadBalancingError if the host refuses."""
    write_json(_file(paths), baseline.as_dict())


def drop(paths: StackPaths) -> None:
    """Keep none. Raises LoadBalancingError if the host refuses."""
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_file(paths))
    except OSError as error:
        raise LoadBalancingError(f"{_file(paths)} cannot be removed: {error.strerror}.") from error


def _file(paths: StackPaths) -> str:
    return os.path.join(paths.state, "baseline.json")
