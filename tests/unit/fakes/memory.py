# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A keeper's memory with a clock, and what it is shown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Publication
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    Configuration,
    Member,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import Health
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_memory import Memory
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_view import View
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Observed
from tests.unit.fakes.cases import case
from tests.unit.fakes.clock import Clock
from tests.unit.fakes.host import STACK

DEPLOY = "deploy by ana from laptop"


def look(words: str, members: str = "1 2 3", **changes: Any) -> View:
    """A look at replicas in these words (tests/unit/fakes/cases.py) and the published numbers."""
    cases = [case(number, word) for number, word in enumerate(words.split(), start=1)]
    published = {f"id{n}": f"10.0.0.{n}" for n in map(int, members.split())}
    seen = View(
        stack=STACK,
        release=1,
        settled=True,
        deploy="",
        observed=Observed(tuple(one.replica for one in cases), published),
        containers={one.replica.id: one.container for one in cases},
        restarts={},
        health={
            one.replica.id: Health(answered=one.answers, streak=1 if one.passes else -1)
            for one in cases
        },
        published=configuration(members),
        balancer_runs=True,
    )
    return replace(seen, **changes)


def configuration(members: str, generation: int = 1) -> Configuration:
    chosen = (Member(f"id{n}", f"app-{n}", f"10.0.0.{n}", 8000) for n in map(int, members.split()))
    return Configuration(generation, "", "", tuple(chosen))


def publication(before: str, after: str) -> Publication:
    changed = before != after
    return Publication(configuration(before), configuration(after, 1 + changed), changed)


class Keeping:
    """A memory with its clock and its journal."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.output = io.StringIO()
        journal = Journal("shop", self.output, self.clock.time)
        self.memory = Memory("shop", journal, self.clock.time)

    def see(self, words: str, members: str = "1 2 3", **changes: Any) -> View:
        """A second later, a look."""
        self.clock.sleep(1)
        view = look(words, members, **changes)
        self.memory.see(view)
        return view

    def told(self, *events: str) -> list[str]:
        """What was told of these events, or at all."""
        lines = [json.loads(line) for line in self.output.getvalue().splitlines()]
        return [one["text"] for one in lines if not events or one["event"] in events]

    def state(self) -> tuple[str, str]:
        found = self.memory.snapshot(0.0)
        assert found
        return found.state, found.text
