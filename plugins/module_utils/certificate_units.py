# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has a stack's certificate renewed in time: a service and a timer for systemd
(systemd.timer(5)), a line for cron on other hosts. Pure.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_units import check_name
from ansible_collections.digiz.load_balancing.plugins.module_utils.timed_playbook import (
    CRON,
    HEAD,
    TimedPlaybook,
)

SPREAD = 8
"""Hours of the night over which stacks are spread, so that not all of them ask at once."""

_SERVICE = """\
{head}
[Unit]
Description=Renew the certificate of the stack {stack}
Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=oneshot
Environment=HOME=/root
ExecStart={command}
"""

_TIMER = """\
{head}
[Unit]
Description=Renew the certificate of the stack {stack} daily

[Timer]
OnCalendar=daily
RandomizedDelaySec={spread}h
Persistent=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True)
class CertificateTimer:
    """What runs (:class:`TimedPlaybook`) once a day."""

    stack: str
    checkout: str
    python: str
    interpreter: str
    config: str = ""

    @property
    def playbook(self) -> TimedPlaybook:
        """The playbook ``certificate``."""
        where = (self.checkout, self.python, self.interpreter, self.config)
        return TimedPlaybook("certificate", f"stack_name={check_name(self.stack)}", *where)


def service(timer: CertificateTimer) -> str:
    """The text of the service.

    :raises LoadBalancingError: if there are control characters in it.
    """
    command = timer.playbook.exec_start()
    return _SERVICE.format(head=HEAD, stack=check_name(timer.stack), command=command)


def unit(timer: CertificateTimer) -> str:
    """The text of the timer."""
    return _TIMER.format(head=HEAD, stack=check_name(timer.stack), spread=SPREAD)


def crontab(timer: CertificateTimer) -> str:
    """The text of the file for cron; the moment is the same for a stack each day.

    :raises LoadBalancingError: if there are control characters in it.
    """
    log = os.path.join(StackPaths(check_name(timer.stack)).logs, "certificate.log")
    hour, minute = divmod(zlib.crc32(timer.stack.encode()) % (SPREAD * 60), 60)
    return f"{CRON}{minute} {hour} * * * root {timer.playbook.cron_command(log)}\n"


def files(timer: CertificateTimer) -> dict[str, str]:
    """All texts by what they are for: ``service``, ``timer`` and ``cron``."""
    return {"service": service(timer), "timer": unit(timer), "cron": crontab(timer)}
