# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Install the collections of requirements files: from Galaxy, else out of the ``ansible`` wheel.

``python tools/install_collections.py .venv/collections requirements.yml…``

Where Galaxy cannot be reached, the Python package index often can: the package ``ansible`` there
holds the community's collections. Only those that are needed are taken from it, with the
collections that they depend on (3 s and a few MB instead of 500 MB).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml
from packaging.specifiers import SpecifierSet

# The release of `ansible` that goes with the ansible-core in requirements.txt.
ANSIBLE_PACKAGE = "ansible==14.5.0" if sys.version_info >= (3, 12) else "ansible==12.3.0"
GALAXY_TIMEOUT = 90  # seconds for all of it; a network that drops packets must not stop us for long


def missing(wanted: dict[str, str], target: Path) -> list[str]:
    """Names of the collections that are not in ``target`` in a version that is wanted."""
    return [name for name, versions in wanted.items() if not _meets(target, name, versions)]


def from_galaxy(wanted: dict[str, str], target: Path) -> bool:
    """Whether ansible-galaxy could install everything; honours the user's own Galaxy servers.

    It is shown no other folder: what it finds elsewhere on the machine it would not install here.
    """
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    names = [f"{name}:{versions}" for name, versions in wanted.items()]
    command = [str(galaxy), "collection", "install", *names, "-p", str(target)]
    try:
        done = subprocess.run(
            [*command, "--timeout", "10"],
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(target)},
            capture_output=True,
            timeout=GALAXY_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def from_wheel(names: list[str], target: Path) -> None:
    """Take ``names`` and what they depend on out of the ``ansible`` wheel, each in one rename."""
    with tempfile.TemporaryDirectory(dir=target) as folder:
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "-d", folder, ANSIBLE_PACKAGE], check=True)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            for name in _with_dependencies(archive, names):
                prefix = f"ansible_collections/{name.replace('.', '/')}/"
                members = [item for item in archive.namelist() if item.startswith(prefix)]
                archive.extractall(folder, members)
                _replace(target / prefix, Path(folder) / prefix)


def _meets(target: Path, name: str, versions: str) -> bool:
    manifest = target / "ansible_collections" / name.replace(".", "/") / "MANIFEST.json"
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
    except (OSError, ValueError, KeyError):
        return False
    return SpecifierSet(versions.replace("*", "")).contains(found)


def _with_dependencies(archive: zipfile.ZipFile, names: list[str]) -> list[str]:
    found: list[str] = []
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.append(name)
            manifest = f"ansible_collections/{name.replace('.', '/')}/MANIFEST.json"
            info = json.loads(archive.read(manifest))["collection_info"]
            queue.extend(info["dependencies"])
    return found


def _replace(place: Path, new: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    new.rename(place)


def main() -> int:
    """Exit status 0 when everything is there."""
    target, *files = (Path(argument) for argument in sys.argv[1:])
    texts = [file.read_text(encoding="utf-8") for file in files]
    listed = [item for text in texts for item in yaml.safe_load(text)["collections"]]
    wanted = {item["name"]: item.get("version", "*") for item in listed}
    target.mkdir(parents=True, exist_ok=True)
    if not missing(wanted, target):
        return 0
    print(f"Installing the collections {', '.join(wanted)}", file=sys.stderr)
    if from_galaxy(wanted, target):
        return 0
    print("Galaxy does not answer; taking them out of the ansible package", file=sys.stderr)
    try:
        from_wheel(missing(wanted, target), target)
    except (subprocess.CalledProcessError, OSError, KeyError, zipfile.BadZipFile) as error:
        print(f"error: the collections could not be installed: {error}", file=sys.stderr)
        print("Is the network there? Run this again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
