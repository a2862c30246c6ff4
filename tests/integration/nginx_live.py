# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real nginx in a container, tiny replicas, and a client, for the tests beside this file."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
    upstream_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    STATIC,
    Configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    NO_MAINTENANCE,
    Maintenance,
)

IMAGE = os.environ.get("LB_TEST_NGINX_IMAGE", "digiz/nginx:1.30")
PREFIX = f"lbtest-nginx-{os.getpid()}"
CAPABILITIES = ["NET_BIND_SERVICE", "SETUID", "SETGID", "CHOWN"]
EVENT_PAUSE = 1.0  # seconds between the two events of a stream


def docker(*arguments: str, seconds: float = 60) -> str:
    """Run the CLI; give all that it printed."""
    command = ["docker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert not done.returncode, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def need_image() -> None:
    """A missing image is a failure, with what to do."""
    command = ["docker", "image", "inspect", IMAGE]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.fail(
            f"There is no image {IMAGE}. Build it with the role images, or name an image of"
            " nginx 1.30.5 or later in the environment variable LB_TEST_NGINX_IMAGE."
        )


def free_port() -> int:
    """A port of this machine that nothing listens on.

    It is below those that the kernel gives to clients: a client that waits for such a port can be
    given that very port, and is then connected to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass
class Replica:
    """One upstream. `fault` 503 answers with that status, "abort" cuts the connection after the
    request was read; `seen` holds what arrived.
    """

    name: str
    port: int = 0
    fault: int | str | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with what arrived, or as the fault or the path says."""
        body = await request.read()
        about = {
            "replica": self.name,
            "method": request.method,
            "path": request.raw_path,
            "headers": {key.lower(): value for key, value in request.headers.items()},
            "body": body.decode(),
            "connection": id(request.transport),
        }
        self.seen.append(about)
        if self.fault == "abort" and request.transport is not None:
            request.transport.abort()
            return web.Response()
        if isinstance(self.fault, int):
            return web.json_response({"application": self.name}, status=self.fault)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._echo(request)
        if "events" in request.query:
            return await self._events(request, request.query["events"])
        return web.json_response(about, headers={"X-App-Version": "7", "X-Request-ID": "mine"})

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        async for message in connection:
            await connection.send_str(f"{self.name}: {message.data}")
        return connection

    async def _events(self, request: web.Request, style: str) -> web.StreamResponse:
        """Two events: chunked, or ("close") delimited by the end of the connection."""
        headers = {"Content-Type": "text/event-stream"}
        if style == "accel":
            headers["X-Accel-Buffering"] = "no"
        if style in ("close", "accel") and request.transport is not None:
            lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
            head = f"HTTP/1.1 200 OK\r\n{''.join(lines)}Connection: close\r\n\r\n"
            request.transport.write(head.encode() + b"data: first\n\n")
            await asyncio.sleep(EVENT_PAUSE)
            request.transport.write(b"data: last\n\n")
            request.transport.close()
            return web.Response()
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await asyncio.sleep(EVENT_PAUSE)
        await response.write(b"data: last\n\n")
        return response


class Replicas:
    """Three replicas on loopback, in a thread of their own."""

    def __init__(self) -> None:
        self.all = [Replica(name) for name in ("one", "two", "three")]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    async def _start(self) -> None:
        self._runners = []
        for replica in self.all:
            app = web.Application(client_max_size=2**26)
            app.router.add_route("*", "/{tail:.*}", replica.handle)
            runner = web.AppRunner(app, access_log=None, keepalive_timeout=75, shutdown_timeout=1)
            await runner.setup()
            listener = socket.create_server(("127.0.0.1", 0))
            await web.SockSite(runner, listener).start()
            replica.port = listener.getsockname()[1]
            self._runners.append(runner)

    async def _stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    def stop(self) -> None:
        """Close everything and end the thread."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def reset(self) -> None:
        """No faults, nothing seen."""
        for replica in self.all:
            replica.fault = None
            replica.seen.clear()

    def fail(self, fault: int | str, *names: str) -> None:
        """Give the named replicas a fault."""
        for replica in self.all:
            if replica.name in names:
                replica.fault = fault

    @property
    def members(self) -> list[dict[str, object]]:
        """As the balancer takes them."""
        return [{"address": "127.0.0.1", "port": one.port, "name": one.name} for one in self.all]

    def seen(self) -> list[dict[str, Any]]:
        """All requests that arrived at any of them."""
        return [about for replica in self.all for about in replica.seen]


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def data(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


def ask(
    port: int,
    path: str,
    method: str = "GET",
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    source: str = "127.0.0.1",
) -> Answer:
    """One request on a connection of its own; a body that is an iterator goes out chunked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, 20, source_address=(source, 0))
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read().decode())
    finally:
        connection.close()


class Balancer:
    """nginx as the stack runs it: host network, read-only, few capabilities."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.status_port = free_port()
        self.generation = 0
        self.maintenance = NO_MAINTENANCE
        self.name = f"{PREFIX}-balancer"
        (folder / "nginx").mkdir()
        (folder / "logs").mkdir()

    def publish(self, members: list[dict[str, object]], **values: object) -> None:
        """Write a generation, swap it in, start or reload nginx, and wait until it is served."""
        spec = BalancerSpec.from_mapping(
            {
                "stack_name": "lbtest",
                "http_port": self.port,
                "status_port": self.status_port,
                "ipv6": False,
                "rate_limits_enabled": False,
                **values,
            }
        )
        self.generation += 1
        staged = self.folder / "nginx" / str(self.generation)
        write(staged, spec, members, self.generation, self.maintenance)
        link = self.folder / "nginx" / "next"
        link.symlink_to(staged.name)
        link.replace(self.folder / "nginx" / "current")
        if self.generation == 1:
            self._start()
            self._wait(lambda: self._served() == self.generation)
            return
        before = self._accepting()
        docker("kill", "--signal=HUP", self.name)
        # Before every old worker has begun to shut down, one of them may still accept.
        self._wait(lambda: self._served() == self.generation and not before & self._accepting())

    def _accepting(self) -> set[str]:
        """The workers that accept connections, by process id."""
        lines = docker("top", self.name, "-o", "pid,args").splitlines()
        return {line.split()[0] for line in lines if line.endswith("nginx: worker process")}

    def _start(self) -> None:
        docker(
            "run",
            "--detach",
            f"--name={self.name}",
            f"--label=digiz.load_balancing.stack={PREFIX}",
            "--network=host",
            "--read-only",
            "--tmpfs=/tmp",
            "--tmpfs=/run",
            "--cap-drop=ALL",
            *(f"--cap-add={capability}" for capability in CAPABILITIES),
            f"--volume={self.folder / 'nginx'}:/etc/balancer:ro",
            f"--volume={self.folder / 'logs'}:/var/log/balancer",
            "--entrypoint=nginx",
            IMAGE,
            *("-c", "/etc/balancer/current/nginx.conf", "-g", "daemon off;"),
        )

    def _served(self) -> object:
        """The generation that nginx says it serves, None if it doesn't say."""
        try:
            return ask(self.status_port, "/status").data["generation"]
        except OSError:
            return None

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 15
        while not done():
            assert time.monotonic() < deadline, docker("logs", self.name)
            time.sleep(0.02)

    def ask(self, path: str, method: str = "GET", **options: Any) -> Answer:
        """One request through the balancer."""
        return ask(self.port, path, method, **options)

    def log(self) -> list[dict[str, Any]]:
        """The lines of the access log, which is at most a second late."""
        time.sleep(1.2)
        text = (self.folder / "logs" / "access.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def stop(self) -> str:
        """Remove the container; what it had to say."""
        said = docker("logs", self.name)
        docker("rm", "--force", self.name)
        return said


def write(
    folder: Path,
    spec: BalancerSpec,
    members: object,
    generation: int,
    maintenance: Maintenance = NO_MAINTENANCE,
) -> None:
    """All files of one generation."""
    folder.mkdir(parents=True)
    static, upstream = render(spec)[STATIC], upstream_file(members)
    Configuration(generation, static, upstream, maintenance=maintenance).write(str(folder))
