# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stack may have on its host: parts that are there only where they are wanted.

A deploy asks once for all of them, so that those that are not there cost it no task of their own.
Where the monitor lies is written here once more: what writes it there would double what the host
has to load for this look.
"""

from __future__ import annotations

import os

from ansible_collections.digiz.load_balancing.plugins.module_utils import host_timers
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

SCRIPTS = "/etc/init.d"
MONITOR_PROGRAMS = ("prometheus", "alertmanager")


def parts_there(paths: StackPaths) -> list[str]:
    """Those of which anything is there: ``certificate_timer``, ``scaling_timer``, ``monitor``."""
    return [
        part
        for part, places in _places(paths).items()
        if any(os.path.lexists(place) for place in places)
    ]


def _places(paths: StackPaths) -> dict[str, list[str]]:
    names = [f"digiz-{program}-{paths.name}" for program in MONITOR_PROGRAMS]
    return {
        "certificate_timer": host_timers.places(paths, "certificate"),
        "scaling_timer": [
            *host_timers.places(paths, "scaling"),
            os.path.join(paths.state, "scaling-timer.json"),
        ],
        "monitor": [
            *(os.path.join(host_timers.UNITS, f"{name}.service") for name in names),
            *(os.path.join(SCRIPTS, name) for name in names),
            os.path.join(paths.root, "monitor"),
        ],
    }
