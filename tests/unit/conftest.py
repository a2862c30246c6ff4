# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Property tests have no deadline: on a busy machine a slow example is no fault of the code. And
what was imported is not looked through for garbage again and again, a twelfth of all the time.
"""

from __future__ import annotations

import gc

from hypothesis import settings

from tests.unit.examples import USUAL, examples

# On top of what Hypothesis has loaded: with CI set a profile that is repeatable.
settings.register_profile("ours", settings(deadline=None), max_examples=examples(USUAL))
settings.load_profile("ours")


def pytest_collection_finish() -> None:
    """All tests are imported, and stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
