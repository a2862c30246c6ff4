# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What deploy.sh says while it prepares a system that has nothing."""

from __future__ import annotations

STEPS = (
    "Installing python3",
    "Making .venv with Python 3.",
    "Installing Ansible into .venv",
    "Installing the collections community.crypto",
    "Galaxy does not answer; taking them out of the ansible package",
)


def assert_calm(said: str) -> None:
    """One line for each step: nothing of apt, pip or Galaxy. ``said`` ends before what Ansible
    says.
    """
    steps = said.splitlines()
    assert STEPS[1] in said, said
    assert all(step.startswith(STEPS) for step in steps), said
    assert len(steps) <= len(STEPS), said
