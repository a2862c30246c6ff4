# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plugin of pytest for the many runs of a mutation check: examples first, properties short.

Most mutants are killed by an example in a moment; a property takes a hundred times as long.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

MOST_EXAMPLES = 20
"""Per property. Hypothesis has no public way to say this to a test that says it itself."""

SETTINGS = "_hypothesis_internal_use_settings"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Properties last; the order among each kind stays."""
    items.sort(key=_is_property)
    for item in items:
        if _is_property(item):
            test: Any = getattr(item, "obj")  # noqa: B009 - not every kind of item has one
            theirs = getattr(test, SETTINGS)
            count = min(theirs.max_examples, MOST_EXAMPLES)
            setattr(test, SETTINGS, settings(theirs, max_examples=count))


def _is_property(item: pytest.Item) -> bool:
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))
