# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module traffic_info, and the names of replicas in its report."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils import traffic_report
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.modules import traffic_info
from tests.unit.fakes.modules import Face
from tests.unit.fakes.traffic import BEGIN, MEMBERS, REPLICAS, Traffic, line


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    """A stack whose log has 500 requests, one minute ago at most."""
    paths = StackPaths("shop", str(tmp_path))
    Path(paths.logs).mkdir(parents=True)
    log = b"\n".join(Traffic().lines(500, damaged=0.02)) + b"\n"
    Path(paths.logs, "access.log").write_bytes(log)
    generation = Path(paths.nginx, "4")
    generation.mkdir(parents=True)
    (generation / "members.json").write_text(json.dumps(MEMBERS), encoding="utf-8")
    monkeypatch.setattr(traffic_report, "time", SimpleNamespace(time=lambda: BEGIN + 60.0))
    return paths


@pytest.fixture(name="face")
def face_fixture(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> Face:
    return Face(traffic_info, cast(Any, SimpleNamespace(paths=paths)), monkeypatch)


@pytest.mark.parametrize("check", [False, True])
def test_a_report(face: Face, check: bool) -> None:
    result = face.run(check=check, since="15m", top=3)
    assert not result["changed"]
    assert (result["stack"], result["requests"]) == ("shop", 500)
    assert result["msg"].startswith("500 requests in 1 min, ")
    assert result["report"][0] == (
        "Traffic of shop from 2026-11-29T15:00:00Z to 2026-11-29T15:01:00Z (1 min)"
    )
    assert [one["name"] for one in result["replicas"]] == sorted(REPLICAS.values())
    assert [len(result[rows]) for rows in ("paths", "clients", "slowest")] == [3, 3, 3]
    assert {one["replica"] for one in result["slowest"]} <= {"", *REPLICAS.values()}
    assert result["log"]["damaged"] > 0
    assert result["log"]["lines"] == 500 + result["log"]["damaged"]


def test_what_is_told_is_documented(face: Face) -> None:
    documented = yaml.safe_load(traffic_info.RETURN)
    result = face.run()
    assert documented.keys() == result.keys() - {"changed", "invocation"}
    for key in ("times", "log", "other_paths"):
        assert documented[key]["contains"].keys() == result[key].keys()
    for key in ("replicas", "slowest"):
        assert documented[key]["contains"].keys() == result[key][0].keys()
    common = result["replicas"][0].keys() - {"name", "share_percent", "first_byte"}
    assert result["paths"][0].keys() == common | {"path"}
    assert result["clients"][0].keys() == (common | {"client"}) - {"times"}
    assert documented["statuses"]["sample"].keys() == result["statuses"].keys()


def test_a_time_that_is_asked_for(face: Face) -> None:
    result = face.run(since="2026-11-29T15:00:00.500Z", until="2026-11-29T15:00:01Z")
    assert 0 < result["requests"] < 500
    assert (result["since"], result["seconds"]) == ("2026-11-29T15:00:00Z", 0.5)


def test_the_rate_is_that_of_the_time_that_the_log_has(face: Face, paths: StackPaths) -> None:
    assert face.run(since="15m")["seconds"] == 60.0
    with Path(paths.logs, "access.log").open("ab") as handle:
        handle.write(line(-3600) + b"\n")
    result = face.run(since="15m")
    assert (result["since"], result["requests"]) == ("2026-11-29T14:46:00Z", 500)
    assert (result["seconds"], result["requests_per_second"]) == (900.0, 0.556)
    older = Path(paths.logs, "access.log.1")
    older.write_bytes(line(-7200) + b"\n")
    os.utime(older, (BEGIN - 7200, BEGIN - 7200))
    assert face.run(since="50m")["seconds"] == 3000.0
    quiet = face.run(since="10s")
    assert (quiet["requests"], quiet["seconds"], quiet["report"][1]) == (0, 10.0, "no requests")


def test_a_very_long_time(face: Face) -> None:
    assert face.run(since="999999999d", until="9999-12-31T23:59:59-23:59")["requests"] == 500
    assert face.run(since="0001-01-01")["requests"] == 500


def test_values_that_are_refused(face: Face) -> None:
    assert face.fail(since="soon") == (
        "traffic_since: 'soon' is not allowed: a time ago such as 15m, 24h or 7d, or a time such "
        "as 2026-11-29T15:00:00Z. Set the variable traffic_since."
    )
    assert face.fail(top=0).startswith("traffic_top: 0 is not allowed: ")


def test_a_stack_without_a_log(face: Face, paths: StackPaths) -> None:
    Path(paths.logs, "access.log").unlink()
    assert face.fail().startswith(f"There is no access log in {paths.logs}: ")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"members": 7}', '{"members": [7]}', '{"members": [{"name": "a"}]}']
)
def test_without_its_configuration_a_replica_is_an_address(
    face: Face, paths: StackPaths, text: str
) -> None:
    Path(paths.nginx, "4", "members.json").write_text(text, encoding="utf-8")
    assert [one["name"] for one in face.run()["replicas"]] == sorted(REPLICAS)


def test_an_address_that_another_replica_had_before(face: Face, paths: StackPaths) -> None:
    """Each generation has its own members, and one of them is gone."""
    later = Path(paths.nginx, "5")
    later.mkdir()
    members = {"members": [{"address": "172.18.0.2", "port": 8000, "name": "shop-app-9"}]}
    (later / "members.json").write_text(json.dumps(members), encoding="utf-8")
    log = [line(generation=number) for number in (3, 4, 5, 5)]
    Path(paths.logs, "access.log").write_bytes(b"\n".join(log) + b"\n")
    found = {one["name"]: one["requests"] for one in face.run()["replicas"]}
    assert found == {"172.18.0.2:8000": 1, "shop-app-2": 1, "shop-app-9": 2}
