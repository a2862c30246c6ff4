# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures of a leaky bucket: a rate, a burst and a delay, as nginx's `limit_req` has them."""

from __future__ import annotations

import math
import re

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import Directive, simple
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    not_allowed,
    whole,
)

MOST_BURST = 100_000
# nginx refuses more.
MOST_CONNECTIONS = 65_535

_RATE = re.compile(r"(?P<count>[1-9][0-9]{0,5})(?:r/(?P<per>[sm]))?", re.ASCII)
_RATE_ALLOWED = "a whole number from 1 to 999999 with r/s or r/m, such as 10r/s or 90r/m"
_SECONDS_PER_MINUTE = 60
_FASTEST = 999_999


def parse_rate(value: object, where: str) -> str:
    """`10r/s` or `90r/m`; a number is requests a second, and 0.5 is 30r/m."""
    if isinstance(value, str):
        match = _RATE.fullmatch(value)
        if match is not None:
            return f"{match['count']}r/{match['per'] or 's'}"
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        for count, per in ((value, "s"), (value * _SECONDS_PER_MINUTE, "m")):
            if count == int(count) and 1 <= count <= _FASTEST:
                return f"{int(count)}r/{per}"
    raise not_allowed(where, value, _RATE_ALLOWED)


def parse_delay(value: object, burst: int, where: str) -> int | None:
    """How many excess requests are answered at once, None for all of the burst."""
    if value is None or value == "nodelay":
        return None
    try:
        return whole(value, where, 0, burst)
    except LoadBalancingError:
        allowed = f"nodelay or a whole number from 0 to the burst of {burst}"
        raise not_allowed(where, value, allowed) from None


def pause(rate: str) -> int:
    """Seconds until a full bucket has room for one more request."""
    count, per = rate.split("r/")
    return math.ceil((1 if per == "s" else _SECONDS_PER_MINUTE) / int(count))


def limit_req(zone: str, burst: int, delay: int | None) -> Directive:
    """The `limit_req` line."""
    words = [f"zone={zone}"]
    # nginx refuses to be told of a burst or a delay of 0, which are its defaults.
    if burst:
        words.append(f"burst={burst}")
    if delay is None:
        words.append("nodelay")
    elif delay:
        words.append(f"delay={delay}")
    return simple("limit_req", *words)
