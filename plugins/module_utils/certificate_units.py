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
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name
from ansible_collections.digiz.load_balancing.plugins.module_utils.timed_playbook import (
    TimedPlaybook,
    Timer,
)

SPREAD = 8
"""Hours of the night over which stacks are spread, so that not all of them ask at once."""


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


def files(timer: CertificateTimer) -> dict[str, str]:
    """All texts by what they are for: ``service``, ``timer`` and ``cron``; the moment of a stack in
    cron is the same each day.

    :raises LoadBalancingError: if there are control characters in it.
    """
    stack = check_name(timer.stack)
    hour, minute = divmod(zlib.crc32(stack.encode()) % (SPREAD * 60), 60)
    return Timer(
        timer.playbook,
        what=f"Renew the certificate of the stack {stack}",
        often="daily",
        order="Wants=network-online.target\nAfter=network-online.target docker.service",
        moments=f"OnCalendar=daily\nRandomizedDelaySec={SPREAD}h\nPersistent=true",
        minutes=str(minute),
        hours=str(hour),
        log=os.path.join(StackPaths(stack).logs, "certificate.log"),
    ).files()
