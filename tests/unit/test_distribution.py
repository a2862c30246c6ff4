# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tests stay in one process."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.distribution import scope


@pytest.mark.parametrize(
    ("test", "together"),
    [
        ("tests/integration/test_images.py::test_a", "tests/integration/test_images.py"),
        ("tests/e2e/test_edge_stack.py::test_a[replica]", "three"),
        ("tests/e2e/test_another_application.py::test_a", "three"),
        ("tests/e2e/test_drill.py::test_a[crash]", "faulty"),
        ("tests/e2e/test_scale.py::test_a[True]", "tests/e2e/test_scale.py"),
        ("tests/e2e/test_bootstrap.py::test_a[trixie]", "tests/e2e/test_bootstrap.py trixie"),
        ("tests/e2e/test_fresh_host.py::test_b[trixie]", "tests/e2e/test_fresh_host.py trixie"),
    ],
)
def test_what_shares_something(test: str, together: str) -> None:
    assert scope(test) == together


def test_xdist_asks_for_it() -> None:
    """The method is not part of what xdist promises."""
    assert "_split_scope" in vars(LoadFileScheduling)
