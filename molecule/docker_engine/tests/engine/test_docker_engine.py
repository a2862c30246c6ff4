# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves on a host that had settings for an engine, but none; that it kept its word."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host as There

from tests.hosts.deployed import results
from tests.hosts.host import Host
from tests.hosts.runs import Run, read

INSTALL = "docker_engine : Install what is missing"


@pytest.fixture(name="runs", scope="module")
def runs_fixture() -> list[Run]:
    """The check, the run that brought the engine, and the one that had nothing to do."""
    return read(results().parent / "docker_engine.log", "Provide an engine")[-3:]


def test_what_was_said_was_done_and_then_nothing(host: There, runs: list[Run]) -> None:
    name = host.backend.get_hostname()
    checked, first, second = (run.changed(name) for run in runs)
    # A package that starts the engine itself leaves nothing to start.
    assert checked[:2] == first[:2]
    assert set(first) <= set(checked)
    assert second == []
    assert runs[0].added(name, INSTALL) == runs[1].added(name, INSTALL)


def test_what_was_said_is_installed(host: There, runs: list[Run]) -> None:
    said = runs[0].added(host.backend.get_hostname(), INSTALL)
    packages = [line for line in said if line and ":" not in line]
    assert len(packages) > 3
    assert all(host.package(name).is_installed for name in packages)


def test_the_owners_settings_are_kept_and_ours_added(host: There) -> None:
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == {
        "dns": ["192.0.2.53"],
        "live-restore": True,
        "log-opts": {"max-size": "50m", "max-file": "3"},
    }
    assert json.loads(host.check_output("docker info --format=json"))["LiveRestoreEnabled"] is True


def test_it_is_a_whole_engine_and_comes_back_with_the_host(host: There) -> None:
    service = host.service("docker")
    assert service.is_running
    assert service.is_enabled
    version = host.check_output("docker compose version --short").split(".")
    assert (int(version[0]), int(version[1])) >= (2, 20)
    host.check_output("docker buildx version")
    host.check_output(
        "/usr/bin/python3 -c %s", "import docker; docker.from_env(version='auto').ping()"
    )
    host.check_output("/bin/busybox wget --help")


def test_the_c_library_is_the_same_file_as_before(host: There) -> None:
    """Debian 12 gets its engine from Debian 13, and nothing else."""
    name = host.backend.get_hostname()
    noted = json.loads((results() / f"tree-{name}.json").read_text(encoding="utf-8"))
    before = {path: said for path, said in noted.items() if path.endswith("/libc.so.6")}
    now = Host(name).tree()
    assert before
    assert {path: now[path] for path in before} == before
