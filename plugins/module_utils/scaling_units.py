# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has a stack scaled by its load again and again: a service and a timer for systemd
(systemd.timer(5)), a line for cron on other hosts. Pure.

Each runs the playbook ``scale`` of a checkout that lies on the host itself, wherever that is.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_units import check_name
from ansible_collections.digiz.load_balancing.plugins.module_utils.unit_words import (
    cron_word,
    systemd_word,
)

_HEAD = "# Written by digiz.load_balancing: the next deploy replaces changes made here."

_SERVICE = """\
{head}
[Unit]
Description=Scale the stack {stack} by its load
After=docker.service digiz-keeper-{stack}.service

[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/sh -c {command}
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

_CRON = """\
{head}
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
*/{minutes} * * * * root {command} >{log} 2>&1
"""


@dataclass(frozen=True)
class ScalingTimer:
    """What runs, and every how many seconds: ``python`` is that of Ansible, ``interpreter`` the one
    that runs modules, ``config`` Ansible's configuration (empty if there is none), ``variables``
    the file with those of the playbook.
    """

    stack: str
    interval: int
    checkout: str
    python: str
    interpreter: str
    variables: str
    config: str = ""

    def shell_command(self, quote: Callable[[str], str]) -> str:
        """What a shell has to run, with each word quoted."""
        words = [
            os.path.join(os.path.dirname(self.python), "ansible-playbook"),
            *("-i", "localhost,", "-c", "local"),
            *("-e", json.dumps({"ansible_python_interpreter": self.interpreter})),
            *("-e", f"@{self.variables}"),
            os.path.join(self.checkout, "playbooks", "scale.yml"),
        ]
        config = f"ANSIBLE_CONFIG={quote(self.config)} " if self.config else ""
        return f"cd {quote(self.checkout)} && {config}{' '.join(map(quote, words))}"


def service(timer: ScalingTimer) -> str:
    """The text of the service.

    The shell is what systemd starts: a program of systemd's must have no quotes in its path.

    :raises LoadBalancingError: if there are control characters in it.
    """
    command = systemd_word(timer.shell_command(shlex.quote))
    return _SERVICE.format(head=_HEAD, stack=check_name(timer.stack), command=command)


def unit(timer: ScalingTimer) -> str:
    """The text of the timer."""
    return _TIMER.format(head=_HEAD, stack=check_name(timer.stack), interval=timer.interval)


def crontab(timer: ScalingTimer) -> str:
    """The text of the file for cron.

    :raises LoadBalancingError: if there are control characters in it.
    """
    log = os.path.join(StackPaths(check_name(timer.stack)).logs, "scaling.log")
    command = timer.shell_command(cron_word)
    return _CRON.format(head=_HEAD, minutes=timer.interval // 60, command=command, log=log)


def files(timer: ScalingTimer) -> dict[str, str]:
    """All texts by what they are for: ``service``, ``timer`` and ``cron``."""
    return {"service": service(timer), "timer": unit(timer), "cron": crontab(timer)}
