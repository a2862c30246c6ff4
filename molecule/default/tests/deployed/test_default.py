# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a deploy leaves on a host."""

from __future__ import annotations

from tests.hosts.deployed import Deployed


def test_three_replicas_serve(stack: Deployed) -> None:
    assert stack.versions() == ["1"] * 3
    assert len(stack.containers("balancer")) == 1
    answers = [stack.get("http://127.0.0.1/health") for _number in range(9)]
    assert {one["status"] for one in answers} == {"ok"}
    assert len({one["instance"] for one in answers}) == 3


def test_the_keeper_runs_and_comes_back_with_the_host(stack: Deployed) -> None:
    service = stack.there.service("digiz-keeper-chatbot")
    assert service.is_running
    assert service.is_enabled
    assert stack.keeper()["state"] == "ok"


def test_the_stacks_folder_is_its_own(stack: Deployed) -> None:
    folder = stack.there.file("/opt/chatbot")
    assert folder.is_directory
    assert (folder.user, folder.group) == ("root", "root")
    assert stack.there.file("/opt/chatbot/compose.yaml").is_file
