# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules load_info and load_baseline, and the role that uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import Limits
from ansible_collections.digiz.load_balancing.plugins.modules import load_baseline, load_info
from tests.unit.fakes.modules import Face
from tests.unit.fakes.watched import FakeKeeper, deployed, fake_keeper, hostile, loaded, status
from tools import docs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="keeper")
def keeper_fixture() -> Iterator[FakeKeeper]:
    with fake_keeper() as keeper:
        yield keeper


@pytest.fixture(name="paths")
def paths_fixture(keeper: FakeKeeper, tmp_path: Path) -> StackPaths:
    return deployed(tmp_path, keeper.port)


@pytest.fixture(name="info")
def info_fixture(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> Face:
    return Face(load_info, cast(Any, SimpleNamespace(paths=paths)), monkeypatch)


@pytest.fixture(name="baseline")
def baseline_fixture(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> Face:
    return Face(load_baseline, cast(Any, SimpleNamespace(paths=paths)), monkeypatch)


@pytest.mark.parametrize("check", [False, True])
def test_a_stack_that_is_well(info: Face, check: bool) -> None:
    result = info.run(check=check)
    assert not result["changed"]
    assert (result["ok"], result["broken"], result["baseline"]) == (True, [], None)
    assert result["msg"] == "shop: no limit is broken"
    assert result["report"][0] == "shop is ok: 2 of 2 replicas are healthy"
    assert "No limit is broken" in result["report"]
    assert result["load"]["response_p95"] == 0.25


def test_what_is_told_is_documented(info: Face, baseline: Face) -> None:
    baseline.run()
    documented = yaml.safe_load(load_info.RETURN)
    result = info.run(limits={"p95_seconds": 0.01})
    assert documented.keys() == result.keys() - {"changed", "invocation"}
    for key in ("baseline", "load"):
        assert documented[key]["contains"].keys() == result[key].keys()
    for key in ("broken", "replicas", "changes", "deploys"):
        assert documented[key]["contains"].keys() == result[key][0].keys()
    options = yaml.safe_load(load_info.DOCUMENTATION)["options"]["limits"]["suboptions"]
    assert options.keys() == result["limits"].keys()


def test_limits_are_those_of_the_alerts() -> None:
    """The same defaults in the core, in the module, in the role, and for the playbooks."""
    front, role = docs.options(docs.FRONT), docs.options("watch")["watch_limits"]["options"]
    module = yaml.safe_load(load_info.DOCUMENTATION)["options"]["limits"]["suboptions"]
    expected = asdict(Limits())
    assert {name: front[f"alert_{name}"]["default"] for name in expected} == expected
    for told in (role, module):
        assert {name: one["default"] for name, one in told.items()} == expected


def test_a_limit_that_is_broken_is_told(info: Face, keeper: FakeKeeper) -> None:
    keeper.pages["/status.json"] = loaded(cpu_percent=71.0)
    result = info.run(limits={"cpu_percent": 70})
    assert [one["text"] for one in result["broken"]] == [
        "the use of CPU is 71 %, the limit is 70 % (alert_cpu_percent)"
    ]
    assert result["msg"] == f"shop: {result['broken'][0]['text']}"
    assert result["limits"]["p95_seconds"] == 2.0


def test_a_keeper_that_does_not_answer_is_told(info: Face, keeper: FakeKeeper) -> None:
    keeper.answers["/status.json"] = 503
    result = info.run()
    assert not result["ok"]
    assert [one["what"] for one in result["broken"]] == ["keeper"]
    assert result["report"][0] == "Limits that are broken"
    assert "digiz-keeper-shop" in result["report"][1]
    always = yaml.safe_load(load_info.RETURN)
    expected = {key for key, one in always.items() if one["returned"] == "success"}
    assert expected == result.keys() - {"changed", "invocation"}


def test_what_is_refused(info: Face, baseline: Face, paths: StackPaths) -> None:
    assert info.fail(limits={"cpu_percent": 0}) == (
        "alert_cpu_percent: 0.0 is not allowed: a number from 1 to 1000. "
        "Set the variable alert_cpu_percent."
    )
    Path(paths.release, "stack.json").unlink()
    for face in (info, baseline):
        assert face.fail().startswith(f"There is no stack shop in {paths.root}. ")


def test_hostile_texts_do_not_reach_the_terminal(info: Face, keeper: FakeKeeper) -> None:
    keeper.pages["/status.json"] = hostile()
    result = info.run()
    assert all(line.isprintable() for line in (result["msg"], *result["report"]))


def test_a_baseline_is_kept_and_compared(info: Face, baseline: Face, keeper: FakeKeeper) -> None:
    first = baseline.run()
    assert first["changed"]
    assert first["msg"] == "The baseline of 2026-11-18T11:06:40Z is kept, of 600 requests."
    assert first["diff"]["before"] == {}
    keeper.pages["/status.json"] = loaded(response_p95=0.5)
    result = info.run()
    assert result["baseline"] == first["baseline"] == first["diff"]["after"]
    assert result["report"][-2:] == [
        "Baseline of 2026-11-18T11:06:40Z: version 2, 2 replicas, 600 requests",
        "  response time p95: 0.25 s → 0.5 s, worse",
    ]
    second = baseline.run()
    assert second["diff"]["before"] == first["baseline"]
    assert info.run()["report"][-1] == "  nothing is worse, nothing is better"


def test_a_baseline_is_dropped(baseline: Face, paths: StackPaths) -> None:
    file = Path(paths.state, "baseline.json")
    assert not baseline.run(state="absent")["changed"]
    baseline.run()
    assert baseline.run(check=True, state="absent")["changed"]
    assert file.exists()
    dropped = baseline.run(state="absent")
    assert (dropped["changed"], dropped["baseline"]) == (True, None)
    assert dropped["msg"] == "No baseline is kept."
    assert not file.exists()


def test_a_damaged_baseline_is_dropped_or_replaced(baseline: Face, paths: StackPaths) -> None:
    file = Path(paths.state, "baseline.json")
    file.write_text("{", encoding="utf-8")
    assert baseline.run(state="absent")["changed"]
    file.write_text("{", encoding="utf-8")
    assert baseline.run()["changed"]
    assert json.loads(file.read_text(encoding="utf-8"))["stack"] == "shop"


def test_check_mode_keeps_nothing(baseline: Face, paths: StackPaths) -> None:
    result = baseline.run(check=True)
    assert result["changed"]
    assert result["diff"]["after"]["requests"] == 600
    assert os.listdir(paths.state) == []


def test_nothing_is_kept_without_a_keeper(
    baseline: Face, keeper: FakeKeeper, paths: StackPaths
) -> None:
    baseline.run()
    keeper.answers["/status.json"] = 503
    assert "has just started" in baseline.fail()
    assert os.listdir(paths.state) == ["baseline.json"]


# The playbook, with modules that look into another folder than /opt


@pytest.fixture(name="checkout")
def checkout_fixture(paths: StackPaths, tmp_path: Path) -> Path:
    """A copy of the collection whose stacks lie in the test's own folder."""
    there = tmp_path / "collections/ansible_collections/digiz/load_balancing"
    there.mkdir(parents=True)
    for name in ("meta", "playbooks", "roles", "galaxy.yml"):
        (there / name).symlink_to(ROOT / name)
    utils = there / "plugins/module_utils"
    utils.mkdir(parents=True)
    for path in (ROOT / "plugins").iterdir():
        if path.name != "module_utils":
            (there / "plugins" / path.name).symlink_to(path)
    for path in (ROOT / "plugins/module_utils").glob("*.py"):
        if path.name != "files.py":
            (utils / path.name).symlink_to(path)
    text = (ROOT / "plugins/module_utils/files.py").read_text(encoding="utf-8")
    changed = text.replace('BASE_DIRECTORY = "/opt"', f'BASE_DIRECTORY = "{paths.base}"')
    assert changed != text
    (utils / "files.py").write_text(changed, encoding="utf-8")
    (tmp_path / "collections/ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    return tmp_path / "collections"


def monitor(checkout: Path, *words: str) -> tuple[int, str]:
    """Run the playbook; gives its exit status and its output on one line."""
    program = Path(sys.executable).parent / "ansible-playbook"
    local = ["-i", "localhost,", "-c", "local", "-e", "stack_name=shop"]
    python = ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        [str(program), "digiz.load_balancing.monitor", *local, *python, *words],
        cwd=checkout,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(checkout),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_the_playbook(checkout: Path, keeper: FakeKeeper, paths: StackPaths) -> None:
    state, output = monitor(checkout, "-e", "baseline=save")
    assert state == 0, output
    assert "No limit is broken" in output
    assert os.listdir(paths.state) == ["baseline.json"]
    keeper.pages["/status.json"] = loaded(response_p95=2.5)
    state, output = monitor(checkout)
    assert state == 2
    assert "response time p95: 0.25 s → 2.5 s, worse" in output
    limit = "the response time p95 is 2.5 s, the limit is 2 s (alert_p95_seconds)"
    assert output.count(limit) >= 2  # in the report, and as the failure
    state, output = monitor(checkout, "-e", "alert_p95_seconds=3", "-e", "baseline=drop")
    assert state == 0, output
    assert os.listdir(paths.state) == []
    keeper.pages["/status.json"] = status(state="down", text="no replica is healthy")
    state, output = monitor(checkout, "--check")
    assert state == 2
    assert "the state is down, not ok: no replica is healthy" in output
