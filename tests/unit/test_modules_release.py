# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules release, services and pre_deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.services import ServiceWork
from ansible_collections.digiz.load_balancing.plugins.modules import pre_deploy, release, services
from tests.unit.fakes.host import STACK, STATIC, SimulatedHost
from tests.unit.fakes.modules import TELLS_OPTIONS, Face

IMAGES = {"app": "shop:1", "balancer": "nginx:1.30"}
GIVEN: dict[str, Any] = {
    "settings": {"stack_name": "shop", "images": IMAGES, "version": "1", "secrets": ["key"]},
    "balancer": {"stack_name": "shop", "http_port": 8080},
    "secrets": {"key": "hunter2"},
    "surge": 2,
}
# As with ansible-playbook -vvv: the result repeats the module's options.
LOST = "This run lost the lock of the stack shop"


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    return SimulatedHost(tmp_path, monkeypatch)


@pytest.fixture(name="token")
def token_fixture(there: SimulatedHost) -> str:
    """The token of the deploy lock."""
    return DeployLock(there.paths).acquire("ana", "laptop", "deploy")[0]


@pytest.fixture(name="face")
def face_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module release."""
    return Face(release, there, monkeypatch)


# release


def test_a_release_is_written_and_told(face: Face, token: str) -> None:
    first = face.run(lock=token, **GIVEN)
    assert (first["changed"], first["number"], first["pre_deploy"]) == (True, 1, True)
    assert (first["target"]["count"], first["target"]["surge"]) == (3, 2)
    assert list(first["services"]) == ["balancer"]
    assert len(first["nginx_digest"]) == 12
    assert [one["before_header"] for one in first["diff"]] == ["compose.yaml", "nginx.conf"]
    again = face.run(lock=token, **GIVEN)
    assert (again["changed"], again["diff"]) == (False, [])


def test_secrets_are_in_no_result(face: Face, token: str) -> None:
    result = face.run(lock=token, **TELLS_OPTIONS, **GIVEN)
    assert result["invocation"]["module_args"]["stack"] == "shop"
    assert "hunter2" not in str(result)


def test_api_keys_are_in_no_result(face: Face, token: str) -> None:
    balancer = {**GIVEN["balancer"], "api_key_tiers": {"gold": {"rate": "9r/s"}}}
    keys = {"partner": {"key": "hunter3", "tier": "gold"}}
    given = {**GIVEN, **TELLS_OPTIONS, "balancer": balancer, "api_keys": keys}
    result = face.run(lock=token, **given)
    assert result["changed"]
    assert "hunter3" not in str(result)


def test_every_state(face: Face, token: str) -> None:
    face.run(lock=token, **GIVEN)
    assert not face.run(lock=token, state="deployed")["changed"]
    scaled = face.run(lock=token, state="scaled", replicas=5)
    assert (scaled["changed"], scaled["number"], scaled["target"]["count"]) == (True, 2, 5)
    assert scaled["pre_deploy"] is False
    restored = face.run(lock=token, state="restored")
    assert (restored["changed"], restored["number"]) == (True, 1)
    assert "has no earlier release to go back to" in face.fail(lock=token, state="previous")
    settings = {**GIVEN["settings"], "version": "2", "images": {**IMAGES, "app": "shop:2"}}
    face.run(lock=token, **{**GIVEN, "settings": settings})
    face.run(lock=token, state="deployed")
    back = face.run(lock=token, state="previous")
    assert (back["changed"], back["target"]["version"]) == (True, "1")


def test_check_mode_writes_no_release(face: Face, there: SimulatedHost) -> None:
    result = face.run(check=True, **GIVEN)
    assert (result["changed"], result["number"]) == (True, 1)
    assert list(Path(there.paths.releases).iterdir()) == []


def test_what_a_state_needs_is_told(face: Face) -> None:
    assert face.fail(state="scaled").endswith("are missing: replicas")
    assert face.fail(state="present").endswith("are missing: settings, balancer")


def test_a_release_without_the_lock_fails(face: Face, token: str) -> None:
    assert face.fail(lock="another", **GIVEN).startswith(LOST)


# services


@pytest.fixture(name="up")
def up_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module services, with a release in force."""
    monkeypatch.setattr(ServiceWork, "_release_text", lambda _self: STATIC)
    return Face(services, there, monkeypatch)


def wanted(**changes: Any) -> dict[str, Any]:
    given = {"balancer": "b1", "database": "d1", "cache": "c1"}
    return {"target": STACK.as_dict(), "services": given, "nginx_digest": "0", **changes}


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"only": ["balancer"]}, "would bring up balancer, would reload nginx"),
        ({"except_for": ["balancer"]}, "would bring up cache, would bring up database"),
        ({"only": ["cache", "other"]}, "would bring up cache"),
        ({"only": []}, "all as wanted"),
    ],
)
def test_services_are_chosen(up: Face, choice: dict[str, Any], text: str) -> None:
    result = up.run(check=True, **wanted(**choice))
    assert (result["text"], result["changed"]) == (text, text != "all as wanted")


def test_the_balancer_is_brought_up(up: Face, token: str, there: SimulatedHost) -> None:
    result = up.run(lock=token, **wanted(only=["balancer"]))
    assert (result["changed"], result["text"]) == (
        True,
        "configuration generation 1, balancer ready after 0.0 s",
    )
    assert there.nginx.running


def test_services_on_a_virgin_host_in_check_mode(up: Face, there: SimulatedHost) -> None:
    there.engine.failing["ping"] = docker.errors.DockerException("no such file")
    result = up.run(check=True, **wanted(except_for=["cache"]))
    assert (result["changed"], result["text"]) == (True, "would bring up balancer, database")
    assert "Docker's engine does not answer" in up.fail(lock="x", **wanted())


def test_services_without_the_lock_fail(up: Face, token: str) -> None:
    assert up.fail(lock="another", **wanted()).startswith(LOST)
    assert up.fail(**wanted()).startswith(LOST)


# pre_deploy


@pytest.fixture(name="before")
def before_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module pre_deploy."""
    return Face(pre_deploy, there, monkeypatch)


def test_the_command_runs_under_the_lock(before: Face, token: str, there: SimulatedHost) -> None:
    there.engine.compose_answer = (0, "3 migrations\n", "")
    result = before.run(lock=token)
    assert (result["changed"], result["output"]) == (True, "3 migrations\n")
    assert result["text"].startswith("ended after 0.")
    assert before.fail(lock="another").startswith(LOST)


def test_a_command_that_fails_fails_the_module(
    before: Face, token: str, there: SimulatedHost
) -> None:
    there.engine.compose_answer = (1, "", "relation users does not exist\n")
    assert before.fail(lock=token) == (
        "app_pre_deploy failed, no replica was touched. docker compose --profile pre-deploy run "
        "--rm --no-deps -T pre-deploy failed (1).\nrelation users does not exist"
    )


def test_the_command_does_not_run_in_check_mode(before: Face, there: SimulatedHost) -> None:
    result = before.run(check=True, lock="")
    assert (result["changed"], result["text"], result["output"]) == (True, "would run", "")
    assert there.engine.calls == []


def test_a_lock_is_needed_for_the_command(before: Face) -> None:
    assert before.fail() == "missing required arguments: lock"
