# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What playbooks have changed, out of the log that Ansible writes with ``log_path``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_RECORD = re.compile(r"\S+ \S+ p=(?P<process>\d+) u=\S+ n=ansible [A-Z]+\| (?P<text>.*)")
_PLAY = re.compile(r"PLAY \[(?P<name>.*)\] \**$")
_TASK = re.compile(r"TASK \[(?:digiz\.load_balancing\.)?(?P<name>.*)\] \**$")
_CHANGED = re.compile(r"changed: \[(?P<host>[^\]\s]+)")


@dataclass(frozen=True)
class Change:
    """A task that changed a host, and the lines that it said to add."""

    host: str
    task: str
    added: tuple[str, ...]


@dataclass
class Run:
    """One run of ansible-playbook: its first play, and what it changed (or would have)."""

    play: str = ""
    changes: list[Change] = field(default_factory=list)

    def changed(self, host: str) -> list[str]:
        """The tasks that changed a host, in order, as ``role : task``."""
        return [one.task for one in self.changes if one.host == host]

    def added(self, host: str, task: str) -> list[str]:
        """The lines that a task added on a host."""
        found = [one for one in self.changes if (one.host, one.task) == (host, task)]
        return [line for one in found for line in one.added]


def read(log: Path, play: str) -> list[Run]:
    """The runs in a log that began with a play, the latest of them last."""
    readers: dict[str, _Reader] = {}
    process = ""
    for line in log.read_text(encoding="utf-8").splitlines():
        record = _RECORD.match(line)
        process = record["process"] if record else process
        readers.setdefault(process, _Reader()).line(record["text"] if record else line)
    return [one.run for one in readers.values() if one.run.play == play]


class _Reader:
    """What one process has logged, line by line: of each result first the lines that it adds."""

    def __init__(self) -> None:
        self.run = Run()
        self._task = ""
        self._added: list[str] = []

    def line(self, text: str) -> None:
        """One more line."""
        play, task, changed = (one.match(text) for one in (_PLAY, _TASK, _CHANGED))
        if play:
            self.run.play = self.run.play or play["name"]
        elif task:
            self._task, self._added = task["name"], []
        elif changed:
            self.run.changes.append(Change(changed["host"], self._task, tuple(self._added)))
            self._added = []
        elif text.startswith("+") and not text.startswith("+++"):
            self._added.append(text[1:])
