# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole mix of traffic: figures, limits, bookkeeping, the process around it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load import (
    Profile,
    Result,
    Traffic,
    TrafficError,
    TrafficProcess,
    compare,
    stored_count,
    stored_ids_via_psql,
)
from tests.load.ceiling import measure
from tests.load.cli import main
from tests.load.process import ROOT
from tests.load.profile import Target
from tests.load.recorder import Origin, Recorder, percentiles
from tests.load.servers import Server, answer, serve, well

MIX: dict[str, Any] = {
    "closed": 4,
    "open_rate": 50.0,
    "idle": 3,
    "idle_min": 0.1,
    "idle_max": 0.3,
    "sse": 2,
    "stream_tokens": 20,
    "stream_delay_ms": 10,
    "websockets": 0,
    "think_time": 0.005,
    "request_timeout": 5.0,
}


@pytest.fixture
def server() -> Iterator[Server]:
    """A good server in a thread of its own."""
    loop = asyncio.new_event_loop()
    started: list[Server] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with serve(well) as server:
            started.append(server)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(5)
    yield started[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


async def through(profile: Profile) -> Result:
    async with Traffic(profile) as traffic:
        await traffic.ended()
    return traffic.result


def test_a_mix_is_counted_to_the_last_request(server: Server) -> None:
    result = asyncio.run(through(Profile(server.url, **MIX, duration=1.5)))
    assert result.failed == 0
    assert result.sent == result.ok == len(server.requests)
    assert set(result.kinds) == {"closed", "open", "idle", "sse"}
    posted = [request.message_id for request in server.requests if request.method == "POST"]
    books = compare(result.acknowledged, [(message_id, 1) for message_id in posted], result.run)
    assert books.exact
    assert books.acknowledged == books.stored == len(posted)
    # By the clock: 1.5 s at 50/s, half of them POST.
    assert result.kinds["open"].sent == pytest.approx(75, abs=4)
    assert (result.versions, result.instances) == ({"1": result.ok}, {"one": result.ok})
    assert sum(second.ok for second in result.timeline) == result.ok
    assert 0 < result.longest_pause < result.seconds
    assert "0 of everything failed" in result.table()
    assert Result.from_json(result.to_json()) == result


def test_a_pause_of_the_server_is_seen_with_its_length(server: Server) -> None:
    async def run() -> Result:
        profile = Profile(server.url, **{**MIX, "closed": 2, "sse": 0, "idle": 0}, duration=1.2)
        async with Traffic(profile) as traffic:
            asyncio.get_running_loop().call_later(0.4, time.sleep, 0.5)
            await traffic.ended()
        return traffic.result

    result = asyncio.run(run())
    assert 0.45 < result.longest_pause < 1
    assert 0.2 < result.longest_pause_at < 0.6
    # The open loop counts from its schedule: what waited shows in its figures.
    assert result.kinds["open"].latency_ms["max"] > 350


def test_source_addresses_are_taken_in_turn(server: Server) -> None:
    addresses = ("127.0.0.2", "127.0.0.3")
    profile = Profile(server.url, **MIX, duration=0.3, source_addresses=addresses)
    assert asyncio.run(through(profile)).failed == 0
    assert server.peers == set(addresses)


def test_the_number_of_requests_is_bounded(server: Server) -> None:
    result = asyncio.run(through(Profile(server.url, **MIX, max_requests=100)))
    assert 100 <= result.sent <= 120
    assert result.seconds < 5


def test_a_plain_application_is_only_asked_and_not_told() -> None:
    async def run() -> tuple[Result, Server]:
        async def page(request: Any, writer: asyncio.StreamWriter) -> bool:
            writer.write(answer(b"<html>", extra="X-Instance: two\r\n", kind="text/html"))
            return True

        async with serve(page) as server:
            mix = {**MIX, "sse": 0}
            profile = Profile(server.url, **mix, duration=0.3, contract="plain", get_path="/x")
            return await through(profile), server

    result, server = asyncio.run(run())
    assert result.failed == 0
    assert {(request.method, request.path) for request in server.requests} == {("GET", "/x")}
    assert result.instances == {"two": result.ok}


def test_an_idempotency_key_and_its_replays_are_counted() -> None:
    async def run() -> tuple[Result, Server]:
        async def again(request: Any, writer: asyncio.StreamWriter) -> bool:
            right = {"id": request.message_id, "reply": "x"}
            writer.write(answer(right, extra="Idempotent-Replayed: true\r\n"))
            return True

        async with serve(again) as server:
            mix = {**MIX, "sse": 0, "open_rate": 0, "idle": 0}
            return await through(
                Profile(server.url, **mix, duration=0.2, idempotency_key=True)
            ), server

    result, server = asyncio.run(run())
    assert result.kinds["closed"].replayed == result.ok > 0
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert keys == [request.message_id for request in server.requests]


def test_an_error_of_a_client_comes_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_unused: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Recorder, "ok", broken)
    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(through(Profile(server.url, **MIX, duration=5)))


def test_a_process_is_watched_and_stopped(server: Server) -> None:
    with TrafficProcess(Profile(server.url, **MIX)) as traffic:
        traffic.wait_until(sent=50, timeout=10)
        result = traffic.stop()
    assert result.failed == 0
    assert result.sent == len(server.requests) >= 50
    assert traffic.stop() is result


def test_a_process_ends_by_itself(server: Server) -> None:
    with TrafficProcess(Profile(server.url, **MIX, duration=0.5)) as traffic:
        assert 0.45 < traffic.join().seconds < 1


def test_a_process_that_cannot_begin_says_why(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = Profile(server.url, **MIX)
    monkeypatch.setattr(Profile, "to_json", lambda _unused: '{"url": "http://192.0.2.1"}')
    with pytest.raises(TrafficError, match=r"exit status 2.*192\.0\.2\.1 is not allowed"):
        TrafficProcess(profile).__enter__()


@pytest.mark.parametrize("way", ["signal", "orphan"])
def test_the_command_ends_and_reports(server: Server, tmp_path: Path, way: str) -> None:
    path = tmp_path / "out.json"
    mix = {**MIX, "url": server.url}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.load", "--attached"),
            *("--profile", json.dumps(mix), "--json", str(path)),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert json.loads(process.stdout.readline())["failed"] == 0
    if way == "signal":
        process.send_signal(signal.SIGINT)
    else:
        process.stdin.close()
    output = process.stdout.read()
    assert process.wait(10) == 0
    assert "0 streams cut" in output
    assert Result.from_json(path.read_text()).failed == 0
    process.stdout.close()
    process.stdin.close()


def test_the_command_takes_options(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.json"
    words = (
        f"--url {server.url} --duration 0.3 --closed 2 --open 0 --idle 1 --sse 0 --ws 0 "
        f"--think-time 0.01 --source-address 127.0.0.4 --json {path}"
    )
    # In a process of its own: signal handlers want the main thread's loop for themselves.
    done = subprocess.run(
        [sys.executable, "-m", "tests.load", *words.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(Result.from_json(path.read_text()).kinds) == {"closed", "idle"}
    assert server.peers == {"127.0.0.4"}
    assert main(["--duration", "1"]) == 2
    assert capsys.readouterr().err == (
        "url: nothing is not allowed: http://ADDRESS:PORT. Give --url.\n"
    )


@pytest.mark.parametrize(
    "url",
    [
        *("http://8.8.8.8", "http://example.com", "http://172.32.0.1", "http://[2001:db8::1]"),
        *("https://127.0.0.1", "http://127.0.0.1/x", "http://127.0.0.1:99999", "127.0.0.1", ""),
        *("http://user@127.0.0.1", "http://0.0.0.0", "http://127.0.0.1:8080\r\nX: y"),
    ],
)
def test_only_this_machine_is_a_target(url: str) -> None:
    with pytest.raises(TrafficError):
        Profile(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("http://localhost:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
        ("http://172.18.0.3", "172.18.0.3", 80, "172.18.0.3:80"),
        ("http://[::1]:81/", "::1", 81, "[::1]:81"),
    ],
)
def test_targets_are_read(url: str, host: str, port: int, authority: str) -> None:
    target = Target.parse(url)
    assert (target.host, target.port, target.authority) == (host, port, authority)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"closed": -1}, "closed: -1 is not allowed: from 0 to 1000. Set closed."),
        (
            {"idle_min": 9.0, "idle_max": 3.0},
            "idle_min: 9 is not allowed: at most idle_max (3). Set idle_min or idle_max.",
        ),
        ({"contract": "x"}, "contract: x is not allowed: chatbot or plain. Set contract."),
        ({"get_path": "/a b"}, "get_path: '/a b' is not allowed: a path. Set get_path."),
        ({"max_duration": 1e9}, "max_duration: 1000000000.0 is not allowed: from 0.1 to 7200."),
    ],
)
def test_a_wrong_profile_says_what_is_allowed(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(TrafficError) as caught:
        Profile("http://127.0.0.1", **changes)
    assert str(caught.value).startswith(text)


def test_source_addresses_are_guarded_too() -> None:
    with pytest.raises(TrafficError, match=r"source_addresses: 8\.8\.8\.8 is not allowed"):
        Profile("http://127.0.0.1", source_addresses=("127.0.0.2", "8.8.8.8"))


def test_what_is_lost_and_what_is_doubled() -> None:
    books = compare(["r-1", "r-2", "r-3"], [("r-1", 1), ("r-3", 2), ("r-4", 1), ("x", 5)], "r-")
    assert (books.lost, books.doubled, books.unacknowledged) == (["r-2"], ["r-3"], ["r-4"])
    assert not books.exact
    assert (books.acknowledged, books.stored) == (3, 4)


@given(st.sets(st.text(min_size=1, max_size=4)))
def test_equal_books_are_exact(ids: set[str]) -> None:
    books = compare(ids, [(one, 1) for one in ids])
    assert books.exact
    assert not books.unacknowledged


def test_the_count_is_asked_of_the_application() -> None:
    async def run(content: Any) -> int:
        async def count(request: Any, writer: asyncio.StreamWriter) -> bool:
            writer.write(answer(content))
            return False

        async with serve(count) as server:
            return await asyncio.to_thread(stored_count, server.url)

    assert asyncio.run(run({"count": 7})) == 7
    with pytest.raises(TrafficError, match="does not answer with a count"):
        asyncio.run(run([7]))


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=300))
def test_percentiles_are_values_that_occurred(seconds: list[float]) -> None:
    figures = percentiles(seconds)
    assert list(figures) == ["p50", "p95", "p99", "max"]
    assert list(figures.values()) == sorted(figures.values())
    assert figures["max"] == round(max(seconds) * 1000, 3)
    assert set(figures.values()) <= {round(value * 1000, 3) for value in seconds}


def test_the_end_counts_as_an_answer_for_the_longest_pause() -> None:
    recorder = Recorder("r", 10, lambda: None)
    recorder.sent("closed")
    recorder.ok("closed", Origin("one", "1"), 0.001)
    result = recorder.result(time.monotonic() + 3)
    assert result.longest_pause == pytest.approx(3, abs=0.1)


def docker_saying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A `docker` on the path that writes its arguments down, a line each, and does `script`."""
    words = tmp_path / "words"
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {words}\n{script}\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return words


def test_stored_ids_are_read_by_psql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = docker_saying(tmp_path, monkeypatch, r'printf "r-1\t1\nodd\tid\t2\n"')
    assert stored_ids_via_psql("shop-database-1", "chatbot", "shop") == [("r-1", 1), ("odd\tid", 2)]
    said = words.read_text().splitlines()
    assert said[:3] == ["exec", "shop-database-1", "psql"]
    assert said[-1] == 'SELECT "id", count(*) FROM "messages" GROUP BY 1'
    stored_ids_via_psql("shop-database-1", "chatbot", "shop", run="1f2e")
    query = """SELECT "id", count(*) FROM "messages" WHERE starts_with("id", '1f2e') GROUP BY 1"""
    assert words.read_text().splitlines()[-1] == query


def test_a_psql_that_refuses_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_saying(tmp_path, monkeypatch, "echo no such container >&2; exit 1")
    with pytest.raises(TrafficError, match="psql in shop says: no such container"):
        stored_ids_via_psql("shop", "chatbot", "shop")
    with pytest.raises(TrafficError, match="is not allowed: a plain name"):
        stored_ids_via_psql("shop", "chatbot", "shop", table='x"; DROP TABLE messages; --')
    with pytest.raises(TrafficError, match="is not allowed: a plain name"):
        stored_ids_via_psql("shop", "chatbot", "shop", run="' OR true; --")


def test_the_client_leaves_the_processor_to_the_servers() -> None:
    """Processor time does not depend on what else runs: at 100 µs, 4,000/s take 0.4 of a core."""
    per_second, microseconds = measure(0.5)
    assert microseconds < 100
    assert per_second > 500
