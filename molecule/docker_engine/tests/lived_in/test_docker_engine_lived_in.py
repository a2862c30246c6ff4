# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine that is there already: one that runs is left alone, one that is stopped is started."""

from __future__ import annotations

from testinfra.host import Host as There

from tests.hosts.deployed import results
from tests.hosts.engine import Engine
from tests.hosts.runs import read

LOG_DRIVER = {"log-driver": "journald"}
SETTINGS = (
    "docker_engine : Rotate the containers' logs and keep containers running without the engine"
)
START = "docker_engine : Start the engine, now and with the host"


def engine(moment: str, host: There) -> Engine:
    """The engine of a host as it was noted at a moment."""
    return Engine.read(results() / f"engine-{moment}-{host.backend.get_hostname()}.json")


def test_one_that_runs_gets_what_its_settings_lack_and_is_not_restarted(host: There) -> None:
    before, after = engine("before", host), engine("ran", host)
    assert before.settings == LOG_DRIVER
    assert after.settings == {**LOG_DRIVER, "live-restore": True}
    assert after.live_restore is True
    assert (after.pid, after.packages) == (before.pid, before.packages)
    assert after.container == before.container


def test_one_that_is_stopped_is_started_and_its_containers_run_on(host: There) -> None:
    before, after = engine("ran", host), engine("stopped", host)
    assert after.pid != before.pid
    assert after.container["Status"] == "running"
    assert after.container["Pid"] == before.container["Pid"]
    assert (after.settings, after.packages) == (before.settings, before.packages)


def test_no_more_than_that_was_changed(host: There) -> None:
    run = read(results().parent / "docker_engine.log", "Meet engines that are there already")[-1]
    changed = run.changed(host.backend.get_hostname())
    assert [task for task in changed if task.startswith("docker_engine : ")] == [SETTINGS, START]


def test_settings_that_are_no_json_are_told_and_left_alone(host: There) -> None:
    path = results() / f"engine-broken-{host.backend.get_hostname()}.txt"
    said = path.read_text(encoding="utf-8")
    assert "/etc/docker/daemon.json: its content is not allowed: a JSON object" in said
    assert host.file("/etc/docker/daemon.json").content_string == "{broken"
    assert host.service("docker").is_running
