# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether something still comes from a replica: asked of the real kernel about real connections,
and read from messages that no kernel of today sends.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    socket_progress as module,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.socket_progress import (
    INET_DIAG_INFO,
    NLMSG_DONE,
    NLMSG_ERROR,
    Flow,
    flows,
    messages,
    parse_flow,
    silence,
)

NEAR, FAR = "127.0.0.1", "127.0.0.2"
MANY = 1000
ROUNDING = 0.05
"""Seconds: the kernel counts in ticks of up to 10 ms."""


class Connections:
    """Replicas on loopback addresses that all listen on one port, and a balancer's connections."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._listening = {NEAR: self._open.enter_context(socket.create_server((NEAR, 0)))}
        self.port = int(self._listening[NEAR].getsockname()[1])
        server = socket.create_server((FAR, self.port))
        self._listening[FAR] = self._open.enter_context(server)

    def connect(self, address: str) -> tuple[socket.socket, socket.socket]:
        """A connection: the balancer's end and the replica's."""
        mine = self._open.enter_context(socket.create_connection((address, self.port)))
        theirs = self._open.enter_context(self._listening[address].accept()[0])
        return mine, theirs

    def close(self) -> None:
        self._open.close()


@pytest.fixture(name="there")
def there_fixture() -> Iterator[Connections]:
    """Two addresses with a port of their own."""
    there = Connections()
    yield there
    there.close()


def send(ends: tuple[socket.socket, socket.socket], data: bytes) -> float:
    """Send from the replica; gives when that was, by the monotonic clock."""
    before = time.monotonic()
    ends[1].sendall(data)
    received = b""
    while len(received) < len(data):
        received += ends[0].recv(65_536)
    return before


# the real kernel


def test_only_a_connection_on_which_something_came_tells(there: Connections) -> None:
    one = there.connect(NEAR)
    one[0].sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert silence(there.port, [NEAR, FAR]) == {}
    sent = send(one, b"HTTP/1.1 200 OK\r\n")
    found = silence(there.port, [NEAR, FAR])
    assert list(found) == [NEAR]
    assert 0 <= found[NEAR] <= time.monotonic() - sent + ROUNDING


def test_silence_grows_until_something_comes_again(there: Connections) -> None:
    one = there.connect(NEAR)
    send(one, b"data: 1\n\n")
    for _unused in range(MANY):
        before = silence(there.port, [NEAR])[NEAR]
        if before > 0.2:
            break
        time.sleep(0.01)
    assert before > 0.2
    sent = send(one, b"data: 2\n\n")
    now = silence(there.port, [NEAR])[NEAR]
    assert now <= time.monotonic() - sent + ROUNDING


def test_the_liveliest_connection_of_an_address_counts(there: Connections) -> None:
    old = there.connect(NEAR)
    send(old, b"long ago")
    time.sleep(0.1)
    young = there.connect(NEAR)
    sent = send(young, b"just now")
    assert silence(there.port, [NEAR])[NEAR] <= time.monotonic() - sent + ROUNDING
    young[0].close()
    assert silence(there.port, [NEAR])[NEAR] >= 0.1 - ROUNDING


@pytest.mark.parametrize("silences", [(3.0, 1.0, 2.0), (1.0, 3.0)])
def test_in_whatever_order_they_are_told(
    monkeypatch: pytest.MonkeyPatch, silences: tuple[float, ...]
) -> None:
    told = [Flow("10.0.0.1", 8000, 5, silent) for silent in silences]
    monkeypatch.setattr(module, "flows", lambda: told)
    assert silence(8000, ["10.0.0.1"]) == {"10.0.0.1": 1.0}


def test_replicas_are_told_apart_by_their_addresses(there: Connections) -> None:
    send(there.connect(NEAR), b"x")
    send(there.connect(FAR), b"x")
    assert sorted(silence(there.port, [NEAR, FAR])) == [NEAR, FAR]
    assert list(silence(there.port, [FAR])) == [FAR]
    assert silence(there.port, []) == {}
    assert silence(there.port - 1, [NEAR, FAR]) == {}


def test_a_connection_that_was_closed_tells_nothing(there: Connections) -> None:
    one = there.connect(NEAR)
    send(one, b"x")
    one[1].close()
    for _unused in range(MANY):
        if not silence(there.port, [NEAR]):
            break
        time.sleep(0.01)
    assert silence(there.port, [NEAR]) == {}


def test_bytes_are_counted_for_each_connection(there: Connections) -> None:
    for size in (1, 5000):
        send(there.connect(FAR), b"x" * size)
    found = sorted(flow.received for flow in flows() if flow.port == there.port)
    assert found == [1, 5000]
    assert {flow.address for flow in flows() if flow.port == there.port} == {FAR}


def test_many_connections_come_in_several_parts(there: Connections) -> None:
    """One read of the kernel's answer holds about 60 of them."""
    for _unused in range(300):
        send(there.connect(FAR), b"x")
    assert sum(1 for flow in flows() if flow.port == there.port) == 300


# messages


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def attribute(kind: int, data: bytes) -> bytes:
    return padded(struct.pack("=HH", 4 + len(data), kind) + data)


def info(silent: int, received: int, size: int = 232) -> bytes:
    """A ``struct tcp_info`` of that size; ``silent`` in milliseconds."""
    data = bytearray(b"\xaa" * 232)
    struct.pack_into("=I", data, 52, silent)
    struct.pack_into("=Q", data, 128, received)
    return bytes(data[:size])


def body(*attributes: bytes, family: int = socket.AF_INET, address: str = "172.18.0.3") -> bytes:
    """An ``inet_diag_msg`` about a connection to port 8000."""
    ends = struct.pack(
        "!HH16s16s", 40000, 8000, b"\x7f\0\0\1", ipaddress.ip_address(address).packed
    )
    return bytes([family, 1, 0, 0]) + ends + b"\0" * 32 + b"".join(attributes)


def message(kind: int, data: bytes) -> bytes:
    return padded(struct.pack("=IHHII", 16 + len(data), kind, 2, 1, 0) + data)


def test_a_connection_as_the_kernel_tells_it() -> None:
    meant = Flow("172.18.0.3", 8000, 123_456_789_012, 1.5)
    counters = attribute(INET_DIAG_INFO, info(1500, 123_456_789_012))
    assert parse_flow(body(counters)) == meant
    assert parse_flow(body(attribute(8, b"x"), attribute(5, b"cubic\0"), counters)) == meant


@pytest.mark.parametrize(
    "data",
    [
        b"",
        body()[:71],
        body(),
        body(attribute(5, b"cubic\0")),
        body(attribute(INET_DIAG_INFO, info(1, 1, size=135))),
        body(attribute(INET_DIAG_INFO, info(1, 1))[:100]),
        body(b"\0\0\2\0" * 60),
        body(attribute(INET_DIAG_INFO, info(1, 1)), family=socket.AF_INET6, address="fd00::3"),
    ],
    ids=["empty", "cut", "no attributes", "none of ours", "old", "cut short", "no length", "IPv6"],
)
def test_what_tells_no_counters_is_passed_over(data: bytes) -> None:
    assert parse_flow(data) is None


def test_messages_follow_each_other_on_borders_of_four_bytes() -> None:
    data = message(20, b"abcde") + message(20, b"") + message(NLMSG_DONE, b"\0\0\0\0")
    assert list(messages(data)) == [(20, b"abcde"), (20, b""), (NLMSG_DONE, b"\0\0\0\0")]
    assert list(messages(data[:15])) == []
    assert list(messages(struct.pack("=IHHII", 3, 20, 0, 0, 0) * 2)) == [], "no message is so short"


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_to_its_end(data: bytes) -> None:
    parse_flow(body() + data)
    parse_flow(data)
    for _kind, part in messages(data):
        parse_flow(part)


class Kernel:
    """Takes the place of a netlink socket; answers with these reads."""

    def __init__(self, *reads: bytes) -> None:
        self._reads = list(reads)
        self.closed = False

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, size: int) -> bytes:
        if not self._reads:
            raise TimeoutError("timed out")
        return self._reads.pop(0)[:size]

    def close(self) -> None:
        self.closed = True


def test_an_answer_may_come_in_several_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    one = message(20, body(attribute(INET_DIAG_INFO, info(5, 7))))
    six = message(20, body(family=socket.AF_INET6, address="fd00::3"))
    kernel = Kernel(one + six, one, message(NLMSG_DONE, b"\0\0\0\0"), one)
    monkeypatch.setattr(socket, "socket", lambda *_unused: kernel)
    assert flows() == [Flow("172.18.0.3", 8000, 7, 0.005)] * 2
    assert kernel.closed


@pytest.mark.parametrize(
    ("reads", "why"),
    [
        ([message(NLMSG_ERROR, struct.pack("=i", -1) + b"\0" * 16)], "[Errno 1] sock_diag"),
        ([], "timed out"),
        ([message(20, body())], "timed out"),
    ],
)
def test_a_kernel_that_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, reads: list[bytes], why: str
) -> None:
    kernel = Kernel(*reads)
    monkeypatch.setattr(socket, "socket", lambda *_unused: kernel)
    with pytest.raises(LoadBalancingError) as caught:
        silence(8000, ["172.18.0.3"])
    assert str(caught.value) == f"The kernel does not tell connections: {why}."
    assert kernel.closed


def test_a_kernel_without_sock_diag(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_unused: object) -> socket.socket:
        raise OSError(93, "Protocol not supported")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(LoadBalancingError, match="Protocol not supported"):
        flows()
