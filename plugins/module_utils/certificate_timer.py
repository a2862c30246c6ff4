# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What renews a certificate daily on the host: files that the role tls writes."""

from __future__ import annotations

import os

from ansible_collections.digiz.load_balancing.plugins.module_utils import programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

UNITS, CRON = "/etc/systemd/system", "/etc/cron.d"
_TIMEOUT = 30


def files(paths: StackPaths) -> list[str]:
    """Those of the timer's files that are there."""
    name = f"digiz-certificate-{paths.name}"
    places = [f"{UNITS}/{name}.timer", f"{UNITS}/{name}.service", f"{CRON}/{name}"]
    return [path for path in places if os.path.exists(path)]


def stop(paths: StackPaths) -> None:
    """Stop a timer of systemd; its files stay. None is fine."""
    if any(path.endswith(".timer") for path in files(paths)):
        unit = f"digiz-certificate-{paths.name}.timer"
        programs.capture(["systemctl", "disable", "--now", unit], f"stopping {unit}", _TIMEOUT)
