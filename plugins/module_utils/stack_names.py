# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of stacks: they stand in paths, units, cron tables and scripts of the host."""

from __future__ import annotations

import re

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import not_allowed

PATTERN = r"[a-z0-9][a-z0-9_-]{0,39}"
CHARACTERS = "1 to 40 lower-case letters, digits, - and _"
ALLOWED = f"{CHARACTERS}, beginning with a letter or a digit"


def check_name(stack: object, where: str = "stack_name") -> str:
    """The stack's name, which is fit for the text of a unit or a script.

    :raises LoadBalancingError: if it is not.
    """
    if not isinstance(stack, str) or not re.fullmatch(PATTERN, stack):
        raise not_allowed(where, stack, ALLOWED)
    return stack
