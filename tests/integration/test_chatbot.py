# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo as a container, beside a real PostgreSQL: what rollouts and failure tests rely on.

The images come from LB_TEST_APP_IMAGE and LB_TEST_POSTGRES_IMAGE.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.chatbot_container import (
    APP_IMAGE,
    LOCKED_DOWN,
    PASSWORD,
    POSTGRES_IMAGE,
    PREFIX,
    App,
    Container,
    docker,
    wait_for,
)

StartApp = Callable[..., App]

# Twice what store.py promises: UNREACHABLE_SECONDS and TIMEOUT_SECONDS.
UNREACHABLE, SILENT = 3.6, 20.0


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secrets") / "database_password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o444)
    return path


@pytest.fixture(scope="module")
def database(secret: Path) -> Iterator[Container]:
    """PostgreSQL with the schema in place, on a network of its own."""
    for image, variable in (
        (APP_IMAGE, "LB_TEST_APP_IMAGE"),
        (POSTGRES_IMAGE, "LB_TEST_POSTGRES_IMAGE"),
    ):
        if not docker("images", "--quiet", image):
            pytest.fail(f"{variable}: there is no image {image}. Build it or name another one.")
    docker("network", "create", PREFIX)
    container = None
    try:
        container = Container(
            "database",
            "--network-alias=database",
            f"--volume={secret}:/run/secrets/database_password:ro",
            "--env=POSTGRES_USER=chatbot",
            "--env=POSTGRES_DB=chatbot",
            "--env=POSTGRES_PASSWORD_FILE=/run/secrets/database_password",
            POSTGRES_IMAGE,
        )
        run_migration(secret)
        yield container
    finally:
        if container is not None:
            container.remove()
        docker("network", "rm", PREFIX, check=False)


def run_migration(secret: Path, *environment: str) -> str:
    mount = f"--volume={secret}:/run/secrets/database_password:ro"
    settings = [f"--env={setting}" for setting in environment]
    place = [f"--network={PREFIX}", mount, *settings, *LOCKED_DOWN, APP_IMAGE]
    return docker("run", "--rm", *place, "python3", "-m", "chatbot.migrate", check=False)


@pytest.fixture
def start(database: Container, secret: Path) -> Iterator[StartApp]:
    """Start replicas, as locked down as the stack starts them; they end with the test."""
    apps: list[App] = []

    def start(*environment: str, states: tuple[str, ...] = ("available",)) -> App:
        mount = f"--volume={secret}:/run/secrets/database_password:ro"
        settings = [f"--env={setting}" for setting in environment]
        apps.append(App(f"app-{len(apps)}", mount, *settings, *LOCKED_DOWN, APP_IMAGE))
        wait_for(lambda: apps[-1].ready(*states))
        return apps[-1]

    yield start
    for app in apps:
        app.remove()


@pytest.fixture
def app(start: StartApp) -> App:
    return start()


def sql(database: Container, statement: str, name: str = "chatbot") -> str:
    return docker("exec", database.name, "psql", "-U", "chatbot", "-Atc", statement, name)


def test_the_process_has_no_rights(app: App, database: Container) -> None:
    assert docker("inspect", "--format", "{{.Config.User}}", app.name) == "10001:10001"
    assert docker("exec", app.name, "id", "-u") == "10001"
    status = docker("exec", app.name, "grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/1/status")
    assert status.split() == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"]
    assert "Read-only file system" in docker("exec", app.name, "touch", "/app/x", check=False)
    everything = docker("inspect", app.name) + docker("logs", app.name)
    assert PASSWORD not in everything


def test_every_answer_says_who_gave_it(app: App) -> None:
    instance = docker("exec", app.name, "hostname")
    for method, path in (("GET", "/health"), ("GET", "/nothing"), ("POST", "/api/chat")):
        headers = app.request(method, path, "{}" if method == "POST" else None)[2]
        assert headers["x-instance"] == instance
        assert headers["x-app-version"] == app.get("/health")[1]["version"]
    with app.websocket() as websocket:
        assert websocket.response is not None
        assert websocket.response.headers["X-Instance"] == instance


def test_without_the_password_file(database: Container) -> None:
    place = ["run", "--rm", f"--network={PREFIX}", *LOCKED_DOWN, APP_IMAGE]
    text = (
        "DATABASE_PASSWORD_FILE: /run/secrets/database_password is not allowed: a file that user "
        "10001 can read (No such file or directory)."
    )
    line = json.loads(docker(*place, check=False))
    assert (line["level"], line["event"][: len(text)]) == ("error", text)
    assert docker(*place, "python3", "-m", "chatbot.migrate", check=False).startswith(text)


def test_migrations_may_run_at_once_and_again(database: Container, secret: Path) -> None:
    sql(database, "CREATE DATABASE again")
    # Both are made to wait behind a third one, so that they surely meet.
    key = "SELECT pg_advisory_lock(7033415092311), pg_sleep(4)"
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
    with ThreadPoolExecutor(3) as pool:
        pool.submit(sql, database, key, "again")
        runs = [pool.submit(run_migration, secret, "DATABASE_NAME=again") for _unused in range(2)]
        wait_for(lambda: sql(database, waiting) == "2", 4)
    name = "The schema of again on database:5432"
    said = sorted(run.result() for run in runs)
    assert said == [f"{name} is at version 1 already.", f"{name} went from version 0 to 1."]


def test_migration_without_a_database(database: Container, secret: Path) -> None:
    start = time.monotonic()
    said = run_migration(secret, "DATABASE_PORT=5433", "DATABASE_WAIT_TIMEOUT=2")
    assert time.monotonic() - start < 30  # rather than the 60 s that it waits by default
    last = said.splitlines()[-1] if said.startswith("Waiting") else said.splitlines()[0]
    assert last.startswith("DATABASE_HOST: chatbot on database:5433 could not be used for 2 s: ")
    assert "Connection refused" in last
    wrong = run_migration(secret, "DATABASE_USER=nobody", "DATABASE_WAIT_TIMEOUT=1")
    assert "password authentication failed" in wrong
    assert PASSWORD not in wrong


def test_fifty_duplicates_at_once_are_stored_once(start: StartApp, database: Container) -> None:
    apps = [start(), start()]
    for _unused in range(5):
        identifier = str(uuid.uuid4())
        send = partial(App.chat, message="once", id=identifier)
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(send, apps * 25))
        assert {status for status, _unused, _unused in answers} == {200}
        assert len({json.dumps(body) for _unused, body, _unused in answers}) == 1
        assert (
            sum("idempotent-replayed" not in headers for _unused, _unused, headers in answers) == 1
        )
        assert sql(database, f"SELECT count(*) FROM messages WHERE id = '{identifier}'") == "1"
    assert apps[0].chat("another", id=identifier)[0] == 409


def test_messages_are_counted_and_read(app: App, database: Container) -> None:
    before = app.get("/api/messages/count")[1]["count"]
    text = "Chào bạn 🙂 '; DROP TABLE messages; --"
    status, stored, _unused = app.chat(text)
    assert status == 200
    assert app.get("/api/messages/count") == (200, {"count": before + 1})
    assert app.get(f"/api/messages/{stored['id']}") == (200, {"message": text, **stored})


def test_tokens_come_at_a_steady_pace(app: App) -> None:
    moments = list(app.stream(20, 50))
    assert moments[-1][1] == "[DONE]"
    assert [json.loads(event)["index"] for _unused, event in moments[:-1]] == list(range(20))
    for index, (moment, _unused) in enumerate(moments[:-1]):
        assert index * 0.05 - 0.02 < moment < index * 0.05 + 0.5


def test_a_large_body_is_refused_and_the_connection_stays(app: App) -> None:
    connection = http.client.HTTPConnection(app.address, 8000, timeout=10)
    for body, status in (("x" * 5_000_000, 413), ('{"message": "small"}', 200)):
        connection.request("POST", "/api/chat", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_http_on_the_wire(start: StartApp) -> None:
    app = start("KEEP_ALIVE=1")
    with socket.create_connection((app.address, 8000), timeout=30) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" * 3)  # pipelined
        body = b'{"message": "continued"}'
        raw.sendall(
            b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        received = b""
        while b"100 Continue" not in received:
            received += raw.recv(65536)
        raw.sendall(body)
        start_of_rest = time.monotonic()
        while chunk := raw.recv(65536):  # until the idle connection is closed
            received += chunk
    assert received.count(b"HTTP/1.1 200 OK") == 4
    assert 0.5 < time.monotonic() - start_of_rest < 20


def test_a_stop_finishes_the_stream(app: App) -> None:
    stream = app.stream(30, 100)
    first = next(stream)
    idle = http.client.HTTPConnection(app.address, 8000, timeout=5)
    idle.request("GET", "/health")
    idle.getresponse().read()
    address = app.address
    docker("kill", "--signal=TERM", app.name)
    time.sleep(0.5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 8000), timeout=2)
    assert idle.sock.recv(1) == b""  # idle connections are closed, properly
    events = [first, *stream]
    assert len(events) == 31
    assert events[-1][1] == "[DONE]"
    assert app.exit_status() == 0
    assert [line["event"] for line in app.log() if line["event"].startswith("st")] == [
        "started",
        "stopping",
        "stopped",
    ]
    assert all(line["level"] == "info" for line in app.log())


def test_a_stop_waits_no_longer_than_told(start: StartApp) -> None:
    app = start("SHUTDOWN_TIMEOUT=2")
    stream = app.stream(600, 100)
    next(stream)
    began = time.monotonic()
    docker("kill", "--signal=TERM", app.name)
    assert app.exit_status() == 0
    assert time.monotonic() - began < 30  # the stream would last for 60 s


def test_a_stop_right_after_the_start_is_heard(app: App) -> None:
    docker("stop", app.name)
    docker("start", app.name)
    wait_for(lambda: app.hears(signal.SIGTERM))  # which it does before it loads the application
    docker("stop", "--time=10", app.name)
    assert app.exit_status() == 0  # by itself, not by SIGKILL


def test_nothing_runs_on_for_clients_that_left(app: App) -> None:
    for _unused in range(5):
        stream = app.stream(600, 100)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    began = time.monotonic()
    docker("kill", "--signal=TERM", app.name)
    assert app.exit_status() == 0
    assert time.monotonic() - began < 20  # the streams would last for 60 s


def test_websocket_messages_are_stored(app: App) -> None:
    identifier = str(uuid.uuid4())
    with app.websocket() as websocket:
        for _unused in range(2):
            websocket.send(json.dumps({"id": identifier, "message": "by socket"}))
            answer = json.loads(websocket.recv(5))
            assert answer["id"] == identifier
        websocket.send("plain")
        plain = json.loads(websocket.recv(5))
    stored = app.get(f"/api/messages/{identifier}")[1]
    assert stored == {"message": "by socket", **answer}
    assert app.get(f"/api/messages/{plain['id']}")[1]["message"] == "plain"


def test_a_stop_closes_websockets_after_their_message(app: App, database: Container) -> None:
    locked = threading.Thread(
        target=sql,
        args=(database, "BEGIN; LOCK TABLE messages; SELECT pg_sleep(1); COMMIT"),
    )
    with app.websocket() as busy, app.websocket() as resting:
        locked.start()
        time.sleep(0.4)
        busy.send("in the middle")
        time.sleep(0.1)
        docker("kill", "--signal=TERM", app.name)
        assert json.loads(busy.recv(5))["reply"].startswith("You said: in the middle")
        for websocket in (busy, resting):
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv(5)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
    assert app.exit_status() == 0
    assert all(line["level"] == "info" for line in app.log())
    locked.join()


def test_broken_connections_cost_no_request(app: App, database: Container) -> None:
    chat = partial(App.chat, app)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(chat, ["fill the pool"] * 50))
        ended = sql(
            database,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            f"WHERE application_name = 'chatbot {app.get('/health')[1]['instance']}'",
        )
        assert int(ended) > 1
        assert {status for status, _unused, _unused in pool.map(chat, ["go on"] * 20)} == {200}


def unavailable_within(app: App, seconds: float) -> None:
    """Every kind of request that needs the database is told so, and the others are served.

    `seconds` is twice what the application promises, which tells an answer in time from one that
    came by another limit, also on a machine that is slow at the moment.
    """
    message = json.dumps({"message": "hello"})
    for method, path in (("POST", "/api/chat"), ("GET", "/api/messages/count")):
        began = time.monotonic()
        status, body, headers = app.request(method, path, message)
        assert time.monotonic() - began < seconds
        assert (status, set(body), headers["retry-after"]) == (503, {"error"}, "2")
    status, health = app.get("/health")
    assert (status, health["status"], health["database"]) == (200, "ok", "unavailable")
    assert list(app.stream(2, 1))[-1][1] == "[DONE]"


def served_again(app: App) -> None:
    wait_for(lambda: app.chat("back again")[0] == 200, 6)
    wait_for(lambda: app.ready("available"), 6)


def test_the_database_goes_and_comes_back(start: StartApp, database: Container) -> None:
    app = start("DATABASE_POOL_SIZE=5")
    with ThreadPoolExecutor(10) as pool:  # fill the pool with connections that will be stale
        list(pool.map(lambda _unused: app.chat("before"), range(50)))
    docker("restart", database.name)
    served_again(app)

    docker("stop", database.name)
    unavailable_within(app, UNREACHABLE)
    late = start(states=("unavailable",))
    unavailable_within(late, UNREACHABLE)
    docker("start", database.name)
    for replica in (app, late):
        served_again(replica)

    docker("pause", database.name)  # no answer, and no refusal either: it might just be slow
    try:
        unavailable_within(app, SILENT)
    finally:
        docker("unpause", database.name)
    served_again(app)
    changes = [line["event"] for line in app.log() if line["event"].startswith("database")]
    assert len(changes) <= 8  # one line for each change, not one for each request
    assert changes[-1] == "database available"


def test_a_database_without_the_schema(start: StartApp, database: Container) -> None:
    sql(database, "CREATE DATABASE bare")
    app = start("DATABASE_NAME=bare", states=("unavailable",))
    unavailable_within(app, UNREACHABLE)
    assert app.log()[-1]["reason"] == "no table: run python3 -m chatbot.migrate"
