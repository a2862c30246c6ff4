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
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_units import check_name
from ansible_collections.digiz.load_balancing.plugins.module_utils.timed_playbook import (
    CRON,
    HEAD,
    TimedPlaybook,
)

_SERVICE = """\
{head}
[Unit]
Description=Scale the stack {stack} by its load
After=docker.service digiz-keeper-{stack}.service

[Service]
Type=oneshot
Environment=HOME=/root
ExecStart={command}
"""

_TIMER = """\
{head}
[Unit]
Description=Scale the stack {stack} by its load every {interval} s

[Timer]
OnActiveSec={interval}
OnUnitInactiveSec={interval}
AccuracySec=5

[Install]
WantedBy=timers.target
"""


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


def service(timer: ScalingTimer) -> str:
    """The text of the service.

    :raises LoadBalancingError: if there are control characters in it.
    """
    command = timer.playbook.exec_start()
    return _SERVICE.format(head=HEAD, stack=check_name(timer.stack), command=command)


def unit(timer: ScalingTimer) -> str:
    """The text of the timer."""
    return _TIMER.format(head=HEAD, stack=check_name(timer.stack), interval=timer.interval)


def crontab(timer: ScalingTimer) -> str:
    """The text of the file for cron.

    :raises LoadBalancingError: if there are control characters in it.
    """
    log = os.path.join(StackPaths(check_name(timer.stack)).logs, "scaling.log")
    command = timer.playbook.cron_command(log)
    return f"{CRON}*/{timer.interval // 60} * * * * root {command}\n"


def files(timer: ScalingTimer) -> dict[str, str]:
    """All texts by what they are for: ``service``, ``timer`` and ``cron``."""
    return {"service": service(timer), "timer": unit(timer), "cron": crontab(timer)}
