# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observer, against an engine and members that are told what to be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.load import Observation, Observer, TrafficError
from tests.load.observation import Members
from tests.load.observer import Member, count_containers, read_members
from tests.load.servers import Server, answer, serve


def container(status: str, revision: str, state: str = "running") -> dict[str, Any]:
    labels = {"digiz.load_balancing.revision": revision}
    return {"State": state, "Status": status, "Labels": labels}


class Engine:
    """Answers as Docker's engine does, on a unix socket; and one member, on a port."""

    def __init__(self) -> None:
        self.containers: list[dict[str, Any]] = []
        self.status = 200
        self.questions: list[str] = []
        self.well = True
        self.members = Server()
        self.tasks: set[asyncio.Task[Any]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.questions.append(head.split(b" ")[1].decode())
                writer.write(answer(self.containers, self.status))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def member(self, request: Any, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer({"status": "ok"}, 200 if self.well else 503))
        return False

    async def run(self, path: Path, ready: threading.Event, stop: asyncio.Event) -> None:
        engine = await asyncio.start_unix_server(self.answer, path)
        async with serve(self.member) as self.members:
            ready.set()
            await stop.wait()
        engine.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextmanager
def running(path: Path, *containers: dict[str, Any]) -> Iterator[Engine]:
    engine, loop = Engine(), asyncio.new_event_loop()
    engine.containers = list(containers)
    ready, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(engine.run(path, ready, stop),))
    thread.start()
    assert ready.wait(5)
    yield engine
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    stack = contextlib.ExitStack()
    try:
        yield stack.enter_context(running(tmp_path / "docker.sock"))
    finally:
        stack.close()


def publish(root: Path, generation: int, *addresses: str) -> None:
    members = [
        {"address": host, "port": int(port), "name": f"app-{number}"}
        for number, (host, _unused, port) in enumerate(one.rpartition(":") for one in addresses)
    ]
    path = root / "shop" / "state" / "members.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps({"generation": generation, "members": members}))
    staged.rename(path)


def observer(root: Path, **changes: Any) -> Observer:
    figures: dict[str, Any] = {"every": 0.02, "probe_every": 0.02, "probe_timeout": 2.0, **changes}
    return Observer("shop", root=root, engine=root / "docker.sock", **figures)


def test_a_roll_is_seen_from_both_sides(engine: Engine, tmp_path: Path) -> None:
    here = engine.members.url.removeprefix("http://")
    engine.containers = [container("Up 3 seconds (healthy)", "a")] * 3
    publish(tmp_path, 1, here, here, here)
    with observer(tmp_path) as watch:
        time.sleep(0.3)
        engine.containers.append(container("Up 1 second (health: starting)", "b"))
        time.sleep(0.3)
        publish(tmp_path, 2, here, here)
        engine.containers = [container("Up 3 seconds (healthy)", "b")] * 2
        time.sleep(0.3)
    seen = watch.observation
    assert (seen.min_running, seen.max_running, seen.min_healthy) == (2, 4, 2)
    assert (seen.min_members, seen.max_members, seen.min_healthy_members) == (2, 3, 2)
    assert seen.revisions == ["a", "b"]
    assert seen.gaps == []
    assert len(seen.containers) >= 10
    assert Observation.from_json(seen.to_json()) == seen
    assert "replicas running 2…4, members healthy at least 2, published 2…3" in seen.table()
    filters = parse_qs(urlsplit(engine.questions[0]).query)["filters"][0]
    assert json.loads(filters) == {
        "label": ["digiz.load_balancing.stack=shop", "digiz.load_balancing.role=replica"]
    }


def test_a_member_that_is_ill_is_named(engine: Engine, tmp_path: Path) -> None:
    here = engine.members.url.removeprefix("http://")
    publish(tmp_path, 1, here, "127.0.0.1:1")
    with observer(tmp_path) as watch:
        time.sleep(0.2)
        engine.well = False
        time.sleep(0.2)
    seen = watch.observation
    assert (seen.members[0].healthy, seen.members[0].ill) == (1, ["127.0.0.1:1"])
    assert seen.min_healthy_members == 0
    assert seen.worst(below=1)[0].ill == [here, "127.0.0.1:1"]


def test_a_member_that_hangs_is_ill_after_its_time(engine: Engine, tmp_path: Path) -> None:
    async def hang(request: Any, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(5)
        return False

    async def run() -> Observation:
        async with serve(hang) as server:
            publish(tmp_path, 1, server.url.removeprefix("http://"))
            with observer(tmp_path, probe_timeout=0.1) as watch:
                await asyncio.sleep(0.3)
                return await asyncio.to_thread(watch.stop)

    seen = asyncio.run(run())
    assert seen.min_healthy_members == 0
    assert len(seen.members) >= 2


def test_a_member_that_was_taken_out_meanwhile_says_nothing(tmp_path: Path) -> None:
    """Published at the look, gone at the probe: the list has changed, so the look is void."""

    async def run() -> Observation:
        watch: list[Observer] = []

        async def leave(request: Any, writer: asyncio.StreamWriter) -> bool:
            publish(tmp_path, 2)
            return False

        async with serve(leave) as server:
            publish(tmp_path, 1, server.url.removeprefix("http://"))
            watch.append(observer(tmp_path))
            with watch[0]:
                await asyncio.sleep(0.2)
                return await asyncio.to_thread(watch[0].stop)

    with running(tmp_path / "docker.sock"):
        seen = asyncio.run(run())
    assert seen.stale == 1
    assert {sample.generation for sample in seen.members} == {2}
    assert all(not sample.ill for sample in seen.members)


def test_an_engine_that_is_away_leaves_gaps_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with observer(tmp_path, probe_every=None) as watch:
        time.sleep(0.2)
        with running(path, container("Up 3 seconds", "a")) as engine:
            time.sleep(0.2)
            engine.status = 500
            time.sleep(0.2)
        path.unlink(missing_ok=True)
        time.sleep(0.2)
        with running(path, *[container("Up 3 seconds (unhealthy)", "a")] * 2):
            time.sleep(0.2)
    seen = watch.observation
    reasons = " ".join(reason for _unused, reason in seen.gaps)
    assert "No such file" in reasons
    assert "the engine answers 500" in reasons
    assert (seen.min_running, seen.max_running, seen.min_healthy) == (1, 2, 0)


def test_nothing_seen_does_not_pass_for_enough() -> None:
    seen = Observation(started_at=0.0)
    assert (seen.min_running, seen.min_healthy_members, seen.min_members) == (0, 0, 0)
    assert seen.worst(below=3) == []
    seen.members.append(Members(0.0, 1, 3, 2, ["172.18.0.9:8000"]))
    assert len(seen.worst(below=3)) == 1


def test_only_running_containers_count() -> None:
    sample = count_containers(
        1.0,
        [
            container("Up 3 seconds (healthy)", "a"),
            container("Up 3 seconds (unhealthy)", "a"),
            container("Exited (0)", "b", "exited"),
        ],
    )
    assert (sample.running, sample.healthy, sample.revisions) == (2, 1, {"a": 2})


def test_members_are_read(tmp_path: Path) -> None:
    publish(tmp_path, 7, "172.18.0.3:8000")
    path = tmp_path / "shop" / "state" / "members.json"
    assert read_members(path) == (7, [Member("172.18.0.3", 8000, "app-0")])


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"generation": 1, "members": [{"address": "172.18.0.3"}]}'),
        '{"generation": 1, "members": [{"address": "8.8.8.8", "port": 80, "name": "x"}]}',
    ],
)
def test_members_that_cannot_be_read_say_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "members.json"
    path.write_text(text)
    with pytest.raises(TrafficError, match=r"members\.json cannot be read"):
        read_members(path)
