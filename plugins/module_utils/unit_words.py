# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of commands, so written that what reads them finds the same words again: systemd in
``ExecStart=`` of a unit (systemd.service(5), systemd.syntax(7)), cron and its shell (crontab(5)).
Pure.
"""

from __future__ import annotations

import re

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

_PLAIN = re.compile(r"[\w@+=:,./-]+", re.ASCII)
_IMPOSSIBLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Both are read line by line, as UTF-8."""


def systemd_word(word: str) -> str:
    """One word of a command in a unit: without escapes, specifiers and variables of systemd's.

    Not for the first, the program: systemd looks for no variables there, and has it that such a
    path is without quotes and backslashes.

    :raises LoadBalancingError: if a unit cannot hold it.
    """
    if _PLAIN.fullmatch(_possible(word)):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def cron_word(word: str) -> str:
    """One word of a command in a crontab, for cron and for the shell to which cron hands it.

    Cron takes an unescaped ``%`` for the end of the line. Which backslashes it keeps when two
    follow each other, or a ``%``, differs between crons: none does here.

    :raises LoadBalancingError: if a crontab cannot hold it.
    """
    if _PLAIN.fullmatch(_possible(word)):
        return word
    apart = word.replace("'", "'\"'\"'").replace("\\", "\\''")
    return "'" + apart.replace("%", "\\%") + "'"


def _possible(word: str) -> str:
    if _IMPOSSIBLE.search(word):
        raise LoadBalancingError(
            f"{word!r} is not allowed in the command of a timer: text without control characters, "
            "in UTF-8. Move the checkout to another folder, or set the variable that asks for the "
            "timer (scale_auto, acme_timer) to false."
        )
    return word
