# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated nginx: it reads the very files that are published, when it starts and on a HUP."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.sockets import Worker
from tests.unit.fakes.clock import Clock

REJECTED = "no_such_directive"


@dataclass
class Process:
    """A worker. ``until`` maps a member's address to when the last request to it ends;
    ``idle_until``: when its last idle client goes, while it shuts down.
    """

    pid: int
    members: frozenset[str]
    exiting: bool = False
    until: dict[str, float] = field(default_factory=dict)
    idle_until: float = 0.0


@dataclass(eq=False)
class Nginx:
    """nginx with the folder that holds the configurations.

    ``request_seconds``: how long the requests last that are in flight at a reload;
    ``idle_seconds``: how long idle clients stay with a worker that shuts down. ``deaf``: it hears
    no HUP. ``slow``: seconds before the old worker stops accepting.
    """

    folder: Path
    clock: Clock
    running: bool = False
    generation: int = 0
    request_seconds: float = 0.0
    idle_seconds: float = 0.0
    deaf: bool = False
    slow: float = 0.0
    reloads: int = 0
    quitting: bool = False
    processes: list[Process] = field(default_factory=list)
    _turns: list[tuple[float, Process]] = field(default_factory=list)

    def start(self) -> None:
        """Read the configuration in force and serve."""
        self.running, self.quitting, self.processes = True, False, []
        self._load()

    def stop(self) -> None:
        """End, and with it every connection."""
        self.running, self.processes = False, []

    def reload(self) -> None:
        """What a HUP does."""
        if self.deaf or not self.running:
            return
        self.reloads += 1
        for process in self.processes:
            self._turns.append((self.clock.now + self.slow, process))
        self._load()
        self._tick()

    def quit(self) -> None:
        """What a QUIT does."""
        self.quitting = True
        self._turns += [(self.clock.now + self.slow, process) for process in self.processes]
        self._tick()

    def test(self, command: Sequence[str]) -> tuple[int, bytes]:
        """``nginx -t``: refuses what holds a certain word, and files that are missing."""
        path = command[command.index("-c") + 1]
        lies_in = self.folder / Path(path).parent.name
        for name in ("nginx.conf", "upstream.conf", "generation.conf"):
            if not (lies_in / name).exists():
                return 1, f"nginx: [emerg] {path}: no such file".encode()
        if REJECTED in (lies_in / "nginx.conf").read_text(encoding="utf-8"):
            return 1, f'nginx: [emerg] unknown directive "{REJECTED}" in {path}:1\n'.encode()
        return 0, b""

    @property
    def members(self) -> frozenset[str]:
        """The addresses that it sends new requests to."""
        accepting = [process.members for process in self.processes if not process.exiting]
        return frozenset().union(*accepting)

    def status(self) -> dict[str, Any]:
        """What its status port answers."""
        return {"generation": self.generation} if self.running else {}

    def holds(self, address: str) -> bool:
        """Whether a request to this address is in flight, or may still be sent there."""
        self._tick()
        return any(
            process.until.get(address, 0) > self.clock.now
            if process.exiting
            else address in process.members
            for process in self.processes
        )

    def workers(self) -> list[Worker]:
        """What the kernel's tables would show of it."""
        self._tick()
        found = []
        for process in self.processes:
            addresses = {a for a, until in process.until.items() if until > self.clock.now}
            upstream = Counter(process.members if not process.exiting else addresses)
            idle = process.exiting and process.idle_until > self.clock.now
            clients = sum(upstream.values()) + int(idle)
            found.append(Worker(process.pid, process.exiting, clients, upstream))
        return found

    def _load(self) -> None:
        current = self.folder / "current"
        generation = (current / "generation.conf").read_text(encoding="utf-8")
        upstream = (current / "upstream.conf").read_text(encoding="utf-8")
        self.generation = int(re.findall(r"default\s+\"?(\d+)", generation)[0])
        members = frozenset(re.findall(r"server\s+([0-9.]+):\d+", upstream))
        pid = 1 + max((process.pid for process in self.processes), default=100)
        self.processes.append(Process(pid, members))

    def _tick(self) -> None:
        for due, process in list(self._turns):
            if self.clock.now >= due:
                self._turns.remove((due, process))
                if not process.exiting:
                    process.exiting = True
                    process.until = dict.fromkeys(
                        process.members, self.clock.now + self.request_seconds
                    )
                    process.idle_until = self.clock.now + self.idle_seconds
        self.processes = [process for process in self.processes if self._lives(process)]

    def _lives(self, process: Process) -> bool:
        last = max([process.idle_until, *process.until.values()])
        return not process.exiting or last > self.clock.now


@contextmanager
def status_server(nginx: Nginx) -> Iterator[int]:
    """Serve the status over HTTP on loopback, as nginx does; gives the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(nginx.status()).encode()
            self.send_response(200 if self.path == "/status" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
