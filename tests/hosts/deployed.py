# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack on a host, as Molecule's tests see it: from there through testinfra, and from outside."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from testinfra.host import Host as There

from tests.hosts.host import Host
from tests.hosts.watch import Record

LABEL = "digiz.load_balancing"
KEEPER = "http://127.0.0.1:20080/status.json"
GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"


class Deployed:
    """The stack on one host. ``there`` is testinfra's view of the host."""

    def __init__(self, there: There) -> None:
        self.there = there
        self.name = str(there.backend.get_hostname())

    @property
    def address(self) -> str:
        """Where this machine reaches the host."""
        return Host(self.name).address

    def containers(self, role: str = "replica") -> list[dict[str, Any]]:
        """Those of a role that run, as the engine describes them."""
        ids = self._said("docker ps --quiet --filter %s", f"label={LABEL}.role={role}").split()
        if not ids:
            return []
        found: list[dict[str, Any]] = json.loads(self._said(f"docker inspect {' '.join(ids)}"))
        return found

    def versions(self) -> list[str]:
        """The version of each replica that runs."""
        return sorted(one["Config"]["Labels"][f"{LABEL}.version"] for one in self.containers())

    def created(self) -> list[float]:
        """When each replica was made, as seconds of the epoch."""
        moments = [one["Created"].partition(".")[0] for one in self.containers()]
        return [
            datetime.fromisoformat(moment).replace(tzinfo=timezone.utc).timestamp()
            for moment in moments
        ]

    def get(self, url: str) -> Any:
        """A JSON answer that the host itself gets."""
        return json.loads(self._said("python3 -c %s %s", GET, url))

    def keeper(self) -> dict[str, Any]:
        """What the keeper sees."""
        return dict(self.get(KEEPER))

    def record(self, name: str) -> Record:
        """What was seen while something was done to the stack."""
        return Record.read(results() / f"{name}-{self.name}.json")

    def _said(self, command: str, *words: str) -> str:
        return str(self.there.check_output(command, *words))


def results() -> Path:
    """Where Molecule's playbooks leave what was seen."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "results"
