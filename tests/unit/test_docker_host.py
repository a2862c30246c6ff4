# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of Docker, how its answers are read, and what is said when it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import docker.errors
import pytest
import requests

from ansible_collections.digiz.load_balancing.plugins.module_utils import docker_host as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    DockerHost,
    engine_is_there,
    is_lasting,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.programs import Ended
from tests.unit.fakes.engine import ONE_OFF, WELL, Behaviour, Service
from tests.unit.fakes.host import IMAGE, SimulatedHost

REFUSED = docker.errors.APIError("server error")
GONE = "f" * 64


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    there = SimulatedHost(tmp_path, monkeypatch)
    monkeypatch.setattr(module, "time", there.clock)
    return there


def well(_address: str) -> bool:
    return True


def ill(_address: str) -> bool:
    return False


# reaching it


@pytest.mark.parametrize(("version", "removed"), [((3, 11), 1), ((3, 12), 0)])
def test_setuptools_stays_out_where_python_has_a_distutils(
    version: tuple[int, int], removed: int
) -> None:
    calls: list[None] = []
    stand_in = SimpleNamespace(remove_shim=lambda: calls.append(None))
    module._keep_setuptools_out({"_distutils_hack": stand_in}, version)
    module._keep_setuptools_out({}, version)
    assert len(calls) == removed


def test_an_engine_that_answers(there: SimulatedHost) -> None:
    assert engine_is_there()
    assert DockerHost.connect(there.paths).paths == there.paths


@pytest.mark.parametrize(
    "error",
    [
        docker.errors.DockerException("Error while fetching server API version"),
        requests.exceptions.ConnectionError("no such file or directory"),
        PermissionError("permission denied"),
    ],
)
def test_an_engine_that_does_not(there: SimulatedHost, error: Exception) -> None:
    there.engine.failing["ping"] = error
    assert not engine_is_there()
    with pytest.raises(LoadBalancingError) as caught:
        DockerHost.connect(there.paths)
    assert str(caught.value) == (
        f"Docker's engine does not answer: {error}. The role docker_engine installs and starts it."
    )


def test_a_host_without_the_sdk(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HAS_DOCKER", False)
    assert not engine_is_there()
    with pytest.raises(LoadBalancingError) as caught:
        DockerHost.connect(there.paths)
    assert str(caught.value) == (
        "The docker SDK for Python is missing on the host. "
        "The role docker_engine installs it (Debian's package python3-docker)."
    )


# containers


def test_only_containers_of_this_stack_are_seen(there: SimulatedHost) -> None:
    mine = there.replica()
    there.replica(labels={"digiz.load_balancing.stack": "shop2"})
    there.engine.on_change = lambda: None
    there.engine.create("balancer", WELL)
    assert [one["Id"] for one in there.host.containers(role="replica")] == [mine.id]
    assert len(there.host.containers()) == 2
    assert there.host.containers(role="database") == []


def test_a_replica_as_it_is_read(there: SimulatedHost) -> None:
    one = there.replica(revision="abc", name="shop-app-1")
    (found,) = there.host.replicas(well)
    assert vars(found) == {
        "id": one.id,
        "name": "shop-app-1",
        "number": 1,
        "revision": "abc",
        "image_id": IMAGE,
        "version": "2",
        "address": "10.0.0.1",
        "state": "healthy",
    }


@pytest.mark.parametrize(
    ("status", "age", "probed", "state"),
    [
        ("running", 5.0, well, "healthy"),
        ("running", 5.0, ill, "starting"),
        ("running", 500.0, ill, "ill"),
        ("paused", 5.0, well, "ill"),
        ("restarting", 5.0, well, "ill"),
        ("exited", 5.0, well, "stopped"),
        ("created", 5.0, well, "stopped"),
        ("dead", 5.0, well, "stopped"),
        ("removing", 5.0, well, "stopped"),
    ],
)
def test_a_replicas_state(
    there: SimulatedHost, status: str, age: float, probed: Callable[[str], bool], state: str
) -> None:
    there.replica(Behaviour(ready_after=100), age=age, status=status)
    (found,) = there.host.replicas(probed)
    assert found.state == state


def test_what_has_no_address_is_not_asked(there: SimulatedHost) -> None:
    there.replica(Behaviour(hung=True), address="")
    (found,) = there.host.replicas(lambda address: pytest.fail(f"asked {address!r}"))
    assert (found.address, found.state) == ("", "ill")


def test_replicas_come_in_the_order_of_their_numbers(there: SimulatedHost) -> None:
    for _unused in range(12):
        there.replica()
    there.replica(labels={ONE_OFF: "True"})
    there.engine.containers = dict(reversed(list(there.engine.containers.items())))
    assert [one.number for one in there.host.replicas(well)] == list(range(1, 13))


def test_the_running_balancer(there: SimulatedHost) -> None:
    assert there.host.balancer() == {}
    there.engine.on_change = lambda: None
    there.engine.create("balancer", WELL, status="exited")
    assert there.host.balancer() == {}
    running = there.engine.create("balancer", WELL)
    assert there.host.balancer()["Id"] == running.id


def test_what_is_gone_has_nothing_to_inspect(there: SimulatedHost) -> None:
    assert there.host.inspect(GONE) == {}


def test_logs_are_plain_text(there: SimulatedHost) -> None:
    log = (
        b"".join(b"line %d\n" % n for n in range(50))
        + "\x1b[31mệ\x00\t!\x07\r\n".encode()
        + b"\xff"
    )
    one = there.replica(Behaviour(log=log))
    found = there.host.logs(one.id, lines=3)
    assert found == "line 49\n[31mệ\t!\n\N{REPLACEMENT CHARACTER}"
    assert len(there.host.logs(one.id).splitlines()) == 30


def test_stopping_what_is_gone_is_fine(there: SimulatedHost) -> None:
    one = there.replica()
    there.host.stop_and_remove(one.id, 7)
    there.host.stop_and_remove(one.id, 7)
    assert there.engine.of("app") == []
    assert ("stop", one.id, 7) in there.engine.calls


def test_what_a_killed_run_began_to_remove_is_waited_for(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = there.replica(status="exited")
    there.engine.failing["remove"] = docker.errors.APIError(
        f"409 Client Error: removal of container {one.id} is already in progress"
    )
    sleep = there.clock.sleep

    def go(seconds: float) -> None:
        sleep(seconds)
        if there.clock.now > 1_000_003:
            there.engine.containers.clear()

    monkeypatch.setattr(there.clock, "sleep", go)
    there.host.stop_and_remove(one.id, 7)
    assert there.engine.containers == {}


def test_a_removal_that_does_not_end_is_told(there: SimulatedHost) -> None:
    one = there.replica(status="exited")
    there.engine.failing["remove"] = docker.errors.APIError("removal is already in progress")
    with pytest.raises(LoadBalancingError) as caught:
        there.host.stop_and_remove(one.id, 7)
    assert str(caught.value) == (
        "The engine has been removing 000000000000 for 60 s. Look at it with docker ps --all."
    )


def test_a_command_in_a_container(there: SimulatedHost) -> None:
    one = there.replica()
    there.engine.on_exec = lambda command: (3, f"{' '.join(command)}\n".encode())
    assert there.host.execute(one.id, ["nginx", "-t"]) == (3, "nginx -t")


def test_a_command_in_a_container_of_its_own(there: SimulatedHost) -> None:
    there.engine.on_exec = lambda command: (2, b"no\n")
    assert there.host.run_once("nginx:1.30", ["nginx", "-t"], ["/a:/b:ro"]) == (2, "no")
    assert there.engine.containers == {}
    there.engine.failing["wait"] = requests.exceptions.ReadTimeout("too slow")
    with pytest.raises(LoadBalancingError, match="Docker's engine refused: too slow"):
        there.host.run_once("nginx:1.30", ["nginx", "-t"], [])
    assert there.engine.containers == {}, "it is thrown away in any case"


def test_what_a_killed_run_has_left_of_it_goes_before_the_next(there: SimulatedHost) -> None:
    """Until then it is the stack's, so that its removal finds it, but none of those that last."""
    there.engine.on_exec = lambda command: (0, b"")
    there.engine.failing["remove"] = RuntimeError("killed")
    with pytest.raises(RuntimeError):
        there.host.run_once("nginx:1.30", ["nginx", "-t"], [])
    (left,) = there.host.containers()
    assert (left["Labels"]["digiz.load_balancing.role"], is_lasting(left)) == ("once", False)
    del there.engine.failing["remove"]
    assert there.host.run_once("nginx:1.30", ["nginx", "-t"], [])[0] == 0
    assert there.engine.containers == {}


# images, networks, volumes


def test_what_an_image_means_here(there: SimulatedHost) -> None:
    assert there.host.image_id("shop:2") == IMAGE
    assert there.host.image_id("shop:3") == ""


def test_images_in_use_stay(there: SimulatedHost) -> None:
    there.engine.images["shop:1"] = "sha256:old"
    there.replica()
    there.host.remove_images(["shop:1", "shop:2"])
    assert list(there.engine.images) == ["shop:2"]


def test_networks_and_volumes_of_the_project(there: SimulatedHost) -> None:
    there.engine.networks, there.engine.volumes = ["shop_edge", "shop_data"], ["shop_database"]
    assert there.host.project_networks() == ["shop_data", "shop_edge"]
    assert there.host.project_volumes() == ["shop_database"]
    assert ("networks", "com.docker.compose.project=shop") in there.engine.calls
    there.host.remove_network("shop_edge")
    there.host.remove_volume("shop_database")
    assert (there.engine.networks, there.host.project_volumes()) == (["shop_data"], [])


@pytest.mark.parametrize(
    ("name", "call", "text"),
    [
        ("containers", lambda h: h.containers(), "Docker's engine refused: server error."),
        ("logs", lambda h: h.logs(GONE), "Docker's engine refused: server error."),
        ("kill", lambda h: h.signal(GONE, "HUP"), "Docker's engine refused: server error."),
        ("exec", lambda h: h.execute(GONE, []), "Docker's engine refused: server error."),
        ("volumes", lambda h: h.project_volumes(), "Docker's engine refused: server error."),
        (
            "inspect_image",
            lambda h: h.image_id("shop:2"),
            "The engine cannot look at the image shop:2: server error.",
        ),
        ("inspect", lambda h: h.inspect(GONE), "The engine cannot look at ffffffffffff: server"),
        (
            "stop",
            lambda h: h.stop_and_remove(GONE, 1),
            "The engine cannot remove ffffffffffff: server error.",
        ),
    ],
)
def test_an_engine_that_refuses_is_told(
    there: SimulatedHost, name: str, call: Callable[[DockerHost], object], text: str
) -> None:
    there.engine.failing[name] = REFUSED
    with pytest.raises(LoadBalancingError) as caught:
        call(there.host)
    assert str(caught.value).startswith(text)


# Compose


def test_compose_is_run_on_the_stacks_project(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def capture(command: list[str], what: str, timeout: float) -> Ended:
        seen.append((command, what, timeout))
        return Ended(0, "out", "warning")

    monkeypatch.setattr(module, "capture", capture)
    root = there.paths.root
    assert there.host.compose("config", "--quiet", file="/x.yaml") == "out"
    there.host.compose("up", timeout=5)
    project = ["docker", "compose", "--project-name", "shop", "--project-directory", root]
    assert seen == [
        (
            [*project, "--file", "/x.yaml", "config", "--quiet"],
            "docker compose config --quiet",
            600,
        ),
        ([*project, "--file", f"{root}/compose.yaml", "up"], "docker compose up", 5),
    ]


@pytest.mark.parametrize(("errors", "output"), [("reason\n", "progress"), ("", "reason\n")])
def test_a_compose_that_fails_says_why(there: SimulatedHost, errors: str, output: str) -> None:
    there.engine.compose_answer = (14, output, "x\n" * 40 + errors if errors else "")
    with pytest.raises(LoadBalancingError) as caught:
        there.host.compose("config", "--quiet")
    lines = str(caught.value).splitlines()
    assert lines[0] == "docker compose config --quiet failed (14)."
    assert lines[-1] == "reason"
    assert len(lines) <= 31


def test_one_service_is_found_by_its_label(there: SimulatedHost) -> None:
    there.engine.services["database"] = Service("database", "d1")
    there.engine.create("database", WELL)
    assert [one["Names"] for one in there.host.containers(role="database")] == [
        ["/shop-database-1"]
    ]


def test_compose_tries_once_more_when_nothing_of_a_container_has_run(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [Ended(1, "", f"runc: {module.NOT_BEGUN}: reset"), Ended(0, "done", "")]
    monkeypatch.setattr(module, "capture", lambda *_: answers.pop(0))
    monkeypatch.setattr(module, "RETRY_PAUSE", 0)
    assert there.host.compose("up") == "done"
    assert answers == []
