# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Established connections of this host, asked of the kernel itself (sock_diag(7)).

Who reads /proc/net/tcp gets a line for each connection that ended lately, too: under traffic, some
thousands of them, ten times a second.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Iterator

SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
ERROR, DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
ESTABLISHED = 1 << 1  # TCP_ESTABLISHED, as a set of states
HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, process
REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2: family, protocol, extensions, states, any
ANSWER = struct.Struct("!4x2xH16x4s")  # inet_diag_msg: …, far port, near address, far address, …
BUFFER = 1 << 18


def held(port: int) -> Counter[str]:
    """How many connections this host holds to each IPv4 address on that port."""
    length = HEADER.size + REQUEST.size
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
        kernel.send(
            HEADER.pack(length, SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 1, 0)
            + REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, ESTABLISHED)
        )
        return Counter(
            socket.inet_ntoa(address)
            for far_port, address in map(ANSWER.unpack_from, _answers(kernel))
            if far_port == port
        )


def _answers(kernel: socket.socket) -> Iterator[bytes]:
    while True:
        data = kernel.recv(BUFFER)
        while data:
            length, kind, *_rest = HEADER.unpack_from(data)
            if kind == DONE:
                return
            if kind == ERROR:
                raise OSError("The kernel does not tell its connections.")
            yield data[HEADER.size : length]
            data = data[(length + 3) & ~3 :]
