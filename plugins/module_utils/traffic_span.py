# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From when until when: a moment as an operator writes it. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    RefusedError,
    show,
)

ALLOWED = "a time ago such as 15m, 24h or 7d, or a time such as 2026-11-29T15:00:00Z"
MOST_TOP = 100

_LATEST = 253_402_300_799.0  # the last second of the year 9999
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.(?:[0-9]{3}|[0-9]{6}))?)?"
_TIME = re.compile(rf"({_DAY})(?:[T ]({_CLOCK})(Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?")


def seconds_at(moment: str, now: float) -> float:
    """The seconds since 1970 of a moment: so long before ``now``, or a time in ISO 8601, which is
    UTC unless it says otherwise. Never before 1970. Raises ValueError if it is neither.
    """
    ago = _AGO.fullmatch(moment)
    if ago:
        return max(0.0, now - int(ago[1]) * _UNITS[ago[2]])
    time = _TIME.fullmatch(moment)
    if not time:
        raise ValueError(moment)
    day, hour, offset = time.groups()
    zone = "+00:00" if offset in (None, "Z") else offset
    # It raises ValueError, too, for a day or an hour that does not exist.
    return min(
        max(0.0, datetime.fromisoformat(f"{day}T{hour or '00:00'}{zone}").timestamp()), _LATEST
    )


def moment_field() -> Field:
    """The field of a moment; its text stays as it is, since "now" is the host's."""

    def read(value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        try:
            seconds_at(text, 0)
        except (ValueError, OverflowError):
            raise RefusedError(show(value), ALLOWED) from None
        return text

    return Field("str", ALLOWED, read)


def parse_span(since: str, until: str, now: float) -> tuple[float | None, float | None]:
    """Two moments, each of them None where the text is empty.

    Raises LoadBalancingError for a text that is none, and unless the first one is earlier.
    """
    found = []
    for variable, text in (("traffic_since", since), ("traffic_until", until)):
        try:
            found.append(seconds_at(text, now) if text else None)
        except (ValueError, OverflowError):
            raise _refused(variable, text, ALLOWED) from None
    begin, end = found
    if begin is not None and begin >= (now if end is None else end):
        limit = f"traffic_until, {until}" if until else "now"
        raise _refused("traffic_since", since, f"a time before {limit}")
    return begin, end


def check_top(top: int) -> int:
    """How many lines a list may have. Raises LoadBalancingError."""
    if not 1 <= top <= MOST_TOP:
        raise LoadBalancingError(
            f"traffic_top: {top} is not allowed: a whole number from 1 to {MOST_TOP}. "
            "Set the variable traffic_top."
        )
    return top


def _refused(variable: str, value: str, allowed: str) -> LoadBalancingError:
    return LoadBalancingError(
        f"{variable}: {show(value)} is not allowed: {allowed}. Set the variable {variable}."
    )
