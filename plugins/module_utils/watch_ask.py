# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a keeper: over HTTP, on this host or through a tunnel, without any proxy."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.loopback import HOST
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_picture import (
    Picture,
    Series,
    read_picture,
    read_series,
)

TIMEOUT = 5.0
"""Seconds."""

MOST_BYTES = 16 * 2**20
"""Of an answer: a keeper of 100 replicas tells less than a megabyte."""

_LAST_PORT = 65_535
_DEFAULT_PORT = 80
_URL = re.compile(
    r"http://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9])"
    r"(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII,
)


class KeeperAbsentError(LoadBalancingError):
    """Nobody answers, or the keeper does not know anything yet."""


@dataclass(frozen=True)
class Address:
    """Where a keeper answers."""

    port: int
    host: str = HOST

    @property
    def url(self) -> str:
        """As people write it."""
        return f"http://{self.host}:{self.port}"


def parse_url(text: str) -> Address:
    """The address in ``http://HOST:PORT``. Raises LoadBalancingError for any other text."""
    found = _URL.fullmatch(text)
    port = int(found["port"] or _DEFAULT_PORT) if found else 0
    if not found or not 1 <= port <= _LAST_PORT:
        raise LoadBalancingError(
            f"--url: {text!r} is not allowed: an address such as http://127.0.0.1:28080"
        )
    return Address(port, found["host"])


def ask(address: Address) -> tuple[Picture, Series]:
    """What the keeper sees now, and what it saw in the last minutes.

    Raises KeeperAbsentError when it does not answer or has just started, LoadBalancingError when
    it is no keeper that answers.
    """
    picture = read_picture(_get(address, "/status.json"))
    return picture, read_series(_get(address, "/series.json"))


def ask_status(address: Address) -> Picture:
    """What the keeper sees now. Raises as :func:`ask`."""
    return read_picture(_get(address, "/status.json"))


def _get(address: Address, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(address.host.strip("[]"), address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        status, body = response.status, response.read(MOST_BYTES)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise KeeperAbsentError(f"No keeper answers on {address.url}: {_reason(error)}.") from error
    finally:
        connection.close()
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if status == http.client.SERVICE_UNAVAILABLE:
        raise KeeperAbsentError(f"The keeper on {address.url} has just started. Try again.")
    if status != http.client.OK or not isinstance(data, dict):
        raise LoadBalancingError(
            f"What answers on {address.url}{path} is no keeper: status {status}. "
            "Correct the address, or run the playbook deploy, which renews the keeper."
        )
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, (TimeoutError, socket.timeout)):  # one and the same from Python 3.10 on
        return f"nothing comes within {TIMEOUT:g} s"
    return str(error) or type(error).__name__
