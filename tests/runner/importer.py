# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Galaxy does with an archive before it takes it: its importer, without network.

It has an environment of its own, because it wants older releases of packages than the other tools
do, but with the same ansible-core and ansible-lint. Everything that it remarks is a failure. Two
of its checks stay off, as they are on Galaxy: ansible-test, which is a part of its own here, and
flake8, whose W503 and E203 contradict the formatter.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from tests.runner.cases import CACHE, PYTHON, Case, check, environment
from tests.runner.environments import make

VENV = CACHE / "galaxy-importer"
PACKAGES = [
    "galaxy-importer==0.4.44",
    *(f"{name}=={version(name)}" for name in ("ansible-core", "ansible-lint")),
]
REMARK = "WARNING|ERROR|CRITICAL"
SWITCHES = {
    "CHECK_CHANGELOG": "yes",
    "CHECK_REQUIRED_TAGS": "yes",
    "OFFLINE_ANSIBLE_LINT": "yes",
    "RUN_ANSIBLE_DOC": "yes",
    "RUN_ANSIBLE_LINT": "yes",
    "RUN_ANSIBLE_TEST": "no",
    "RUN_FLAKE8": "no",
}


def run(archive: Path, folder: Path) -> list[Case]:
    """Import the archive; the folder is for what is written on the way."""
    made = make(VENV, PYTHON, PACKAGES)
    if made.problem:
        return [made]
    extra = {
        **{f"GALAXY_IMPORTER_{name}": value for name, value in SWITCHES.items()},
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),  # none: the defaults
        "HOME": str(folder),
        "PATH": f"{VENV / 'bin'}{os.pathsep}{environment()['PATH']}",
    }
    command = [str(VENV / "bin" / "python"), "-m", "galaxy_importer.main", str(archive)]
    return [check("galaxy-importer", command, folder, extra, telling=REMARK, forbidden=REMARK)]
