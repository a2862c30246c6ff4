# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of stacks: they stand in paths, units, cron tables and scripts of the host."""

from __future__ import annotations

import re

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import not_allowed

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def check_name(stack: str) -> str:
    """The stack's name, which is fit for the text of a unit or a script.

    :raises LoadBalancingError: if it is not.
    """
    if not _NAME.fullmatch(stack):
        allowed = "1 to 40 lower-case letters, digits, - and _"
        raise not_allowed("stack_name", stack, f"{allowed}, beginning with a letter or a digit")
    return stack
