# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For how long nothing has come from a replica on the connections that the balancer has to it.

Neither a probe nor the number of connections tells a replica that hangs from one whose health path
alone hangs: the bytes that still come do. The kernel counts them for each connection and gives them
away by ``sock_diag`` (sock_diag(7), linux/inet_diag.h, struct tcp_info in linux/tcp.h).
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST_AND_DUMP = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
INET_DIAG_INFO = 2
ESTABLISHED = 1
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI48x")
_IDENTITY = struct.Struct("!HH16s16s")
_ATTRIBUTE = struct.Struct("=HH")
_IDENTITY_AT, _ATTRIBUTES_AT = 4, 72
_LAST_RECEIVED_AT, _RECEIVED_AT = 52, 128
_BUFFER = 1 << 16
_TIMEOUT = 2.0


@dataclass(frozen=True)
class Flow:
    """An established connection of this host: the far end's address and port, bytes that came from
    there, and the seconds since the last of them.
    """

    address: str
    port: int
    received: int
    silent: float


def silence(port: int, addresses: Collection[str]) -> dict[str, float]:
    """Seconds since anything came from each address, on any connection to its ``port``.

    An address without a connection on which anything ever came is missing: a connection that is
    younger than its first answer, such as a probe's, tells nothing. Raises LoadBalancingError
    where the kernel does not tell.
    """
    found: dict[str, float] = {}
    for flow in flows():
        if flow.port == port and flow.address in addresses and flow.received:
            found[flow.address] = min(flow.silent, found.get(flow.address, flow.silent))
    return found


def flows() -> list[Flow]:
    """All established TCP connections over IPv4 of this network namespace."""
    wanted = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 1 << 1)
    message = _HEADER.pack(_HEADER.size + len(wanted), SOCK_DIAG_BY_FAMILY, REQUEST_AND_DUMP, 1, 0)
    try:
        with contextlib.closing(
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        ) as kernel:
            kernel.settimeout(_TIMEOUT)
            kernel.send(message + wanted)
            return list(_answers(kernel))
    except OSError as error:
        raise LoadBalancingError(f"The kernel does not tell connections: {error}.") from error


def _answers(kernel: socket.socket) -> Iterator[Flow]:
    while True:
        data = kernel.recv(_BUFFER)
        for kind, body in messages(data):
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                code = -struct.unpack_from("=i", body)[0]
                raise OSError(code, "sock_diag")
            flow = parse_flow(body)
            if flow:
                yield flow


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The netlink messages in what one read gave: type and body."""
    while len(data) >= _HEADER.size:
        length, kind = _HEADER.unpack_from(data)[:2]
        if length < _HEADER.size:
            return
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def parse_flow(body: bytes) -> Flow | None:
    """A connection in the body of an ``inet_diag_msg``; None if its counters are not in it."""
    if len(body) < _ATTRIBUTES_AT or body[0] != socket.AF_INET:
        return None
    _near, port, _source, far = _IDENTITY.unpack_from(body, _IDENTITY_AT)
    attributes = body[_ATTRIBUTES_AT:]
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if length < _ATTRIBUTE.size:
            return None
        info = attributes[_ATTRIBUTE.size : length]
        if kind == INET_DIAG_INFO and len(info) >= _RECEIVED_AT + 8:
            milliseconds = struct.unpack_from("=I", info, _LAST_RECEIVED_AT)[0]
            received = struct.unpack_from("=Q", info, _RECEIVED_AT)[0]
            address = str(ipaddress.IPv4Address(far[:4]))
            return Flow(address, port, received, milliseconds / 1000)
        attributes = attributes[(length + 3) & ~3 :]
    return None
