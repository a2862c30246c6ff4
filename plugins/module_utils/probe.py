# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Active health check: one GET on a replica's health path, straight from the host."""

from __future__ import annotations

import http.client
import re
import socket
import time
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import (
    HEALTHY_STATUSES,
    Statuses,
    is_in,
)

TIMEOUT = 1.0
"""Seconds that one probe may take, connection and answer together."""

_LONGEST_HEAD = 65_536
_CHUNK = 8192
_STATUS_LINE = re.compile(rb"HTTP/[0-9]\.[0-9] ([0-9]{3})[ \r\n]")


@dataclass(frozen=True)
class Probe:
    """What one probe found. ``seconds`` is how long it took, ``reason`` why it failed (empty when
    it passed), ``status`` what was answered, 0 if nothing was.
    """

    healthy: bool
    seconds: float
    reason: str = ""
    status: int = 0


def probe(
    address: str,
    port: int,
    path: str,
    timeout: float = TIMEOUT,
    statuses: Statuses = HEALTHY_STATUSES,
) -> Probe:
    """Ask once. An answer with one of ``statuses`` is healthy, if its head is there in time."""
    started = time.monotonic()
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    status = 0
    try:
        connection.request(
            "GET", path, headers={"User-Agent": "digiz-load-balancing-probe", "Connection": "close"}
        )
        status = _read_status(connection.sock, started + timeout)
        reason = "" if is_in(status, statuses) else f"answered {status}"
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
    finally:
        connection.close()
    return Probe(not reason, time.monotonic() - started, reason, status)


def _read_status(connection: socket.socket, deadline: float) -> int:
    """The status of an answer. Its head is read to the end: an application whose client goes away
    sooner may log an error.

    http.client limits each read by itself, so an answer that drips could take any time.
    """
    head = b""
    while not _is_complete(head):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(left)
        data = connection.recv(_CHUNK)
        if not data:
            break
        head += data
    match = _STATUS_LINE.match(head)
    if not match:
        raise http.client.HTTPException("answered no HTTP" if head else "closed the connection")
    return int(match[1])


def _is_complete(head: bytes) -> bool:
    """Whether a head ends here, or is none."""
    if b"\n" in head and not _STATUS_LINE.match(head):
        return True
    return b"\r\n\r\n" in head or b"\n\n" in head or len(head) > _LONGEST_HEAD


def is_healthy(
    address: str,
    port: int,
    path: str,
    fall: int = 3,
    timeout: float = TIMEOUT,
    statuses: Statuses = HEALTHY_STATUSES,
) -> bool:
    """Whether a replica passes one of at most ``fall`` probes in a row: one slow answer does not
    make it ill.
    """
    return any(probe(address, port, path, timeout, statuses).healthy for _unused in range(fall))
