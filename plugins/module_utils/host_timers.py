# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does things for a stack on the host by the clock: files that the roles tls and scaling
write.
"""

from __future__ import annotations

import os

from ansible_collections.digiz.load_balancing.plugins.module_utils import programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

UNITS, CRON = "/etc/systemd/system", "/etc/cron.d"
PURPOSES = ("certificate", "scaling")
_TIMEOUT = 30


def places(paths: StackPaths, purpose: str) -> list[str]:
    """Where a timer's files are, there or not."""
    name = f"digiz-{purpose}-{paths.name}"
    return [f"{UNITS}/{name}.timer", f"{UNITS}/{name}.service", f"{CRON}/{name}"]


def files(paths: StackPaths) -> list[str]:
    """Those of the timers' files that are there."""
    every = [place for purpose in PURPOSES for place in places(paths, purpose)]
    return [path for path in every if os.path.exists(path)]


def stop(paths: StackPaths) -> None:
    """Stop the timers of systemd; their files stay. None is fine."""
    for path in files(paths):
        unit = os.path.basename(path)
        if unit.endswith(".timer"):
            programs.capture(["systemctl", "disable", "--now", unit], f"stopping {unit}", _TIMEOUT)
