# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's tables: addresses, states, and whose connection it is."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.sockets import (
    Socket,
    Worker,
    list_workers,
    observe_workers,
    parse_tcp_table,
    still_accepting,
)

ESTABLISHED, LISTEN, TIME_WAIT, CLOSE_WAIT = "01", "0A", "06", "08"
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
MASTER = 900

# A line of each table as Linux 6.1 printed it.
REAL_TCP = (
    "   0: 0100007F:1F90 0100007F:D4A2 01 00000000:00000000 00:00000000 00000000     0        0 "
    "31415 1 0000000000000000 20 4 30 10 -1\n"
)
REAL_TCP6 = (
    "   1: 0000000000000000FFFF0000040012AC:1F90 0000000000000000FFFF0000010012AC:D4A2 01 "
    "00000000:00000000 00:00000000 00000000     0        0 27182 1 0000000000000000 20 4 1 10 -1\n"
)


def encoded(address: str, port: int) -> str:
    """An end of a connection as the kernel prints it."""
    packed = ipaddress.ip_address(address).packed
    words = [packed[start : start + 4][::-1].hex().upper() for start in range(0, len(packed), 4)]
    return f"{''.join(words)}:{port:04X}"


def row(local: str, remote: str, state: str = ESTABLISHED, inode: str = "1") -> str:
    ends = []
    for end in (local, remote):
        address, _unused, port = end.rpartition(":")
        ends.append(encoded(address.strip("[]"), int(port)))
    return (
        f"   0: {ends[0]} {ends[1]} {state} 00000000:00000000 00:00000000 00000000     0        0 "
        f"{inode} 1 0000000000000000 20 4 30 10 -1\n"
    )


class Proc:
    """A folder in the shape of ``/proc``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "net").mkdir()

    def add(self, pid: int, title: str, parent: int = MASTER, inodes: tuple[str, ...] = ()) -> None:
        """Add a process with its open sockets."""
        path = self.folder / str(pid)
        (path / "fd").mkdir(parents=True)
        (path / "cmdline").write_text(title.replace(" ", "\0") + "\0", encoding="utf-8")
        # A program may put anything into its name, brackets and line ends too.
        (path / "stat").write_text(f"{pid} (ng) inx) R\n) S {parent} 1 1 0", encoding="utf-8")
        (path / "fd" / "0").symlink_to("/dev/null")
        (path / "fd" / "1").symlink_to("pipe:[5]")
        for number, inode in enumerate(inodes, 3):
            (path / "fd" / str(number)).symlink_to(f"socket:[{inode}]")

    def tables(self, tcp: str, tcp6: str | None = None, pid: str = "") -> None:
        """Write the tables of the host, or those that a process sees."""
        net = self.folder / pid / "net"
        net.mkdir(exist_ok=True)
        (net / "tcp").write_text(HEADER + tcp, encoding="utf-8")
        if tcp6 is not None:
            (net / "tcp6").write_text(HEADER + tcp6, encoding="utf-8")

    def workers(self, *ports: int) -> list[Worker]:
        """What is observed there."""
        return observe_workers(MASTER, ports, str(self.folder))


@pytest.fixture(name="proc")
def proc_fixture(tmp_path: Path) -> Proc:
    """A host with an nginx that has one worker, and a few other processes."""
    proc = Proc(tmp_path)
    proc.add(MASTER, "nginx: master process nginx", parent=1, inodes=("7",))
    proc.add(1, "/sbin/init", parent=0)
    (tmp_path / "uptime").write_text("1 1", encoding="utf-8")
    return proc


# the tables


def test_lines_of_a_real_kernel() -> None:
    assert list(parse_tcp_table(HEADER + REAL_TCP)) == [
        Socket(("127.0.0.1", 8080), ("127.0.0.1", 54434), "31415")
    ]
    assert list(parse_tcp_table(HEADER + REAL_TCP6)) == [
        Socket(("172.18.0.4", 8080), ("172.18.0.1", 54434), "27182")
    ]


ENDS = st.tuples(st.ip_addresses(), st.integers(0, 65_535))


@given(local=ENDS, remote=ENDS, inode=st.integers(0, 2**32))
def test_every_address_survives_the_kernels_spelling(
    local: tuple[ipaddress.IPv4Address, int], remote: tuple[ipaddress.IPv4Address, int], inode: int
) -> None:
    ends = [(str(address), port) for address, port in (local, remote)]
    near, far = (f"[{address}]:{port}" for address, port in ends)
    text = HEADER + row(near, far, inode=str(inode))
    (found,) = parse_tcp_table(text)
    expected = [(_plain(address), port) for address, port in ends]
    assert [found.local, found.remote] == expected
    assert found.inode == str(inode)


def _plain(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


@given(address=st.ip_addresses(v=4), port=st.integers(0, 65_535))
def test_an_ipv4_address_within_ipv6_is_an_ipv4_address(
    address: ipaddress.IPv4Address, port: int
) -> None:
    mapped = f"[::ffff:{address}]:{port}"
    (found,) = parse_tcp_table(HEADER + row(mapped, mapped))
    assert found.local == found.remote == (str(address), port)


def test_only_established_connections_count() -> None:
    states = [f"{number:02X}" for number in range(1, 13)]
    text = HEADER + "".join(row("10.0.0.9:1", "10.0.0.2:80", s, inode=s) for s in states)
    assert [found.inode for found in parse_tcp_table(text)] == [ESTABLISHED]


def test_a_workers_connections_are_told_apart(proc: Proc) -> None:
    proc.add(901, "nginx: worker process", inodes=("11", "12", "13", "14", "15", "99"))
    proc.tables(
        row("203.0.113.1:8080", "198.51.100.7:5000", inode="11")
        + row("203.0.113.1:40001", "172.18.0.2:8000", inode="13")
        + row("203.0.113.1:40002", "172.18.0.2:8000", inode="14")
        + row("203.0.113.1:40003", "172.18.0.3:8000", CLOSE_WAIT, inode="15")
        + row("203.0.113.1:40004", "172.18.0.3:8000", inode="98"),
        row("[::ffff:203.0.113.1]:8080", "[::ffff:198.51.100.8]:5001", inode="12"),
        pid=str(MASTER),
    )
    (worker,) = proc.workers(8080, 18080)
    assert worker == Worker(901, exiting=False, clients=2, upstream=Counter({"172.18.0.2": 2}))
    assert worker.idle_clients == 0


def test_a_worker_that_shuts_down_says_so(proc: Proc) -> None:
    proc.add(901, "nginx: worker process is shutting down", inodes=("11", "12"))
    proc.add(902, "nginx: worker process")
    proc.tables(
        row("203.0.113.1:8080", "198.51.100.7:5000", inode="11")
        + row("203.0.113.1:8080", "198.51.100.7:5001", inode="12"),
        pid=str(MASTER),
    )
    assert [(one.pid, one.exiting, one.idle_clients) for one in proc.workers(8080)] == [
        (901, True, 2),
        (902, False, 0),
    ]


def test_workers_alone_need_no_tables_of_connections(proc: Proc) -> None:
    proc.add(901, "nginx: worker process is shutting down", inodes=("11",))
    proc.add(902, "nginx: worker process", inodes=("12",))
    proc.add(903, "nginx: worker process", parent=555)
    proc.add(904, "nginx: cache manager process")
    assert list_workers(MASTER, str(proc.folder)) == [Worker(901, True), Worker(902, False)]


def test_who_still_accepts(proc: Proc) -> None:
    """One that has ended does not, nor has one that got its number."""
    proc.add(901, "nginx: worker process is shutting down")
    proc.add(902, "nginx: worker process")
    proc.add(903, "nginx: cache manager process")
    proc.add(904, "sleep 900")
    assert still_accepting([901, 902, 903, 904, 905], str(proc.folder)) == {902}


def test_other_processes_are_no_workers(proc: Proc) -> None:
    proc.add(901, "nginx: cache manager process")
    proc.add(902, "nginx: worker process", parent=555)
    proc.add(903, "nginx: worker process")
    proc.tables("", pid=str(MASTER))
    assert [one.pid for one in proc.workers(8080)] == [903]


def test_processes_that_end_meanwhile_are_left_out(proc: Proc) -> None:
    proc.add(901, "nginx: worker process")
    for name in ("0", "1"):
        os.unlink(proc.folder / "901" / "fd" / name)
    os.rmdir(proc.folder / "901" / "fd")
    (proc.folder / "902").mkdir()
    proc.add(903, "nginx: worker process")
    (proc.folder / "903" / "fd" / "2").write_text("no link", encoding="utf-8")
    assert proc.workers(8080) == [Worker(901, False), Worker(903, False)]


@given(clients=st.integers(0, 9), upstream=st.dictionaries(st.text(), st.integers(1, 5)))
def test_idle_clients_are_those_without_a_request(clients: int, upstream: dict[str, int]) -> None:
    worker = Worker(1, True, clients, Counter(upstream))
    assert worker.idle_clients == max(0, clients - sum(upstream.values()))


def test_a_real_process_with_real_connections() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as near,
        server.accept()[0] as far,
    ):
        port = server.getsockname()[1]
        child = subprocess.Popen(
            ["nginx: worker process", "30"],
            executable="sleep",
            pass_fds=(near.fileno(), far.fileno()),
        )
        try:
            found = [one for one in observe_workers(os.getpid(), [port]) if one.pid == child.pid]
        finally:
            child.kill()
            child.wait()
    assert found == [Worker(child.pid, False, clients=1, upstream=Counter({"127.0.0.1": 1}))]
