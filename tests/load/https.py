# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of HTTPS that never send again, while something is done to the server."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

PER_CONNECTION = (1, 25, 25, 10_000)  # one client each for each name
PAUSE = 0.03  # seconds between the requests of a client


@dataclass
class Seen:
    """Requests that were answered, failures, and the certificates (SHA-256) as they came."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> Seen:
        """What clients that have ended have written."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))


class Clients:
    """Some keep their connections, some need a new one for each request, of each of the names."""

    def __init__(self, address: str, names: Sequence[str], port: int = 443) -> None:
        self.seen = Seen()
        self._address, self._names, self._port = address, names, port
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[Clients]:
        """All of them for the length of a ``with`` block."""
        threads = [
            threading.Thread(target=self._repeat, args=(name, count), daemon=True)
            for name in self._names
            for count in PER_CONNECTION
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(10)

    def _repeat(self, name: str, per_connection: int) -> None:
        while not self._stop.is_set():
            try:
                self._connect(name, per_connection)
            except (OSError, HTTPException, AssertionError) as error:
                with self._lock:
                    self.seen.failures.append(f"{name}: {error!r}")
                self._stop.wait(0.1)

    def _connect(self, name: str, per_connection: int) -> None:
        """So many requests on one connection, fewer if the server says that it closes it."""
        with connection(self._address, name, self._port) as (link, certificate):
            for _number in range(per_connection):
                link.request("GET", "/health", headers={"Host": name})
                answer = link.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                with self._lock:
                    self.seen.answered += 1
                    if certificate not in self.seen.certificates:
                        self.seen.certificates.append(certificate)
                if self._stop.wait(PAUSE) or link.sock is None:
                    break


@contextmanager
def connection(address: str, name: str, port: int = 443) -> Iterator[tuple[HTTPConnection, str]]:
    """A connection to a server by its name, and the fingerprint of its certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with secured(context, address, name, port) as there:
        link = HTTPConnection(address, port, timeout=10)
        link.sock = there
        yield link, fingerprint(there.getpeercert(binary_form=True) or b"")


def fingerprint(certificate: bytes) -> str:
    """A certificate in DER, in short: SHA-256."""
    return hashlib.sha256(certificate).hexdigest()


@contextmanager
def secured(
    context: ssl.SSLContext, address: str, name: str, port: int = 443
) -> Iterator[ssl.SSLSocket]:
    """A connection as a context wants it."""
    with socket.create_connection((address, port), 10) as plain:
        there = context.wrap_socket(plain, server_hostname=name)
        try:
            yield there
        finally:
            there.close()
