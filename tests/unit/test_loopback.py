# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine and the stack's services are asked over sockets, and what counts as silence."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_api, loopback
from tests.unit.fakes.engine_socket import EngineSocket


@pytest.fixture(name="engine")
def engine_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineSocket]:
    """An engine that listens."""
    engine = EngineSocket(tmp_path, monkeypatch)
    engine.listen(ServerVersion="26.1.5")
    yield engine
    engine.close()


# engine_api


def test_an_answer_is_decoded(engine: EngineSocket) -> None:
    answer = engine_api.get("/info")
    assert (answer.ok, answer.body) == (True, {"ServerVersion": "26.1.5"})
    assert engine_api.get("/_ping") == engine_api.Answer(200, "OK"), "it is no JSON"
    engine.answers["/empty"] = (200, "")
    assert engine_api.get("/empty") == engine_api.Answer(200, None)


def test_a_refusal_has_its_text(engine: EngineSocket) -> None:
    answer = engine_api.get("/nothing")
    assert (answer.ok, answer.status, answer.message) == (False, 404, "page not found")
    engine.answers["/odd"] = (500, {"error": 1})
    assert engine_api.get("/odd").message == "{'error': 1}"
    engine.answers["/text"] = (500, "broken")
    assert engine_api.get("/text").message == "broken"


def test_nobody_who_answers_is_no_exception(engine: EngineSocket) -> None:
    engine.close()
    answer = engine_api.get("/info")
    assert (answer.ok, answer.status) == (False, 0)
    assert "Connection refused" in answer.message
    missing = engine_api.get("/info", socket_file="/nowhere/docker.sock")
    assert "No such file or directory" in missing.message


def test_a_silent_engine_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "silent"))
        server.listen(1)
        answer = engine_api.get("/info", timeout=0.05, socket_file=str(tmp_path / "silent"))
    assert (answer.status, answer.message) == (0, "timed out")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("", engine_api.DEFAULT_SOCKET),
        ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ("tcp://192.0.2.1:2375", engine_api.DEFAULT_SOCKET),
    ],
)
def test_where_the_engine_listens(monkeypatch: pytest.MonkeyPatch, host: str, path: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert engine_api.socket_path() == path


def test_references_are_parts_of_a_path() -> None:
    reference = "registry.example.com:5000/team/app:1.2@sha256:00"
    assert engine_api.image_path(reference) == f"/images/{reference}/json"
    assert engine_api.distribution_path("a b?c") == "/distribution/a%20b%3Fc/json"


# loopback


def test_a_service_on_a_unix_socket(engine: EngineSocket) -> None:
    assert loopback.get_json_at(engine.path, "/info", 2) == {"ServerVersion": "26.1.5"}
    assert engine.asked == ["/info"]
    assert loopback.get_json_at(engine.path, "/nothing", 2) == {}, "its status is 404"
    engine.answers["/list"] = (200, [1])
    assert loopback.get_json_at(engine.path, "/list", 2) == {}, "it is no mapping"
    assert loopback.get_json_at(engine.path, "/_ping", 2) == {}, "it is no JSON"
    engine.close()
    assert loopback.get_json_at(engine.path, "/info", 2) == {}


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"stack": "shop"}).encode(), {"stack": "shop"}),
        (b"SSH-2.0-OpenSSH_9.2\r\n", {}),
        (b"", {}),
    ],
)
def test_a_service_on_a_port(sent: bytes, found: dict[str, str]) -> None:
    with socket.create_server((loopback.HOST, 0)) as server:

        def answer() -> None:
            connection, _address = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(sent)

        thread = threading.Thread(target=answer)
        thread.start()
        assert loopback.get_json(server.getsockname()[1], "/status.json", 5) == found
        thread.join()


def test_a_port_without_a_service() -> None:
    with socket.create_server((loopback.HOST, 0)) as server:
        port = server.getsockname()[1]
    assert loopback.get_json(port, "/status.json", 5) == {}
