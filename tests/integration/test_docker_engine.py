# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role docker_engine on fresh hosts: check, converge, nothing to do, what was there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import Host, running
from tests.hosts.playbook import Run, run_roles

pytestmark = pytest.mark.hosts
LIBC = ["dpkg-query", "-W", "-f", "${Version}", "libc6"]
DAEMON_JSON = "/etc/docker/daemon.json"
OWN_SETTINGS = {"dns": ["192.0.2.53"], "log-opts": {"max-size": "50m"}}


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    with running(request.param) as fresh:
        yield fresh


def converge(host: Host, folder: Path, check: bool = False) -> Run:
    return run_roles(host, ["docker_engine"], folder, check=check)


def test_check_then_converge_then_nothing_to_do(host: Host, tmp_path: Path) -> None:
    before, libc = host.tree(), host.run(*LIBC)
    checked = converge(host, tmp_path, check=True)
    assert checked.status == 0, checked.output
    assert checked.changed == 3, checked.output
    assert "docker-compose" in checked.output
    assert host.tree() == before

    # A file that the owner has written before there was an engine.
    host.write(DAEMON_JSON, json.dumps(OWN_SETTINGS))
    first = converge(host, tmp_path)
    assert first.status == 0, first.output
    assert json.loads(host.run("cat", DAEMON_JSON)) == {
        "dns": ["192.0.2.53"],
        "live-restore": True,
        "log-opts": {"max-size": "50m", "max-file": "3"},
    }
    assert host.run(*LIBC) == libc
    info = json.loads(host.run("docker", "info", "--format", "{{json .}}"))
    assert info["LiveRestoreEnabled"] is True
    assert tuple(map(int, host.run("docker", "compose", "version", "--short").split(".")[:2])) >= (
        2,
        20,
    )
    assert host.run("systemctl", "is-enabled", "docker") == "enabled"
    host.run("docker", "buildx", "version")
    host.run("/usr/bin/python3", "-c", "import docker; docker.from_env(version='auto').ping()")
    host.run("/bin/busybox", "wget", "--help")

    second = converge(host, tmp_path)
    assert (second.status, second.changed) == (0, 0), second.output


def test_a_stopped_engine_is_started_and_a_dropped_setting_is_put_back(
    host: Host, tmp_path: Path
) -> None:
    pid = host.run("cat", "/run/docker.pid")
    host.write(DAEMON_JSON, json.dumps({"log-driver": "journald"}))
    host.run("systemctl", "reload", "docker")
    merged = converge(host, tmp_path)
    assert (merged.status, merged.changed) == (0, 1), merged.output
    assert json.loads(host.run("cat", DAEMON_JSON)) == {
        "log-driver": "journald",
        "live-restore": True,
    }
    # Read by the running engine, which was not restarted for it.
    assert host.run("docker", "info", "--format", "{{.LiveRestoreEnabled}}") == "true"
    assert host.run("cat", "/run/docker.pid") == pid

    host.run("systemctl", "stop", "docker.socket", "docker.service")
    started = converge(host, tmp_path)
    assert (started.status, started.changed) == (0, 1), started.output
    assert host.run("docker", "info", "--format", "{{.ServerVersion}}")


def test_a_broken_file_is_told_and_left_alone(host: Host, tmp_path: Path) -> None:
    host.write(DAEMON_JSON, "{broken")
    run = converge(host, tmp_path)
    assert run.status != 0
    assert f"{DAEMON_JSON}: its content is not allowed: a JSON object" in run.output
    assert host.run("cat", DAEMON_JSON) == "{broken"


def test_a_host_without_systemd_gets_a_running_engine(tmp_path: Path) -> None:
    with running("trixie", systemd=False) as host:
        # Pid files of an earlier run, naming a process that is something else now.
        for path in ("/run/docker.pid", "/run/docker/containerd/containerd.pid"):
            host.write(path, "1")
        first = converge(host, tmp_path)
        assert first.status == 0, first.output
        assert host.run("docker", "info", "--format", "{{.LiveRestoreEnabled}}") == "true"
        second = converge(host, tmp_path)
        assert (second.status, second.changed) == (0, 0), second.output
