# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook that a timer of systemd's or cron runs, of a checkout that lies on the host itself,
wherever that is. Pure.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.unit_words import (
    cron_word,
    systemd_word,
)

_HEAD = "# Written by digiz.load_balancing: the next deploy replaces changes made here."

_SERVICE = """\
{head}
[Unit]
Description={what}
{order}

[Service]
Type=oneshot
Environment=HOME=/root
ExecStart={command}
"""

_TIMER = """\
{head}
[Unit]
Description={what} {often}

[Timer]
{moments}

[Install]
WantedBy=timers.target
"""

_CRON = """\
{head}
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
{minutes} {hours} * * * root {command}
"""


@dataclass(frozen=True)
class TimedPlaybook:
    """What runs: ``playbook`` by its name, ``extra_vars`` as ``-e`` takes it (``@FILE``,
    ``NAME=VALUE`` or JSON), ``python`` that of Ansible, ``interpreter`` the one that runs modules,
    ``config`` Ansible's configuration (empty if there is none).
    """

    playbook: str
    extra_vars: str
    checkout: str
    python: str
    interpreter: str
    config: str = ""

    def exec_start(self) -> str:
        """The value of ``ExecStart=`` in a service.

        The shell is what systemd starts: a program of systemd's must have no quotes in its path.

        :raises LoadBalancingError: if there are control characters in it.
        """
        return f"/bin/sh -c {systemd_word(self._shell_command(shlex.quote))}"

    def cron_command(self, log: str) -> str:
        """The command of a line for cron, whose output goes to a file.

        :raises LoadBalancingError: if there are control characters in it.
        """
        return f"{self._shell_command(cron_word)} >{cron_word(log)} 2>&1"

    def _shell_command(self, quote: Callable[[str], str]) -> str:
        """What a shell has to run, with each word quoted."""
        words = [
            os.path.join(os.path.dirname(self.python), "ansible-playbook"),
            *("-i", "localhost,", "-c", "local"),
            *("-e", json.dumps({"ansible_python_interpreter": self.interpreter})),
            *("-e", self.extra_vars),
            os.path.join(self.checkout, "playbooks", f"{self.playbook}.yml"),
        ]
        config = f"ANSIBLE_CONFIG={quote(self.config)} " if self.config else ""
        return f"cd {quote(self.checkout)} && {config}{' '.join(map(quote, words))}"


@dataclass(frozen=True)
class Timer:
    """A playbook and its moments: ``what`` it does and how ``often``, in words; ``order``, the
    lines of its service's ``[Unit]``, and ``moments``, those of its timer's ``[Timer]``; the fields
    ``minutes`` and ``hours`` of crontab(5); ``log``, where cron puts what it prints.
    """

    playbook: TimedPlaybook
    what: str
    often: str
    order: str
    moments: str
    minutes: str
    hours: str
    log: str

    def files(self) -> dict[str, str]:
        """The texts of a service and a timer of systemd's and of a file for cron, by what they are
        for: ``service``, ``timer`` and ``cron``.

        :raises LoadBalancingError: if there are control characters in a path.
        """
        more = {**vars(self), "head": _HEAD}
        by_systemd, by_cron = self.playbook.exec_start(), self.playbook.cron_command(self.log)
        return {
            "service": _SERVICE.format(command=by_systemd, **more),
            "timer": _TIMER.format(**more),
            "cron": _CRON.format(command=by_cron, **more),
        }
