# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The source that an image is built from: its digest, and the archive that carries it to a host.

A context is a small folder on the controller. Its digest is a label of the image, so that a change
of the source with an unchanged tag is noticed. The archive is what ``docker build -`` reads, so
nothing of it is ever left on the host.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

#: Folders and files that are no source: they come and go without a change of the image.
IGNORED_NAMES = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".git")
IGNORED_SUFFIXES = (".pyc", ".swp", "~")
MAX_BYTES = 16 * 1024 * 1024
_EXECUTABLE = 0o100


def context_files(folder: str) -> list[Path]:
    """The files of a build context, sorted by their name inside it.

    :raises LoadBalancingError: if it is no folder, has no Dockerfile, or is too big to be sent.
    """
    root = Path(folder)
    if not (root / "Dockerfile").is_file():
        raise LoadBalancingError(
            f"build.context: {folder} is not allowed: a folder on the controller with a Dockerfile "
            "in it. Set build.context in images_wanted."
        )
    files = sorted(
        path
        for path in root.rglob("*")
        if path.is_file()
        and not set(path.relative_to(root).parts) & set(IGNORED_NAMES)
        and not path.name.endswith(IGNORED_SUFFIXES)
    )
    total = sum(path.stat().st_size for path in files)
    if total > MAX_BYTES:
        raise LoadBalancingError(
            f"build.context: {folder} with {total} bytes is not allowed: at most {MAX_BYTES} "
            "bytes. Build the image elsewhere, push it to a registry and name it in app_image."
        )
    return files


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & _EXECUTABLE)


def context_digest(folder: str, arguments: Mapping[str, Any]) -> str:
    """SHA-256 over names, modes and contents of a context and the build's arguments."""
    digest = hashlib.sha256()
    for path in context_files(folder):
        name = path.relative_to(folder).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name}\0{_is_executable(path):d}\0{content}\n".encode())
    digest.update(data_digest(arguments).encode())
    return digest.hexdigest()


def data_digest(data: Mapping[str, Any]) -> str:
    """SHA-256 of plain data in its canonical JSON form."""
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def context_archive(folder: str) -> str:
    """A context as a gzipped tar archive in base64, with the same owner and times everywhere."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
        for path in context_files(folder):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            entry.mode = 0o755 if _is_executable(path) else 0o644
            with path.open("rb") as source:
                archive.addfile(entry, source)
    return base64.b64encode(buffer.getvalue()).decode()
