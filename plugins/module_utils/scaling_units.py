# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has a stack scaled by its load again and again: a service and a timer for systemd
(systemd.timer(5)), a line for cron on other hosts. Pure.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name
from ansible_collections.digiz.load_balancing.plugins.module_utils.timed_playbook import (
    TimedPlaybook,
    Timer,
)


@dataclass(frozen=True)
class ScalingTimer:
    """What runs (:class:`TimedPlaybook`), and every how many seconds; ``variables`` is the file
    with those of the playbook.
    """

    stack: str
    interval: int
    checkout: str
    python: str
    interpreter: str
    variables: str
    config: str = ""

    @property
    def playbook(self) -> TimedPlaybook:
        """The playbook ``scale``."""
        where = (self.checkout, self.python, self.interpreter, self.config)
        return TimedPlaybook("scale", f"@{self.variables}", *where)


def files(timer: ScalingTimer) -> dict[str, str]:
    """All texts by what they are for: ``service``, ``timer`` and ``cron``.

    :raises LoadBalancingError: if there are control characters in it.
    """
    stack = check_name(timer.stack)
    return Timer(
        timer.playbook,
        what=f"Scale the stack {stack} by its load",
        often=f"every {timer.interval} s",
        order=f"After=docker.service digiz-keeper-{stack}.service",
        moments=f"OnActiveSec={timer.interval}\nOnUnitInactiveSec={timer.interval}\nAccuracySec=5",
        minutes=f"*/{timer.interval // 60}",
        hours="*",
        log=os.path.join(StackPaths(stack).logs, "scaling.log"),
    ).files()
