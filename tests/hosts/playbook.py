# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run roles of this collection on test hosts, and read how it went."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.host import Host, inventory

ROOT = Path(__file__).resolve().parent.parent.parent
_RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=(\d+)\s+changed=(?P<changed>\d+)", re.MULTILINE)

_LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
_THIS_MACHINE = {"all": {"hosts": {"localhost": _LOCAL}}}


@dataclass(frozen=True)
class Run:
    """A finished run: exit status, number of changed tasks, everything that it said."""

    status: int
    changed: int
    output: str


def run_roles(
    host: Host | None,
    roles: Sequence[str],
    folder: Path,
    variables: Mapping[str, Any] | None = None,
    check: bool = False,
    timeout: float = 600,
) -> Run:
    """Run roles on a host, or on this machine (None), one after the other.

    :param folder: a scratch folder for the play and its inventory.
    """
    names = [{"role": f"digiz.load_balancing.{role}"} for role in roles]
    play = {"name": "Roles", "hosts": "all", "gather_facts": False, "roles": names}
    (folder / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    hosts = inventory([host]) if host else json.dumps(_THIS_MACHINE)
    (folder / "hosts.yml").write_text(hosts, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "--diff"]
    command += ["-i", str(folder / "hosts.yml"), "-e", json.dumps(variables or {})]
    command += ["--check"] if check else []
    result = subprocess.run(
        [*command, str(folder / "play.yml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
    )
    recap = _RECAP.search(result.stdout)
    return Run(result.returncode, int(recap["changed"]) if recap else -1, result.stdout)
