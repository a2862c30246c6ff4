# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules of the role docker_engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_install,
    engine_service,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.modules import (
    docker_engine_config,
    docker_engine_info,
    docker_engine_packages,
    docker_engine_service,
)
from tests.unit.fakes.engine_host import EngineHost
from tests.unit.fakes.modules import fail, run, warnings_of

ALL = ["engine", "client", "compose", "buildx", "sdk", "busybox", "logrotate"]


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    """A virgin host."""
    there = EngineHost(tmp_path, monkeypatch)
    yield there
    there.engine.close()


# docker_engine_info


@pytest.mark.parametrize("check", [True, False])
def test_a_virgin_host_lacks_everything(there: EngineHost, check: bool) -> None:
    found = run(docker_engine_info, check)
    assert (found["changed"], found["missing"], found["family"]) == (False, ALL, "none")
    assert (found["running"], found["flags"]) == (False, [])


def test_what_a_host_has(there: EngineHost) -> None:
    there.have_docker()
    there.run_engine("--debug", ServerVersion="26.1.5+dfsg1", LiveRestoreEnabled=True)
    found = run(docker_engine_info)
    assert (found["missing"], found["engine"], found["flags"]) == ([], "26.1.5+dfsg1", ["debug"])
    assert (found["live_restore"], found["enabled"]) == (True, True)


def test_an_old_engine_is_told_and_left_alone(there: EngineHost) -> None:
    there.run_engine(ServerVersion="19.03.1")
    assert fail(docker_engine_info) == (
        "docker engine: 19.03.1 is not allowed: at least 20.10. Upgrade the engine of this host; "
        "an engine that is there is never replaced."
    )


def test_an_interpreter_that_does_not_find_the_sdk(there: EngineHost) -> None:
    there.write("/usr/lib/python3/dist-packages/docker/__init__.py")
    assert fail(docker_engine_info).startswith("ansible_python_interpreter: ")


# docker_engine_packages


@pytest.fixture(name="installed")
def installed_fixture(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """How the installation was asked for."""
    calls: list[tuple[Any, ...]] = []

    def install(*arguments: Any) -> engine_install.Installed:
        calls.append(arguments)
        return engine_install.Installed("docker", ("docker-ce", "x"), {"/etc/apt/a": "Types: deb"})

    monkeypatch.setattr(engine_install, "install", install)
    return calls


def test_nothing_is_installed_where_nothing_is_missing(installed: list[Any]) -> None:
    done = run(docker_engine_packages, missing=[])
    assert (done["changed"], done["source"], done["packages"], done["files"]) == (False, "", [], [])
    assert installed == []


@pytest.mark.parametrize("check", [True, False])
def test_what_is_missing_is_installed(installed: list[Any], check: bool) -> None:
    done = run(docker_engine_packages, check, missing=["compose"], family="other", source="docker")
    assert installed == [(["compose"], "other", "docker", check, 5)]
    assert (done["changed"], done["source"]) == (True, "docker")
    assert (done["packages"], done["files"]) == (["docker-ce", "x"], ["/etc/apt/a"])
    assert [part["after"] for part in done["diff"]] == ["Types: deb", "docker-ce\nx\n"]


def test_what_must_not_be_installed_is_told() -> None:
    assert fail(docker_engine_packages, missing=["sdk"], source="none") == (
        "docker_engine_source: none is not possible here: sdk is missing on the host. Install it, "
        "or set docker_engine_source=auto."
    )
    said = fail(docker_engine_packages, missing=["sdk"], source="web")
    assert said == "value of source must be one of: auto, docker, distribution, none, got: web"


# docker_engine_config


@pytest.fixture(name="file")
def file_fixture(there: EngineHost, tmp_path: Path) -> Path:
    """The path of the engine's settings; the file is not there."""
    return tmp_path / "etc" / "daemon.json"


def settings(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def test_check_mode_writes_no_settings(file: Path) -> None:
    planned = run(docker_engine_config, check=True, path=str(file))
    assert not file.parent.exists()
    done = run(docker_engine_config, path=str(file))
    assert (planned["changed"], planned["settings"]) == (True, done["settings"])
    assert planned["diff"] == done["diff"]
    assert done["diff"]["after"] == file.read_text(encoding="utf-8")
    assert settings(file) == {
        "live-restore": True,
        "log-opts": {"max-size": "10m", "max-file": "3"},
    }
    again = run(docker_engine_config, path=str(file))
    assert (again["changed"], again["settings"]) == (False, done["settings"])
    assert "backup" not in done
    assert [path.name for path in file.parent.iterdir()] == ["daemon.json"]


def test_the_owners_settings_stay_and_the_file_is_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"dns": ["192.0.2.1"]}', encoding="utf-8")
    options = {"path": str(file), "log_max_size": "1g", "log_max_file": 9, "live_restore": False}
    done = run(docker_engine_config, **options)
    options = {"max-size": "1g", "max-file": "9"}
    assert settings(file) == {"dns": ["192.0.2.1"], "log-opts": options}
    assert Path(done["backup"]).read_text(encoding="utf-8") == '{"dns": ["192.0.2.1"]}'


def test_flags_and_a_swarm_are_heeded(file: Path) -> None:
    done = run(docker_engine_config, path=str(file), flags=["log-opt"], swarm=True)
    assert (done["changed"], done["settings"], file.exists()) == (False, {}, False)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"log_max_size": "big"},
            "docker_engine_log_max_size: 'big' is not allowed: a number and k, m or g, such as "
            "10m. Set the variable docker_engine_log_max_size.",
        ),
        (
            {"log_max_file": 0},
            "docker_engine_log_max_file: 0 is not allowed: at least 1. Set the variable "
            "docker_engine_log_max_file.",
        ),
    ],
)
def test_wrong_log_options_are_told(file: Path, options: dict[str, Any], text: str) -> None:
    assert fail(docker_engine_config, path=str(file), **options) == text
    assert not file.exists()


def test_a_file_of_another_kind_is_left_as_it_is(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("log-driver: json-file\n", encoding="utf-8")
    said = fail(docker_engine_config, path=str(file))
    assert said.startswith(f"{file}: its content is not allowed: a JSON object (")
    assert file.read_text(encoding="utf-8") == "log-driver: json-file\n"


def test_an_engine_that_rejects_the_settings(file: Path, there: EngineHost) -> None:
    there.programs.have("dockerd", "echo 'unable to configure: no such option'; exit 1")
    assert fail(docker_engine_config, path=str(file)) == (
        "daemon.json: the engine rejects it: dockerd --validate failed (1).\n"
        "unable to configure: no such option"
    )
    assert list(file.parent.iterdir()) == []


# docker_engine_service


def test_the_engine_is_started_and_enabled_once(
    there: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.run_systemd(enabled=False)
    planned = run(docker_engine_service, check=True)
    assert there.programs.calls() == ["systemctl is-enabled docker.service"]
    monkeypatch.setattr(engine_service, "start", lambda init, _timeout: init)
    done = run(docker_engine_service)
    assert (planned["changed"], planned["method"]) == (True, "")
    assert (done["changed"], done["method"]) == (True, "systemd")
    assert (
        planned["diff"]
        == done["diff"]
        == {
            "before": "running: false\nstarts with the host: false\n",
            "after": "running: true\nstarts with the host: true\n",
        }
    )
    assert there.programs.calls()[-1] == "systemctl enable docker.service"


def test_a_running_engine_is_left_alone(there: EngineHost) -> None:
    there.run_engine(ServerVersion="26.1.5")
    done = run(docker_engine_service)
    assert (done["changed"], done["method"]) == (False, "")
    assert done["diff"]["before"] == done["diff"]["after"]
    assert there.programs.calls() == []


def test_a_host_that_starts_nothing_is_warned_of(
    there: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings = warnings_of(monkeypatch)
    monkeypatch.setattr(engine_service, "start", lambda *_unused: "direct")
    done = run(docker_engine_service, timeout=3)
    assert (done["changed"], done["method"]) == (True, "direct")
    assert warnings == [
        "nothing starts services on this host: start the engine after each boot by running this "
        "again"
    ]


def test_an_engine_that_does_not_start_is_told(
    there: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_init: str, timeout: float) -> str:
        raise LoadBalancingError(f"not within {timeout} s")

    monkeypatch.setattr(engine_service, "start", start)
    assert fail(docker_engine_service, timeout=3) == "not within 3 s"
