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


EXPLAINED: tuple[Explained, ...] = ()
