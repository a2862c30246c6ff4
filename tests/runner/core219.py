# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The older ansible-core that is supported, on the oldest Python of controllers.

Everything else runs with the newest release that the Python of .venv can run; this is what could
differ: the unit tests with modules, filters and action plugins, ansible-test, and the life of one
stack. The environment has the very requirements of .venv, of which pip chooses by the Python.
"""

from __future__ import annotations

import os

from tests.runner import artifact
from tests.runner.cases import CACHE, ROOT, Case, check, environment, report
from tests.runner.environments import interpreter, make
from tests.runner.suite import pytest

PYTHON = "3.11"
ANSIBLE = "2.19"
VENV = CACHE / "core219"
REQUIREMENTS = ["requirements.txt", "requirements-test.txt"]
VERSION = """
import sys
from ansible.release import __version__
sys.exit(not __version__.startswith(sys.argv[1] + ".") and f"this is ansible-core {__version__}")
"""


def run() -> list[Case]:
    """Units, ansible-test and a stack that is deployed, verified and removed."""
    python = interpreter(PYTHON)
    if python is None:
        why = f"there is no Python {PYTHON} with venv on this machine"
        return [report(Case(f"python{PYTHON}", 0, skipped=why))]
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in REQUIREMENTS]
    made = make(VENV, python, "".join(texts).splitlines())
    programs = VENV / "bin"
    own = str(programs / "python")
    version = check("ansible-core", [own, "-c", VERSION, ANSIBLE])
    if made.problem or version.problem:
        return [made, version]
    path = {"PATH": f"{programs}{os.pathsep}{environment()['PATH']}"}
    few = {**path, "TEST_EXAMPLES": "few"}
    return [
        made,
        version,
        *pytest("core219-unit", ["-n", "2", "tests/unit"], few, own),
        *artifact.sanity(programs, PYTHON, "core219-"),
        *pytest("core219-deploy", ["-m", "life", "tests/e2e"], path, own),
    ]
