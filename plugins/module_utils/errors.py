# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception type of this collection."""

from __future__ import annotations


class LoadBalancingError(Exception):
    """What went wrong, in words for an operator: the value, what is allowed, what to change."""
