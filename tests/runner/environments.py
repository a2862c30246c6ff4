# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments besides .venv, kept below .cache/ until their packages change."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.runner.cases import Case, check

MAKE = """
cmp -s "$3" "$2/.ready" && exit
"$1" -m venv --clear "$2" &&
  "$2/bin/python" -m pip install -q --disable-pip-version-check -r "$3" && cp "$3" "$2/.ready"
"""


def interpreter(version: str) -> str | None:
    """A Python of this version that runs and makes environments: on PATH, or one of pyenv's.

    A name on PATH proves nothing: pyenv has shims for versions that are not selected, and Debian
    splits ensurepip off.
    """
    name = f"python{version}"
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (shutil.which(name), *sorted(map(str, versions.glob(f"*/bin/{name}")))):
        command = [candidate or name, "-c", "import ssl, venv, ensurepip"]
        try:
            if not subprocess.run(command, capture_output=True, check=False).returncode:
                return command[0]
        except FileNotFoundError:
            continue
    return None


def make(folder: Path, python: str, packages: Sequence[str]) -> Case:
    """The case of an environment with these requirements; one that is there already is kept."""
    wanted = folder.with_suffix(".txt")
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.write_text("\n".join([*packages, ""]), encoding="utf-8")
    command = ["sh", "-c", MAKE, "sh", python, str(folder), str(wanted)]
    return check(f"environment {folder.name}", command)
