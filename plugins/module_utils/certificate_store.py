# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of a stack on the host, with their keys, as files that only root can reach.

Each lies in a folder of its own, ``nginx/tls/<digest>/``, named after the certificate's text. Which
one is in force says the published configuration. The link ``nginx/tls/latest`` names the one for
the first configuration, before there is any.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    read_text,
    replace_link,
    write_json,
    write_text,
)

CERTIFICATE, KEY, ORIGIN = "certificate.pem", "key.pem", "origin.json"
LATEST = "latest"
KEPT = 3
_DIGITS = 16


@dataclass(frozen=True)
class Stored:
    """A certificate with its chain and its key, PEM; ``origin`` says where they came from."""

    certificate: str
    key: str
    origin: dict[str, Any]

    @property
    def digest(self) -> str:
        """The name of its folder: a public text's fingerprint, which tells nothing of the key."""
        return hashlib.sha256(self.certificate.encode()).hexdigest()[:_DIGITS]


def folder(paths: StackPaths, digest: str = "") -> str:
    """The folder of all certificates, or of one."""
    return os.path.join(paths.nginx, "tls", digest) if digest else os.path.join(paths.nginx, "tls")


def challenges(paths: StackPaths) -> str:
    """The folder whose files an ACME server asks for."""
    return os.path.join(paths.nginx, "acme")


def latest(paths: StackPaths) -> str:
    """The certificate that was put in force last; "" if there is none."""
    link = os.path.join(folder(paths), LATEST)
    name = os.path.basename(os.path.realpath(link)) if os.path.islink(link) else ""
    return name if os.path.isfile(os.path.join(folder(paths), name, CERTIFICATE)) else ""


def point(paths: StackPaths, digest: str) -> None:
    """Remember which certificate was put in force last. Raises LoadBalancingError."""
    link = os.path.join(folder(paths), LATEST)
    if latest(paths) != digest:
        replace_link(link, digest)


def read(paths: StackPaths, digest: str) -> Stored | None:
    """A stored certificate; None if it is not there, or not in one piece."""
    if not digest:
        return None
    place = folder(paths, digest)
    try:
        certificate = read_text(os.path.join(place, CERTIFICATE))
        key = read_text(os.path.join(place, KEY))
    except ValueError:
        return None
    if not certificate or not key:
        return None
    return Stored(certificate, key, read_json(os.path.join(place, ORIGIN)))


def create_folders(paths: StackPaths) -> None:
    """Make the folders for certificates and challenges. Raises LoadBalancingError."""
    paths.create()
    for path, mode in ((folder(paths), 0o700), (challenges(paths), 0o755)):
        _make(path, mode)


def store(paths: StackPaths, stored: Stored) -> str:
    """Write a certificate into its folder, unless it lies there; gives its name. Raises
    LoadBalancingError.
    """
    create_folders(paths)
    digest = stored.digest
    if read(paths, digest) != stored:
        place = folder(paths, digest)
        _make(place, 0o700)
        write_text(os.path.join(place, KEY), stored.key, 0o400)
        write_json(os.path.join(place, ORIGIN), stored.origin, 0o600)
        write_text(os.path.join(place, CERTIFICATE), stored.certificate, 0o400)
    return digest


def prune(paths: StackPaths, in_force: str) -> None:
    """Remove all but the last three, and never the one that is in force."""
    place = folder(paths)
    names = [name for name in os.listdir(place) if os.path.isdir(folder(paths, name))]
    real = [name for name in names if not os.path.islink(os.path.join(place, name))]
    by_age = sorted(real, key=lambda name: os.stat(folder(paths, name)).st_mtime)
    for name in by_age[:-KEPT]:
        if name != in_force:
            shutil.rmtree(folder(paths, name), ignore_errors=True)


def discard(paths: StackPaths, digest: str) -> None:
    """Remove one that did not come into force."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder(paths, digest))


def _make(path: str, mode: int) -> None:
    try:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
    except OSError as error:
        raise LoadBalancingError(f"{path} cannot be made: {error.strerror}.") from error
