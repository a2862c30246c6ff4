# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds which connection: nginx's workers, read from the kernel's tables below ``/proc``.

A shell command such as ``ss`` would have to be there, and cannot tell a worker that is shutting
down from another.
"""

from __future__ import annotations

import ipaddress
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ESTABLISHED = "01"
LISTENING = "0A"
_WORKER, _EXITING = "worker process", "is shutting down"


@dataclass(frozen=True)
class Socket:
    """An established TCP connection: both ends as (address, port), and the inode by which processes
    hold it.
    """

    local: tuple[str, int]
    remote: tuple[str, int]
    inode: str


@dataclass(frozen=True)
class Worker:
    """A worker process of nginx and its connections, as far as they were counted.

    ``upstream`` counts the connections to each member's address, ``clients`` those that clients
    opened. ``exiting``: it serves what it has and accepts nothing new.
    """

    pid: int
    exiting: bool
    clients: int = 0
    upstream: Counter[str] = field(default_factory=Counter)

    @property
    def idle_clients(self) -> int:
        """Client connections with no request in flight: HTTP/1 has at most one request to a member
        per client.
        """
        return max(0, self.clients - sum(self.upstream.values()))


def parse_tcp_table(text: str) -> Iterator[Socket]:
    """The established connections in the text of ``/proc/net/tcp`` or ``/proc/net/tcp6`` (proc(5)).

    Addresses are hexadecimal in host byte order, one 32-bit word after the other.
    """
    for line in text.splitlines()[1:]:
        _slot, local, remote, state, _queues, _timer, _resent, _uid, _probes, inode = line.split()[
            :10
        ]
        if state == ESTABLISHED:
            yield Socket(_end(local), _end(remote), inode)


def observe_workers(master: int, listening: Iterable[int], proc: str = "/proc") -> list[Worker]:
    """The workers of the nginx whose master process is ``master``, with their connections.

    A connection whose near end is one of the ports in ``listening`` came from a client, any other
    one goes to a member.
    """
    ports = set(listening)
    sockets = {socket.inode: socket for socket in _sockets(master, proc)}
    workers = []
    for worker in list_workers(master, proc):
        clients, upstream = 0, Counter[str]()
        for inode in _inodes(worker.pid, proc):
            socket = sockets.get(inode)
            if socket is None:
                continue
            if socket.local[1] in ports:
                clients += 1
            else:
                upstream[socket.remote[0]] += 1
        workers.append(Worker(worker.pid, worker.exiting, clients, upstream))
    return workers


def list_workers(master: int, proc: str = "/proc") -> list[Worker]:
    """The workers of the nginx whose master process is ``master``, without their connections: those
    are found by reading all connections of the host, which takes a while on a busy one.
    """
    titles = {pid: _title(pid, proc) for pid in _children(master, proc)}
    return [Worker(pid, _EXITING in title) for pid, title in titles.items() if _WORKER in title]


def still_accepting(workers: Iterable[int], proc: str = "/proc") -> set[int]:
    """Those of these workers, by their process ids, that take new connections."""
    titles = {pid: _title(pid, proc) for pid in workers}
    return {pid for pid, title in titles.items() if _WORKER in title and _EXITING not in title}


def _end(text: str) -> tuple[str, int]:
    digits, _separator, port = text.partition(":")
    words = [bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address), int(port, 16)


def _title(pid: int, proc: str) -> str:
    return _read(os.path.join(proc, str(pid), "cmdline")).replace("\0", " ")


def _sockets(pid: int, proc: str) -> Iterator[Socket]:
    for name in ("tcp", "tcp6"):
        yield from parse_tcp_table(_read(os.path.join(proc, str(pid), "net", name)))


def _children(master: int, proc: str) -> list[int]:
    """Processes whose parent is ``master``; the file ``children`` needs a kernel option that not
    all have.
    """
    found = []
    for name in os.listdir(proc):
        if name.isdigit():
            fields = _read(os.path.join(proc, name, "stat")).rpartition(")")[2].split()
            if len(fields) > 1 and fields[1] == str(master):
                found.append(int(name))
    return sorted(found)


def _inodes(pid: int, proc: str) -> Iterator[str]:
    folder = os.path.join(proc, str(pid), "fd")
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(os.path.join(folder, name))
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _read(path: str) -> str:
    """The text of a file of the kernel's; empty when the process has just ended."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""
