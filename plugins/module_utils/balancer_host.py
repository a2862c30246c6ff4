# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a balancer needs of its host: a kernel that moves connections, and a rotated access log."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
    text_diff,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_names import check_name

MIGRATION = "/proc/sys/net/ipv4/tcp_migrate_req"
"""Linux since 5.14: connections that wait at a listener that is closed go to another one of the
port (Documentation/networking/ip-sysctl.rst)."""

SETTING_FILE = "/etc/sysctl.d/60-digiz-load-balancing.conf"
SETTING = "net.ipv4.tcp_migrate_req = 1\n"
ON = "1"

_LOGROTATE = """\
# Ansible managed
# SPDX-License-Identifier: GPL-3.0-or-later
# Access log of the stack {stack}. USR1 makes nginx open a new file; no line is lost.
{logs}/*.log {{
    daily
    maxsize 100M
    rotate 14
    compress
    delaycompress
    missingok
    notifempty
    nocreate
    sharedscripts
    postrotate
        docker ps --quiet --filter label=digiz.load_balancing.stack={stack} \\
            --filter label=digiz.load_balancing.role=balancer \\
            | xargs --no-run-if-empty docker kill --signal USR1 > /dev/null
    endscript
}}
"""


@dataclass(frozen=True)
class Change:
    """What was changed, or would be; ``migration`` is whether the kernel moves connections."""

    migration: bool
    diff: list[dict[str, str]]


def logrotate_text(paths: StackPaths) -> str:
    """What logrotate reads about a stack, a script among it.

    :raises LoadBalancingError: if the stack's name is not allowed.
    """
    return _LOGROTATE.format(stack=check_name(paths.name), logs=paths.logs)


def prepare(paths: StackPaths, check: bool) -> Change:
    """Have the kernel move connections, if it can, and the access log rotated.

    :param check: say what would change, and change nothing.
    :raises LoadBalancingError: if a file cannot be read or written.
    """
    found = _read(MIGRATION).strip()
    files = {paths.logrotate: logrotate_text(paths)}
    if found:
        files[SETTING_FILE] = SETTING
    diff = []
    for path, text in files.items():
        before = _read(path)
        if before != text:
            diff.append(text_diff(path, before, text))
            if not check:
                _write(path, text)
    to_set = found not in ("", ON) and os.access(MIGRATION, os.W_OK)
    if to_set and not check:
        to_set = _set_migration()
    if to_set:
        diff.append(text_diff(MIGRATION, f"{found}\n", f"{ON}\n"))
    return Change(found == ON or to_set, diff)


def _set_migration() -> bool:
    """Whether the kernel has taken it; one that is not ours, as in a container, refuses."""
    try:
        with open(MIGRATION, "w", encoding="ascii") as file:
            file.write(f"{ON}\n")
    except OSError:
        return False
    return True


def _read(path: str) -> str:
    try:
        return read_text(path) or ""
    except (OSError, ValueError) as error:
        raise LoadBalancingError(f"{path} cannot be read: {error}.") from error


def _write(path: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise LoadBalancingError(
            f"{os.path.dirname(path)} cannot be made: {error.strerror}."
        ) from error
    write_text(path, text)
