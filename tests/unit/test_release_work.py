# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases taken into force: compared, tested, and put back; secrets kept as long as needed."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.release_work import (
    Change,
    Inputs,
    ReleaseWork,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    DEPLOYED,
    FAILED,
    PENDING,
    Releases,
)
from tests.unit.fakes.host import SimulatedHost

PRESENT = Inputs(
    settings={
        "stack_name": "shop",
        "images": {"app": "shop:1", "balancer": "nginx:1.30"},
        "version": "1",
        "secrets": ["api_key", "salt"],
        "replicas": 3,
    },
    balancer={"stack_name": "shop", "http_port": 8080},
    secrets={"api_key": "hunter2"},
    generated_secrets=["salt"],
    surge=1,
)


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing was deployed yet."""
    return SimulatedHost(tmp_path, monkeypatch)


@pytest.fixture(name="work")
def work_fixture(there: SimulatedHost) -> ReleaseWork:
    """Work under the lock."""
    token, _where = DeployLock(there.paths).acquire("ana", "laptop", "deploy")
    return ReleaseWork(there.paths, token, dry=False)


def dry(there: SimulatedHost) -> ReleaseWork:
    return ReleaseWork(there.paths, None, dry=True)


def inputs(version: str = "1", secret: str = "hunter2", **settings: Any) -> Inputs:
    images = {"app": f"shop:{version}", "balancer": "nginx:1.30"}
    merged = {**PRESENT.settings, "version": version, "images": images, **settings}
    return dataclasses.replace(PRESENT, settings=merged, secrets={"api_key": secret})


def deploy(work: ReleaseWork, given: Inputs) -> Change:
    """Write a release, and say that it was carried out."""
    change = work.present(given)
    work.deployed()
    return change


def secrets(there: SimulatedHost) -> list[str]:
    return sorted(name for name in os.listdir(there.paths.secrets) if not name.startswith("."))


# writing


def test_the_first_release(there: SimulatedHost, work: ReleaseWork) -> None:
    change = work.present(PRESENT)
    assert (change.number, change.changed, change.pre_deploy) == (1, True, True)
    stack = change.release.stack
    assert vars(stack) == {
        "name": "shop",
        "port": 8000,
        "health_path": "/health",
        "health_interval": 1.0,
        "health_timeout": 1.0,
        "health_rise": 2,
        "health_fall": 3,
        "health_statuses": ((200, 399),),
        "start_timeout": 60.0,
        "drain_timeout": 600.0,
        "stop_grace": 30,
        "balancer_image": "nginx:1.30",
        "balancer_ports": (8080,),
        "status_port": 18080,
        "count": 3,
        "surge": 1,
        "revision": stack.revision,
        "image": "shop:1",
        "version": "1",
        "keeper_enabled": True,
        "keeper_port": 20080,
        "restart_after": 10.0,
        "tls": CertificateSpec(),
    }
    assert Releases(there.paths).current() == 1
    assert Releases(there.paths).status(1) == PENDING
    assert Releases(there.paths).read(1).stack == stack
    assert list(change.release.services()) == ["balancer"]


def test_a_release_is_tested_by_compose_and_nginx_before_it_is_taken(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    work.present(PRESENT)
    compose = [call for call in there.engine.calls if call[0] == "compose"]
    assert compose == [("compose", "config", "--quiet")]
    assert [call[2][5] for call in there.engine.calls if call[0] == "create"] == ["-c"]


def test_the_same_again_changes_nothing(there: SimulatedHost, work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    change = work.present(PRESENT)
    assert (change.number, change.changed, change.pre_deploy, change.diff()) == (
        1,
        False,
        False,
        [],
    )
    assert Releases(there.paths).numbers() == [1]


def test_what_was_never_carried_out_is_not_written_again_but_finished(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    """The run was killed before its replicas were rolled: the command before them runs again."""
    work.present(PRESENT)
    change = work.present(PRESENT)
    assert (change.number, change.changed, change.pre_deploy) == (1, False, True)


@pytest.mark.parametrize(
    ("given", "pre_deploy"),
    [
        (inputs(version="2"), True),
        (inputs(environment={"A": "1"}), True),
        (inputs(secret="another"), True),
        (inputs(replicas=5), False),
        (dataclasses.replace(PRESENT, surge=2), False),
        (
            dataclasses.replace(PRESENT, balancer={"stack_name": "shop", "http_port": 80}),
            False,
        ),
    ],
)
def test_the_command_before_runs_only_for_other_replicas(
    work: ReleaseWork, given: Inputs, pre_deploy: bool
) -> None:
    deploy(work, PRESENT)
    change = work.present(given)
    assert (change.changed, change.pre_deploy, change.number) == (True, pre_deploy, 2)


def test_a_diff_shows_files_and_no_secret(work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    (shown,) = work.present(inputs(version="2", secret="correct horse")).diff()
    assert shown["before_header"] == shown["after_header"] == "compose.yaml"
    assert "shop:1" in shown["before"]
    assert "shop:2" in shown["after"]
    assert "hunter2" not in shown["before"] + shown["after"]
    assert "correct horse" not in shown["before"] + shown["after"]


def test_who_deployed_is_remembered(there: SimulatedHost, work: ReleaseWork) -> None:
    work.present(PRESENT)
    assert '"who": "ana"' in Path(Releases(there.paths).file(1, "release.json")).read_text("utf-8")


# refused


def test_what_compose_refuses_is_not_taken(there: SimulatedHost, work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    there.engine.compose_answer = (15, "", "services.app.volumes.0 type is required\n")
    with pytest.raises(LoadBalancingError) as caught:
        work.present(inputs(version="2"))
    assert str(caught.value) == (
        "docker compose config --quiet failed (15).\nservices.app.volumes.0 type is required"
    )
    assert Releases(there.paths).numbers() == [1]


def test_what_nginx_refuses_is_not_taken(
    there: SimulatedHost, work: ReleaseWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(work, PRESENT)
    there.engine.on_exec = lambda command: (1, b"nginx: [emerg] host not found\n")
    with pytest.raises(LoadBalancingError, match=r"nginx rejects the configuration, nothing was"):
        work.present(inputs(version="2"))
    assert Releases(there.paths).numbers() == [1]
    assert Releases(there.paths).current() == 1


def test_without_the_lock_nothing_is_written(there: SimulatedHost, work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    other = ReleaseWork(there.paths, "another", dry=False)
    with pytest.raises(LoadBalancingError, match="This run lost the lock of the stack shop"):
        other.present(inputs(version="2"))
    for token in ("another", None):
        with pytest.raises(LoadBalancingError, match="This run lost the lock of the stack shop"):
            ReleaseWork(there.paths, token, dry=False).scaled(5)
    assert Releases(there.paths).numbers() == [1]


@pytest.mark.parametrize("state", ["scaled", "previous", "deployed", "restored"])
def test_what_was_never_deployed_cannot_be_changed(there: SimulatedHost, state: str) -> None:
    arguments = [5] if state == "scaled" else []
    with pytest.raises(LoadBalancingError) as caught:
        getattr(dry(there), state)(*arguments)
    assert str(caught.value) == (
        f"There is no stack shop in {there.paths.root}. "
        "Run the playbook deploy first, or correct stack_name."
    )


# check mode


def test_check_mode_on_a_virgin_host_writes_nothing(there: SimulatedHost, tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path / "virgin"))
    change = ReleaseWork(paths, None, dry=True).present(PRESENT)
    assert (change.number, change.changed, change.pre_deploy) == (1, True, True)
    assert [one["before_header"] for one in change.diff()] == ["compose.yaml", "nginx.conf"]
    assert not (tmp_path / "virgin").exists()
    assert there.engine.calls == []


def test_check_mode_tells_what_would_change(there: SimulatedHost, work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    assert not dry(there).present(PRESENT).changed
    change = dry(there).present(inputs(version="2"))
    assert (change.number, change.changed, change.pre_deploy) == (2, True, True)
    assert dry(there).scaled(9).changed
    assert not dry(there).deployed().changed
    assert Releases(there.paths).numbers() == [1]


# scaling


def test_scaling_changes_the_number_alone(work: ReleaseWork) -> None:
    first = deploy(work, PRESENT)
    change = work.scaled(5)
    assert (change.number, change.changed, change.pre_deploy) == (2, True, False)
    assert change.release.stack == dataclasses.replace(first.release.stack, count=5)
    assert not work.scaled(5).changed


def test_a_deploy_after_a_scale_of_the_same_number_changes_nothing(work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    assert not work.scaled(3).changed
    work.scaled(5)
    work.deployed()
    assert not work.present(inputs(replicas=5)).changed


# going back


def test_a_rollback_takes_other_replicas_in_todays_number(work: ReleaseWork) -> None:
    first = deploy(work, PRESENT)
    deploy(work, inputs(version="2"))
    work.scaled(7)
    work.deployed()
    change = work.previous()
    assert (change.number, change.changed, change.pre_deploy) == (4, True, True)
    assert change.release.stack == dataclasses.replace(first.release.stack, count=7)


def test_without_an_earlier_version_there_is_no_rollback(work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    work.scaled(7)
    work.deployed()
    with pytest.raises(LoadBalancingError) as caught:
        work.previous()
    assert str(caught.value) == (
        "The stack shop has no earlier release to go back to: all that are kept run shop:1. "
        "Deploy the version that you want with app_version."
    )


def test_after_a_failure_the_last_good_one_is_put_back(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    deploy(work, PRESENT)
    work.present(inputs(version="2"))
    assert dry(there).restored().number == 1
    assert Releases(there.paths).current() == 2, "check mode changes nothing"
    change = work.restored()
    assert (change.number, change.changed, change.release.stack.version) == (1, True, "1")
    assert (Releases(there.paths).current(), Releases(there.paths).status(2)) == (1, FAILED)
    again = work.restored()
    assert (again.number, again.changed) == (1, False)


def test_after_a_first_deploy_that_failed_there_is_nothing_to_put_back(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    work.present(PRESENT)
    change = work.restored()
    assert (change.number, change.changed) == (1, False)
    assert Releases(there.paths).status(1) == PENDING


def test_a_damaged_last_release_does_not_stop_a_deploy(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    deploy(work, PRESENT)
    for name in ("project.json", "stack.json", "nginx.conf"):
        Path(Releases(there.paths).file(1, name)).write_bytes(b"\xff\x00")
    change = work.present(PRESENT)
    assert (change.number, change.changed, change.pre_deploy) == (2, True, True)
    work.deployed()
    assert Releases(there.paths).status(2) == DEPLOYED


# keeping house


def test_a_deployed_release_is_marked_once(there: SimulatedHost, work: ReleaseWork) -> None:
    deploy(work, PRESENT)
    assert Releases(there.paths).status(1) == DEPLOYED
    record = Releases(there.paths).file(1, "release.json")
    before = os.stat(record).st_mtime_ns
    work.deployed()
    assert os.stat(record).st_mtime_ns == before


def test_secrets_stay_as_long_as_a_release_can_use_them(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    for number in range(1, 6):
        deploy(work, inputs(version=str(number), secret=f"secret {number}"))
    assert len(secrets(there)) == 6, "five of api_key, one of salt"
    deploy(work, inputs(version="6", secret="secret 6"))
    assert len(secrets(there)) == 6, "the first one went with its release"
    used = Releases(there.paths).read(2).secret_files.values()
    assert all(Path(there.paths.root, path).exists() for path in used)


def test_images_of_removed_releases_go(there: SimulatedHost, work: ReleaseWork) -> None:
    there.engine.images = {f"shop:{number}": f"sha256:{number}" for number in range(1, 8)}
    for number in range(1, 8):
        deploy(work, inputs(version=str(number)))
    assert sorted(there.engine.images) == [f"shop:{number}" for number in range(3, 8)]


def test_an_image_that_cannot_be_removed_stops_nothing(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    there.engine.failing["remove_image"] = docker.errors.APIError("conflict: being used")
    for number in range(1, 8):
        deploy(work, inputs(version=str(number)))
    assert Releases(there.paths).numbers() == [3, 4, 5, 6, 7]


def test_a_damaged_old_release_does_not_stop_a_deploy(
    there: SimulatedHost, work: ReleaseWork
) -> None:
    deploy(work, PRESENT)
    deploy(work, inputs(version="2"))
    Path(Releases(there.paths).file(1, "project.json")).write_text("{", encoding="utf-8")
    deploy(work, inputs(version="3", secret="new"))
    assert Releases(there.paths).status(3) == DEPLOYED
    used = Releases(there.paths).read(2).secret_files.values()
    assert all(Path(there.paths.root, path).exists() for path in used)
