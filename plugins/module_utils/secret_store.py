# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of a stack on the host, as files that only root can reach.

A secret lies in ``secrets/<digest>/<name>``. The digest is keyed with a random key that never
leaves the host: a changed secret changes the path, and so the configuration of what uses it, while
the path tells nothing about the value. The file itself is readable by all, so that a container's
user can read its mounted copy whatever its number is; the folder above it is closed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
    write_text,
)

KEY = ".key"
GENERATED = ".generated"


class SecretStore:
    """The folder ``secrets`` of one stack. With ``dry`` nothing is written."""

    def __init__(self, paths: StackPaths, dry: bool = False) -> None:
        self._folder = paths.secrets
        self._root = paths.root
        self._dry = dry

    def store(self, values: Mapping[str, str], generated: Iterable[str]) -> dict[str, str]:
        """Keep these secrets and the ones that are to be generated; gives each one's path, relative
        to the stack's folder.

        A generated secret is made once and then stays.
        """
        everything = {name: self._generated(name) for name in generated}
        everything.update(values)
        return {name: self._keep(name, value) for name, value in sorted(everything.items())}

    def digest(self, name: str, value: str) -> str:
        """A name for a value that tells nothing about it."""
        return hmac.new(self._key(), f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:12]

    def prune(self, used: Iterable[str]) -> None:
        """Remove the secrets whose paths no release uses any more."""
        kept = {os.path.basename(os.path.dirname(path)) for path in used}
        for name in os.listdir(self._folder):
            if not name.startswith(".") and name not in kept:
                shutil.rmtree(os.path.join(self._folder, name), ignore_errors=True)

    def _keep(self, name: str, value: str) -> str:
        folder = os.path.join(self._folder, self.digest(name, value))
        path = os.path.join(folder, name)
        if not self._dry and read_text(path) != value:
            os.makedirs(folder, mode=0o755, exist_ok=True)
            write_text(path, value, 0o444)
        return os.path.relpath(path, self._root)

    def _key(self) -> bytes:
        return bytes.fromhex(self._once(KEY, secrets.token_hex(32)))

    def _generated(self, name: str) -> str:
        return self._once(f"{GENERATED}-{name}", secrets.token_urlsafe(24))

    def _once(self, name: str, value: str) -> str:
        path = os.path.join(self._folder, name)
        kept = read_text(path)
        if kept:
            return kept
        if not self._dry:
            write_text(path, value, 0o400)
        return value
