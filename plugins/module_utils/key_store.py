# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Known API keys of a stack on the host, as files that only root can reach.

They lie in ``nginx/keys/<digest>.conf``, which nginx reads before its workers drop their rights.
The digest is keyed as that of a secret: a changed key changes the path, which tells nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_text,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.secret_store import SecretStore

_SEEN_BY_NGINX = "/etc/balancer/keys/"
_USED = re.compile(re.escape(_SEEN_BY_NGINX) + r"([0-9a-f]+\.conf)")


class KeyStore:
    """The folder ``nginx/keys`` of one stack. With ``dry`` nothing is written."""

    def __init__(self, paths: StackPaths, dry: bool = False) -> None:
        self._folder = os.path.join(paths.nginx, "keys")
        self._secrets = SecretStore(paths, dry)
        self._dry = dry

    def store(self, text: str) -> str:
        """Keep the entries of the keys' map; gives the path as nginx sees it, "" for no text."""
        if not text:
            return ""
        name = f"{self._secrets.digest('api_keys', text)}.conf"
        path = os.path.join(self._folder, name)
        if not self._dry and (not os.path.exists(path) or read_text(path) != text):
            try:
                os.makedirs(self._folder, exist_ok=True)
                os.chmod(self._folder, 0o700)
            except OSError as error:
                raise LoadBalancingError(
                    f"{self._folder} cannot be made: {error.strerror}."
                ) from error
            write_text(path, text, 0o400)
        return _SEEN_BY_NGINX + name

    def prune(self, configurations: Iterable[str]) -> None:
        """Remove the files that none of these texts of nginx.conf includes."""
        used = {name for text in configurations for name in _USED.findall(text)}
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        for name in names:
            if name not in used:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self._folder, name))
