# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A replica that hung: it was told, and that all is well again."""

from __future__ import annotations

import json

from tests.hosts.deployed import Deployed, results

TOLD_WITHIN = 20.0  # seconds: the alert waits for two of them
WELL_WITHIN = 60.0  # the keeper restarts it after 20


def test_it_was_told_by_name(stack: Deployed) -> None:
    told = json.loads((results() / "told.json").read_text(encoding="utf-8"))
    (alert,) = told["alerts"]
    assert alert["labels"]["stack"] == "chatbot"
    assert alert["labels"]["replica"] == "chatbot-app-1"
    summary = "chatbot: the replica chatbot-app-1 is not healthy"
    assert alert["annotations"]["summary"] == summary
    assert told["seconds"] <= TOLD_WITHIN


def test_the_playbook_failed_meanwhile(stack: Deployed) -> None:
    said = (results() / "broken.txt").read_text(encoding="utf-8")
    assert "2 replicas are healthy, 3 are wanted" in said


def test_it_was_told_no_more_once_the_keeper_had_healed_it(stack: Deployed) -> None:
    seconds = json.loads((results() / "untold.json").read_text(encoding="utf-8"))["seconds"]
    assert seconds <= WELL_WITHIN
    assert stack.keeper()["state"] == "ok"
    assert stack.versions() == ["1"] * 3
