# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is added to daemon.json, what stays, and how the file gets in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    daemon_config,
    daemon_file,
    engine_api,
    engine_service,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

ROTATION = daemon_config.LogRotation("10m", 3)
OPTIONS = {"max-size": "10m", "max-file": "3"}
FULL = {"live-restore": True, "log-opts": OPTIONS}


@pytest.mark.parametrize(
    ("settings", "merged"),
    [
        ({}, FULL),
        (FULL, FULL),
        ({"dns": ["192.0.2.1"]}, {"dns": ["192.0.2.1"], **FULL}),
        (
            {"log-driver": "json-file", "log-opts": {"max-size": "50m", "labels": "a"}},
            {
                "log-driver": "json-file",
                "live-restore": True,
                "log-opts": {"max-size": "50m", "max-file": "3", "labels": "a"},
            },
        ),
        ({"log-driver": "journald"}, {"log-driver": "journald", "live-restore": True}),
        ({"log-driver": "local"}, {"log-driver": "local", "live-restore": True}),
        ({"live-restore": False}, {**FULL}),
    ],
)
def test_settings_are_added_and_the_owners_stay(
    settings: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert daemon_config.merge(settings, ROTATION, True) == merged


def test_what_the_engine_gets_on_its_command_line_is_not_in_the_file() -> None:
    assert daemon_config.merge({}, ROTATION, True, ["live-restore"]) == {"log-opts": OPTIONS}
    assert daemon_config.merge({}, ROTATION, True, ["log-driver"]) == {"live-restore": True}


def test_a_swarm_excludes_live_restore() -> None:
    assert daemon_config.merge({}, ROTATION, True, swarm=True) == {"log-opts": OPTIONS}


def test_live_restore_can_be_left_as_it_is() -> None:
    assert daemon_config.merge({"live-restore": False}, ROTATION, False) == {
        "live-restore": False,
        "log-opts": OPTIONS,
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=6), st.booleans(), st.booleans())
def test_merging_keeps_every_key_and_is_done_once(
    settings: dict[str, Any], live: bool, swarm: bool
) -> None:
    merged = daemon_config.merge(settings, ROTATION, live, swarm=swarm)
    assert {key: merged[key] for key in settings} == settings
    assert daemon_config.merge(merged, ROTATION, live, swarm=swarm) == merged
    assert daemon_config.parse(daemon_config.render(merged), "x") == merged


@pytest.mark.parametrize("text", ["{", "[]", '"a"', "{'a': 1}"])
def test_a_file_that_is_no_object_is_told(text: str) -> None:
    with pytest.raises(LoadBalancingError, match=r"^/d.json: .* is not allowed: a JSON object"):
        daemon_config.parse(text, "/d.json")


def test_an_empty_file_has_no_settings() -> None:
    assert daemon_config.parse(" \n", "x") == {}


@pytest.mark.parametrize("size", ["10", "10mb", "0m", "-1", "1.5m", ""])
def test_a_wrong_size_is_told(size: str) -> None:
    with pytest.raises(LoadBalancingError) as error:
        daemon_config.LogRotation(size, 3)
    assert str(error.value) == (
        f"docker_engine_log_max_size: {size!r} is not allowed: a number and k, m or g, such as "
        f"10m. Set the variable docker_engine_log_max_size."
    )


class Engine:
    """An engine that reads its file on SIGHUP, or does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, obeys: bool = True) -> None:
        self.path, self.obeys, self.live = path, obeys, False
        self.reloads = 0
        monkeypatch.setattr(engine_service, "answers", lambda: True)
        monkeypatch.setattr(engine_service, "reload", self.reload)
        monkeypatch.setattr(engine_api, "get", lambda _path: self.info())
        monkeypatch.setattr(daemon_file, "validate", lambda _path: None)
        monkeypatch.setattr(daemon_file, "_CONFIRM_SECONDS", 0.3)

    def reload(self) -> None:
        self.reloads += 1
        if self.obeys:
            text = self.path.read_text() if self.path.exists() else "{}"
            self.live = json.loads(text).get("live-restore", False)

    def info(self) -> engine_api.Answer:
        return engine_api.Answer(200, {"LiveRestoreEnabled": self.live})


def test_a_running_engine_takes_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "daemon.json"
    path.write_text('{"dns": []}')
    path.chmod(0o640)
    engine = Engine(monkeypatch, path)
    backup = daemon_file.apply(str(path), '{"live-restore": true}', {}, {"live-restore": True})
    assert engine.live
    assert Path(backup).read_text() == '{"dns": []}'
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("before", [None, '{"dns": []}'])
def test_a_file_that_the_engine_does_not_take_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    path = tmp_path / "daemon.json"
    if before is not None:
        path.write_text(before)
    engine = Engine(monkeypatch, path, obeys=False)
    with pytest.raises(LoadBalancingError, match="did not take live-restore=True"):
        daemon_file.apply(str(path), '{"live-restore": true}', {}, {"live-restore": True})
    assert (path.read_text() if path.exists() else None) == before
    assert engine.reloads == 2
    assert len(list(tmp_path.iterdir())) == (1 if before else 0)


def test_a_file_that_the_engine_rejects_is_never_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "daemon.json"
    path.write_text("{}")

    def reject(_path: str) -> None:
        raise LoadBalancingError("daemon.json: the engine rejects it")

    monkeypatch.setattr(daemon_file, "validate", reject)
    with pytest.raises(LoadBalancingError, match="rejects"):
        daemon_file.replace(str(path), '{"x": 1}')
    assert [item.read_text() for item in tmp_path.iterdir()] == ["{}"]
