# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has, read from the kernel's files: works on a host where nothing is installed yet."""

from __future__ import annotations

import glob
import os
import pwd
from collections.abc import Iterable, Iterator

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_api
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import BASE_DIRECTORY
from ansible_collections.digiz.load_balancing.plugins.module_utils.preflight import (
    ANY,
    BALANCER,
    KEEPER,
    LOOPBACK,
    OTHER,
    Host,
    Listener,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.sockets import LISTENING

ENGINE_FOLDER = "/var/lib/docker"
ENGINE_TIMEOUT = 3.0
_FOLDERS = {BALANCER: ("nginx", "root/etc/balancer"), KEEPER: ("keeper/*", "cwd")}
"""The folder in a stack's that a service of it has, and what of a process shows that it has it."""


def observe_host(ports: Iterable[int], base: str = BASE_DIRECTORY, proc: str = "/proc") -> Host:
    """Look at this host; who listens is found out for ``ports`` only."""
    return Host(
        user=_user(),
        memory=_memory(proc),
        cpus=os.cpu_count() or 1,
        free=free_space((base, engine_folder())),
        listeners=tuple(listeners(set(ports), base, proc)),
    )


def engine_folder() -> str:
    """Where the engine keeps images and containers: as it says itself, else the usual place."""
    answer = engine_api.get("/info", timeout=ENGINE_TIMEOUT)
    told = answer.body.get("DockerRootDir") if answer.ok and isinstance(answer.body, dict) else ""
    return str(told or ENGINE_FOLDER)


def free_space(folders: Iterable[str]) -> dict[str, int]:
    """Bytes that are free for each folder, or for where it would be made; each disk once."""
    found: dict[int, tuple[str, int]] = {}
    for folder in folders:
        there = folder
        while not os.path.exists(there):
            there = os.path.dirname(there)
        state = os.statvfs(there)
        found.setdefault(os.stat(there).st_dev, (folder, state.f_bavail * state.f_frsize))
    return dict(found.values())


def listeners(ports: set[int], base: str, proc: str) -> Iterator[Listener]:
    """Who listens on these ports, over IPv4 and IPv6."""
    sockets = [
        (port, scope, inode)
        for name in ("tcp", "tcp6")
        for port, scope, inode in listening_sockets(_read(os.path.join(proc, "net", name)))
        if port in ports
    ]
    holders = _holders({inode for _port, _scope, inode in sockets}, proc) if sockets else {}
    for port, scope, inode in sockets:
        pid = holders.get(inode, 0)
        if pid:
            process = _read(os.path.join(proc, str(pid), "comm")).strip()
            yield Listener(port, scope, process, pid, *service_of(pid, base, proc))
        else:
            yield Listener(port, scope)


def listening_sockets(text: str) -> Iterator[tuple[int, str, str]]:
    """Port, scope and inode of each listening socket in the text of ``/proc/net/tcp`` or
    ``/proc/net/tcp6`` (proc(5)): addresses are hexadecimal, in host byte order.
    """
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, _separator, port = fields[1].partition(":")
        if fields[3] == LISTENING:
            scope = ANY if not address.strip("0") else OTHER
            if address in ("0100007F", "0000000000000000FFFF00000100007F"):
                scope = LOOPBACK
            yield int(port, 16), scope, fields[9]


def service_of(pid: int, base: str, proc: str) -> tuple[str, str]:
    """The stack that a process serves, empty if it is none of ours, and whether as its balancer or
    as its keeper.

    Told by the folder that is mounted into a balancer's container, or that a keeper works in, so it
    holds with the engine down, too.
    """
    for service, (inside, where) in _FOLDERS.items():
        for folder in glob.glob(os.path.join(glob.escape(base), "*", inside)):
            try:
                if os.path.samefile(folder, os.path.join(proc, str(pid), where)):
                    return os.path.relpath(folder, base).split(os.sep, maxsplit=1)[0], service
            except OSError:
                continue  # no such folder in that process's view, or it has just ended
    return "", BALANCER


def _holders(inodes: set[str], proc: str) -> dict[str, int]:
    """The process that holds each socket, the oldest of them (nginx's workers inherit theirs)."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, int] = {}
    for pid in sorted((int(name) for name in os.listdir(proc) if name.isdigit()), reverse=True):
        folder = os.path.join(proc, str(pid), "fd")
        try:
            names = os.listdir(folder)
        except OSError:
            continue  # another user's, or it has just ended
        for name in names:
            try:
                inode = wanted.get(os.readlink(os.path.join(folder, name)))
            except OSError:
                continue
            if inode:
                found[inode] = pid
    return found


def _memory(proc: str) -> int:
    for line in _read(os.path.join(proc, "meminfo")).splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _user() -> str:
    number = os.geteuid()
    try:
        return "root" if number == 0 else pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _read(path: str) -> str:
    """The text of a file of the kernel's; empty when it is not there (no IPv6, a process ended)."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""
