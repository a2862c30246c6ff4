# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages that something needs, installed as far as they are missing: what all modules of that
kind do and return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def provide(
    missing: Callable[[], Sequence[str]], install: Callable[[Sequence[str]], None], check_mode: bool
) -> dict[str, Any]:
    """Install what is missing; in check mode only say what that is. Gives the module's result.

    Raises what ``missing`` and ``install`` raise.
    """
    packages = list(missing())
    if packages and not check_mode:
        install(packages)
    diff = {
        "before_header": "packages",
        "after_header": "packages",
        "before": "",
        "after": "".join(f"{name}\n" for name in packages),
    }
    return {"changed": bool(packages), "packages": packages, "diff": diff}
