# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stack's own services say of themselves, on loopback or on a socket of theirs."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

HOST = "127.0.0.1"


def get_json(port: int, path: str, timeout: float) -> dict[str, Any]:
    """The mapping that a service answers, an empty one if it does not answer so within ``timeout``
    seconds.
    """
    return _get_json(http.client.HTTPConnection(HOST, port, timeout=timeout), path)


def get_json_at(address: str, path: str, timeout: float) -> dict[str, Any]:
    """The same from a service that listens on a Unix socket, whose path is ``address``."""
    return _get_json(_UnixConnection(address, timeout), path)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, address: str, timeout: float) -> None:
        super().__init__(HOST, timeout=timeout)
        self._address = address

    def connect(self) -> None:
        """Connect to the socket in place of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._address)


def _get_json(connection: http.client.HTTPConnection, path: str) -> dict[str, Any]:
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        data = json.loads(response.read())
        return data if response.status == http.client.OK and isinstance(data, dict) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
