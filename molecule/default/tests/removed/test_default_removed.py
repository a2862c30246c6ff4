# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left on the engine and in /opt of a stack that was removed with its data: nothing."""

from __future__ import annotations

import pytest

from tests.hosts.deployed import Deployed


@pytest.mark.parametrize(
    "command",
    [
        "docker ps --all --quiet",
        "docker volume ls --quiet",
        "docker network ls --quiet --filter type=custom",
        "ls -A /opt",
    ],
)
def test_nothing_is_left(stack: Deployed, command: str) -> None:
    assert stack.there.run(command).stdout == ""


def test_the_engine_stays(stack: Deployed) -> None:
    assert stack.there.service("docker").is_running
