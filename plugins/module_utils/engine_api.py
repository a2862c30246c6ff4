# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read-only questions to the Docker engine over its socket, with the standard library alone.

These are asked before it is known that the host has the ``docker`` SDK or even a client.
Source: Docker Engine API, https://docs.docker.com/reference/api/engine/.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import Any, NamedTuple
from urllib.parse import quote

DEFAULT_SOCKET = "/var/run/docker.sock"


class Answer(NamedTuple):
    """What the engine said: HTTP status (0 = nobody answered) and the decoded body."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """The engine answered with what was asked for."""
        return self.status == http.client.OK

    @property
    def message(self) -> str:
        """The engine's error text, or the whole body when it is not in the usual shape."""
        if isinstance(self.body, dict):
            return str(self.body.get("message", self.body))
        return str(self.body)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path instead of to a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path() -> str:
    """The engine's socket: ``DOCKER_HOST`` when it names a Unix socket, else the usual place."""
    host = os.environ.get("DOCKER_HOST", "")
    return host[len("unix://") :] if host.startswith("unix://") else DEFAULT_SOCKET


def get(path: str, timeout: float = 10.0, socket_file: str | None = None) -> Answer:
    """Ask the engine for ``path``; ``timeout`` is in seconds. Never raises for a silent engine."""
    connection = _UnixConnection(socket_file or socket_path(), timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        raw = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error) or type(error).__name__)
    finally:
        connection.close()
    try:
        return Answer(response.status, json.loads(raw or b"null"))
    except ValueError:
        return Answer(response.status, raw.decode("utf-8", "replace"))


def image_path(reference: str) -> str:
    """The API path of an image: what it is, if it is on the host."""
    return f"/images/{quote(reference, safe='/:@')}/json"


def distribution_path(reference: str) -> str:
    """The API path that makes the engine ask the image's registry (or mirror) for it."""
    return f"/distribution/{quote(reference, safe='/:@')}/json"
