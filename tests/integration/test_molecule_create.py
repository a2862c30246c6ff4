# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Molecule destroys nothing after a failed create: the playbook that creates its hosts does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts import leftovers

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "lbtest-host-twice"
PLAYBOOK = ROOT / "molecule" / "shared" / "create.yml"

pytestmark = pytest.mark.hosts


def test_a_create_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """One host is up when another one cannot be started, since its name is taken."""
    twice = [{"name": NAME, "release": "trixie", "groups": ["servers"]}] * 2
    variables = {"molecule_hosts": twice, "molecule_ephemeral_directory": str(tmp_path)}
    programs = Path(sys.executable).parent
    command = [str(programs / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*command, "-e", json.dumps(variables), str(PLAYBOOK)],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "MOLECULE_PROJECT_DIRECTORY": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode != 0
    assert f"changed: [localhost] => (item={NAME})" in done.stdout, done.stdout
    assert "Start the hosts: " in done.stdout
    assert "is already in use by container" in done.stdout, done.stdout
    assert NAME not in [host.name for host in leftovers()]
    assert list(tmp_path.rglob("*")) == []
