# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Misspelt variables: nobody reads `app_verison: 2`, so it would do nothing and say nothing.

Inventories also hold variables of other software, so only what can hardly be anything else counts:
another spelling of the same letters (`appVersion`), or one slip in a front variable's name, two
in a long one. A short first word must be right: `api_version` is no slip of `app_version`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

_SHORTEST = 7
_LONG = 12
_LONG_FIRST_WORD = 6


def slips(one: str, other: str) -> int:
    """Return how many slips lead from `one` to `other`.

    A slip is a letter too many, missing, wrong, or two neighbours swapped (the optimal string
    alignment distance).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def meant(name: str, known: Collection[str]) -> str | None:
    """Return the name out of `known` that `name` can hardly fail to mean, or None."""
    letters = name.replace("_", "").lower()
    best: str | None = None
    fewest = _LONG
    for candidate in known:
        if candidate.replace("_", "") == letters:
            return candidate
        found = _slips_within_reason(name, candidate)
        if found is not None and found < fewest:
            best, fewest = candidate, found
    return best


def misspelt(
    names: Iterable[str], known: Collection[str], ordinary: Collection[str]
) -> list[tuple[str, str]]:
    """Return (name, meant name) for each misspelt one of `names`, sorted.

    `known` are the front variables, `ordinary` all other names that mean what they say.
    """
    result = []
    for name in sorted(set(names) - set(known) - set(ordinary)):
        if name.startswith("ansible_"):
            continue
        wanted = meant(name, known)
        if wanted:
            result.append((name, wanted))
    return result


def _slips_within_reason(name: str, candidate: str) -> int | None:
    limit = 2 if len(candidate) >= _LONG else 1
    # Cheap tests first: there are hundreds of variables and fifty candidates.
    if len(candidate) < _SHORTEST or abs(len(name) - len(candidate)) > limit:
        return None
    if not _first_word_fits(name, candidate) or _odd_letters(name, candidate) > 2 * limit:
        return None
    found = slips(name, candidate)
    return found if found <= limit else None


def _odd_letters(one: str, other: str) -> int:
    left, right = Counter(one), Counter(other)
    return sum(((left - right) + (right - left)).values())


def _first_word_fits(name: str, candidate: str) -> bool:
    head = candidate.split("_", maxsplit=1)[0]
    return head == candidate or len(head) >= _LONG_FIRST_WORD or name.startswith(head)
