# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shortest life of a stack: deployed, verified, deployed again, removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.stack import Stack, docker

pytestmark = pytest.mark.life


def test_a_stack_lives_and_leaves_nothing(tmp_path: Path) -> None:
    """What ``verify`` checks holds, a second run changes nothing, removal takes everything away."""
    stack = Stack("lbtest-life", 18111, tmp_path, {"replicas": 2})
    try:
        stack.must("deploy")
        stack.must("verify")
        assert stack.versions() == ["1", "1"]
        assert stack.must("deploy").changed == 0
    finally:
        stack.remove()
    assert not stack.root.exists()
    for kind in ("container", "network", "volume"):
        every = ["--all"] if kind == "container" else []
        assert docker(kind, "ls", *every, "--quiet", "--filter", f"name={stack.name}") == ""
