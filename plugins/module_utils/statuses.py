# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP statuses that count as healthy: as operators write them, as ranges, as shell patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

Statuses = tuple[tuple[int, int], ...]
"""Ranges, both ends included."""

HEALTHY_STATUSES: Statuses = ((200, 399),)
"""What Docker's and Kubernetes' HTTP checks take for healthy."""

LOWEST, HIGHEST = 100, 599
ALLOWED = f"statuses from {LOWEST} to {HIGHEST} such as 200-399 or 200,204,300-399"

_RANGE = re.compile(r"\s*([0-9]{3})\s*(?:-\s*([0-9]{3})\s*)?", re.ASCII)


def parse_statuses(text: str) -> Statuses:
    """The ranges in a text such as 200,204,300-399: ascending, none of them touching another.

    Raises LoadBalancingError for any other text.
    """
    matches = [_RANGE.fullmatch(part) for part in text.split(",")]
    ranges = [(int(match[1]), int(match[2] or match[1])) for match in matches if match]
    if len(ranges) < len(matches) or any(
        not LOWEST <= low <= high <= HIGHEST for low, high in ranges
    ):
        raise LoadBalancingError(f"{text!r} is not allowed: {ALLOWED}.")
    merged = [min(ranges)]
    for low, high in sorted(ranges):
        first, last = merged[-1]
        if low <= last + 1:
            merged[-1] = (first, max(last, high))
        else:
            merged.append((low, high))
    return tuple(merged)


def statuses_text(statuses: Statuses) -> str:
    """The text that parse_statuses() reads, in its one shortest spelling."""
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in statuses)


def is_in(status: int, statuses: Statuses) -> bool:
    """Whether a status is in one of the ranges."""
    return any(low <= status <= high for low, high in statuses)


def shell_patterns(statuses: Statuses) -> str:
    """The patterns of a shell's ``case`` that match these statuses and no other three digits:
    ``[23]??`` for 200-399, ``20[04]|3??`` for 200,204,300-399.
    """
    single = {status for low, high in statuses for status in range(low, high + 1)}
    tens = _whole(single)
    hundreds = _whole(tens)
    patterns = [f"{digits}??" for digits in _last_digits(hundreds)]
    patterns += [f"{digits}?" for digits in _last_digits(_rest(tens, hundreds))]
    return "|".join(sorted([*patterns, *_last_digits(_rest(single, tens))]))


def _whole(numbers: Iterable[int]) -> set[int]:
    """The tens of which all ten numbers are there, each divided by ten."""
    there = set(numbers)
    return {ten for ten in {n // 10 for n in there} if there >= set(range(10 * ten, 10 * ten + 10))}


def _rest(numbers: Iterable[int], whole: set[int]) -> list[int]:
    return [number for number in numbers if number // 10 not in whole]


def _last_digits(numbers: Iterable[int]) -> list[str]:
    """One pattern for all numbers that differ in their last digit only."""
    grouped: dict[int, str] = {}
    for number in sorted(numbers):
        grouped[number // 10] = grouped.get(number // 10, "") + str(number % 10)
    return [
        f"{ten or ''}{digits if len(digits) == 1 else f'[{digits}]'}"
        for ten, digits in grouped.items()
    ]
