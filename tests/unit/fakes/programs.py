# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of a host: small scripts, the only ones on PATH, that note how they were called."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest


class Programs:
    """The programs that a host has; at first there are none."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self._notes = folder / "calls"
        patch.setenv("PATH", str(self.folder))

    def have(self, name: str, script: str = "") -> str:
        """There is a program of that name now, which does what the shell script says, with the
        shell's own commands only; gives its path.
        """
        path = self.folder / name
        note = f'echo "{name} $*" >>{shlex.quote(str(self._notes))}'
        path.write_text(f"#!/bin/sh\n{note}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def calls(self) -> list[str]:
        """The command lines, in their order."""
        return self._notes.read_text(encoding="utf-8").splitlines() if self._notes.exists() else []
