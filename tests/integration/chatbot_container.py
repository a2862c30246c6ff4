# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers of the demo and of its database, for the tests beside this file."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.integration.process_one import hears

APP_IMAGE = os.environ.get("LB_TEST_APP_IMAGE", "digiz/chatbot:1")
POSTGRES_IMAGE = os.environ.get("LB_TEST_POSTGRES_IMAGE", "digiz/postgres:17")
PREFIX = f"lbtest-chatbot-{os.getpid()}"
PASSWORD = "integration-test-password"
PATIENCE = 30
"""Seconds until a client gives up; longer than any limit of the application."""

LOCKED_DOWN = [
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
]


def docker(*arguments: str, check: bool = True) -> str:
    """Run the CLI; give what it printed."""
    command = ["docker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
    return (done.stdout + done.stderr).strip()


def wait_for(what: Callable[[], Any], seconds: float = 15) -> Any:
    """Wait until it gives something true."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < deadline, f"{what} not within {seconds} s"
        time.sleep(0.05)
    return result


class Container:
    """A running container of the test."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = f"{PREFIX}-{name}"
        label = f"--label=digiz.load_balancing.stack={PREFIX}"
        docker("run", "--detach", "--name", self.name, f"--network={PREFIX}", label, *arguments)

    @property
    def address(self) -> str:
        """The address on the test's network."""
        place = f'{{{{(index .NetworkSettings.Networks "{PREFIX}").IPAddress}}}}'
        return docker("inspect", "--format", place, self.name)

    def hears(self, number: signal.Signals) -> bool:
        """Whether a signal would reach its process 1."""
        return hears(int(docker("inspect", "--format", "{{.State.Pid}}", self.name)), number)

    def exit_status(self) -> int:
        """Wait for the end."""
        return int(docker("wait", self.name))

    def log(self) -> list[dict[str, Any]]:
        """What it wrote, one JSON object a line."""
        return [json.loads(line) for line in docker("logs", self.name).splitlines()]

    def remove(self) -> None:
        """Make it go away."""
        docker("rm", "--force", "--volumes", self.name, check=False)


class App(Container):
    """A replica."""

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON."""
        return self.request("GET", path)[:2]

    def chat(self, message: str, **fields: str) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of one message."""
        return self.request("POST", "/api/chat", json.dumps({"message": message, **fields}))

    def request(
        self, method: str, path: str, body: str | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, 8000, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, json.loads(answer.read()), headers
        finally:
            connection.close()

    def ready(self, *states: str) -> bool:
        """Whether it answers and sees the database in one of the states."""
        try:
            return self.get("/health")[1]["database"] in states
        except OSError:
            return False

    def stream(self, tokens: int, delay_ms: int) -> Iterator[tuple[float, str]]:
        """Seconds since the request, and the event."""
        start = time.monotonic()
        connection = http.client.HTTPConnection(self.address, 8000, timeout=PATIENCE)
        query = f"/api/chat/stream?message=hi&tokens={tokens}&delay_ms={delay_ms}"
        connection.request("GET", query)
        with connection.getresponse() as answer:
            assert answer.status == 200
            for line in answer:
                if line.strip():
                    yield time.monotonic() - start, line.decode().strip().removeprefix("data: ")

    def websocket(self) -> ClientConnection:
        """Open a WebSocket."""
        return connect(f"ws://{self.address}:8000/ws", proxy=None, open_timeout=5)
