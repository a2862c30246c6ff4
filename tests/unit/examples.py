# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many examples the property tests try.

All of them where they are the proof; a tenth with TEST_EXAMPLES=few, where it is the speed that
counts (./test.sh fast) or the Python (the same tests have run with all of them on another one).
"""

from __future__ import annotations

import os

VARIABLE = "TEST_EXAMPLES"
FEW = os.environ.get(VARIABLE) == "few"
LEAST = 20
USUAL = 100  # Hypothesis' own number


def examples(count: int) -> int:
    """How many of a test that tries ``count``."""
    return min(count, max(LEAST, count // 10)) if FEW else count
