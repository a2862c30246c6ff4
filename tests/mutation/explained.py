# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants that no test can tell from the code, and why: data for the mutation check.

A mutant is known by the function that it is in and by its changed lines, before and after. One
that is noticed after all, or that is no longer made, fails the check until it is removed here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explained:
    """In ``function`` of ``module``, ``old`` may become ``new``: ``why``."""

    module: str
    function: str
    old: str
    new: str
    why: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is found by."""
        return self.module, self.function, self.old, self.new


ONE_MORE_ANYWAY = "a load over its limit needs more than 1.25 times as many to be at 80 % of it"
NOTHING_RUNS = "no replica is there whose image could be compared, or be replaced with a surge"

EXPLAINED: tuple[Explained, ...] = (
    Explained(
        "advice",
        "_within_bounds",
        "if count < limits.min_replicas:",
        "if count <= limits.min_replicas:",
        "it is called for what is outside the bounds only",
    ),
    Explained(
        "advice",
        "_proportional",
        "return max(count + 1, math.ceil(round(count * part / MARGIN, 6)))",
        "return max(count - 1, math.ceil(round(count * part / MARGIN, 6)))",
        ONE_MORE_ANYWAY,
    ),
    Explained(
        "advice",
        "_proportional",
        "return max(count + 1, math.ceil(round(count * part / MARGIN, 6)))",
        "return max(count + 2, math.ceil(round(count * part / MARGIN, 6)))",
        f"{ONE_MORE_ANYWAY}, from 4 on it is 2 more, and below 4 LARGEST_STEP allows 1",
    ),
    *(
        Explained(
            "plan",
            "plan_stack",
            'desired = Desired(stack.count, stack.revision, "", stack.surge)',
            f"desired = Desired(stack.count, stack.revision, {rest})",
            NOTHING_RUNS,
        )
        for rest in ("None, stack.surge", "stack.surge", '"", ', '"XXXX", stack.surge')
    ),
)
