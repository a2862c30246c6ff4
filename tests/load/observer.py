# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches a stack while it changes: containers through the engine's API, members from the file that
the balancer's publishing writes. It reads only, and shares no code with what it watches.

    with Observer("chatbot") as observer:
        …
    assert observer.observation.min_healthy_members >= 3
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

from tests.load.faults import RequestFailedError, TrafficError
from tests.load.observation import Containers, Members, Observation
from tests.load.profile import allowed_address
from tests.load.wire import Connection, connect

_LABEL: Final = "digiz.load_balancing"
_ENGINE_TIMEOUT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Member:
    """One published member."""

    address: str
    port: int
    name: str


def read_members(path: Path) -> tuple[int, list[Member]]:
    """The generation and the members that stand in `state/members.json`.

    Format: docs/decisions/0001-rooms-and-contracts.md. Raises OSError, and TrafficError for
    anything else than that format.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        members = [
            Member(allowed_address("address", entry["address"]), entry["port"], entry["name"])
            for entry in data["members"]
        ]
        return data["generation"], members
    except (ValueError, KeyError, TypeError) as fault:
        raise TrafficError(f"{path} cannot be read: {type(fault).__name__}: {fault}") from None


def count_containers(second: float, containers: list[dict[str, Any]]) -> Containers:
    """Figures from what the engine answers to `GET /containers/json`."""
    running = [entry for entry in containers if entry["State"] == "running"]
    return Containers(
        second=second,
        running=len(running),
        healthy=sum("(healthy)" in entry["Status"] for entry in running),
        revisions=dict(Counter(entry["Labels"].get(f"{_LABEL}.revision", "") for entry in running)),
    )


class Observer:
    """Looks at containers and at members in a thread of its own until the block ends.

    root           the folder that holds the stack's folder
    health_path    what a member must answer with a status below 400 within `probe_timeout` s
    every          seconds between two looks at the containers (1-2 ms of the engine's time each)
    probe_every    seconds between two looks at the members; None: members are not looked at
    """

    def __init__(
        self,
        stack: str,
        *,
        root: Path = Path("/opt"),
        health_path: str = "/health",
        every: float = 0.1,
        probe_every: float | None = 0.25,
        probe_timeout: float = 1.0,
        engine: Path = Path("/var/run/docker.sock"),
    ) -> None:
        self.observation = Observation(started_at=time.time())
        self._members_file = root / stack / "state" / "members.json"
        self._health_path = health_path
        self._every = every
        self._probe_every = probe_every
        self._probe_timeout = probe_timeout
        self._engine = engine
        self._engine_connection: Connection | None = None
        self._started = time.monotonic()
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        labels = [f"{_LABEL}.stack={stack}", f"{_LABEL}.role=replica"]
        filters = quote(json.dumps({"label": labels}))
        self._question = (
            f"GET /containers/json?filters={filters} HTTP/1.1\r\nHost: docker\r\n\r\n".encode()
        )

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> Observation:
        """End the watch and give what was seen. Raises what the watch itself ran into."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._error is not None:
            raise self._error
        return self.observation

    def _run(self) -> None:
        try:
            asyncio.run(self._watch())
        except BaseException as fault:
            self._error = fault

    async def _watch(self) -> None:
        loops = [self._repeat(self._look_at_containers, self._every)]
        if self._probe_every is not None:
            loops.append(self._repeat(self._look_at_members, self._probe_every))
        await asyncio.gather(*loops)
        if self._engine_connection is not None:
            self._engine_connection.drop()

    async def _repeat(self, look: Callable[[], Coroutine[Any, Any, None]], every: float) -> None:
        """Look again and again, by the clock; a look that took too long delays the next one."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while not self._stopping.is_set():
            try:
                await look()
            except (OSError, RequestFailedError, TrafficError) as fault:
                self.observation.gaps.append((self._second(), str(fault)))
            due = max(due + every, clock())
            await asyncio.sleep(due - clock())

    async def _look_at_containers(self) -> None:
        second = self._second()
        connection = self._engine_connection
        if connection is None or connection.closed:
            loop = asyncio.get_running_loop()
            _unused, connection = await loop.create_unix_connection(Connection, str(self._engine))
            self._engine_connection = connection
        try:
            answer = await connection.exchange(self._question, _ENGINE_TIMEOUT)
        except RequestFailedError:
            connection.drop()
            self._engine_connection = None
            raise
        if answer.status != 200:
            raise TrafficError(f"the engine answers {answer.status}: {answer.body[:200]!r}")
        self.observation.containers.append(count_containers(second, json.loads(answer.body)))

    async def _look_at_members(self) -> None:
        """Probe every published member; one that is no member any more by then says nothing."""
        second = self._second()
        generation, members = read_members(self._members_file)
        well = await asyncio.gather(*(self._answers(member) for member in members))
        if not all(well) and read_members(self._members_file) != (generation, members):
            self.observation.stale += 1
            return
        ill = [f"{m.address}:{m.port}" for m, good in zip(members, well, strict=True) if not good]
        self.observation.members.append(
            Members(second, generation, len(members), len(members) - len(ill), ill)
        )

    async def _answers(self, member: Member) -> bool:
        """Does the member answer its health path within `probe_timeout`, connecting included?"""
        began = time.monotonic()
        try:
            connection = await connect(member.address, member.port, self._probe_timeout)
        except RequestFailedError:
            return False
        request = (
            f"GET {self._health_path} HTTP/1.1\r\nHost: {member.address}:{member.port}\r\n"
            "Connection: close\r\n\r\n"
        )
        left = max(0.001, self._probe_timeout - (time.monotonic() - began))
        try:
            answer = await connection.exchange(request.encode(), left)
        except RequestFailedError:
            return False
        finally:
            connection.drop()
        return answer.status < 400

    def _second(self) -> float:
        return round(time.monotonic() - self._started, 3)
