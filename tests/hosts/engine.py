# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine of a host at a moment, with all that another run of a role must leave alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.hosts.host import Host

_SETTINGS = "/etc/docker/daemon.json"
_STATE = "{{json .State}}"


@dataclass(frozen=True)
class Engine:
    """An engine: its process, whether containers outlive it, its settings, one of its containers,
    and the packages of its host.
    """

    pid: str
    live_restore: bool
    settings: dict[str, Any]
    container: dict[str, Any]
    packages: str

    @classmethod
    def of(cls, host: Host, container: str) -> Engine:
        """As it is now."""
        info = json.loads(host.run("docker", "info", "--format=json"))
        return cls(
            pid=host.run("cat", "/run/docker.pid"),
            live_restore=info["LiveRestoreEnabled"],
            settings=json.loads(host.run("cat", _SETTINGS)),
            container=json.loads(host.run("docker", "inspect", "--format", _STATE, container)),
            packages=host.run("dpkg-query", "--show"),
        )

    @classmethod
    def read(cls, file: Path) -> Engine:
        """As it was written down."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self, file: Path) -> None:
        """Write it down, to compare it later."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")
