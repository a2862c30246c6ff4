# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make this checkout importable under the collection's own name.

Tests import from ``ansible_collections.digiz.load_balancing.plugins``. The folder ``collections/``
holds a link of that name to the checkout; ``.venv/collections`` holds the collections that we
depend on. Both are plain namespace packages, so the two trees merge.

Tests that share a stack are kept together: see tests/distribution.py.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.distribution import Distribution

ROOT = Path(__file__).resolve().parent.parent
TREES = [str(ROOT / "collections"), str(ROOT / ".venv" / "collections")]

sys.path[:0] = [tree for tree in TREES if tree not in sys.path]
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Distribution | None:
    """With ``--dist loadfile`` what belongs together stays together."""
    return Distribution(config, log) if config.getoption("dist") == "loadfile" else None
