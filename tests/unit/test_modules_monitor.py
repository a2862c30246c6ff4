# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules monitor and monitor_packages, and what the role hands to them."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    monitor_packages as packages_core,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import resolve
from ansible_collections.digiz.load_balancing.plugins.modules import monitor, monitor_packages
from tests.unit.fakes.modules import TELLS_OPTIONS, Face
from tests.unit.fakes.monitor_host import MonitorHost

ROOT = Path(__file__).resolve().parent.parent.parent
SPECS = yaml.safe_load((ROOT / "roles/settings/meta/argument_specs.yml").read_text())
OPTIONS = SPECS["argument_specs"]["deploy"]["options"]
HOOK = "https://example.com/hooks/T0P-53CR3T"


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MonitorHost]:
    """A host with systemd and without a monitor."""
    there = MonitorHost(tmp_path, "systemd", monkeypatch)
    yield there
    there.close()


@pytest.fixture(name="watch")
def watch_fixture(there: MonitorHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module monitor."""
    return Face(monitor, there, monkeypatch)  # type: ignore[arg-type]


def settings(there: MonitorHost, **others: Any) -> dict[str, Any]:
    """What the role settings makes of an operator's variables."""
    given = {
        "stack_name": "shop",
        "monitoring": "true",
        "monitor_prometheus_port": there.spec.prometheus_port,
        "monitor_alertmanager_port": there.spec.alertmanager_port,
        **others,
    }
    return dict(resolve("deploy", OPTIONS, given)["monitor"])


def without_text(result: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("changed", "diff")}


def test_a_monitor_comes_stays_and_goes(there: MonitorHost, watch: Face) -> None:
    options: dict[str, Any] = {"settings": settings(there), "webhook_urls": HOOK}
    options.update(TELLS_OPTIONS)
    planned = watch.run(check=True, **options)
    assert not any(there.pids())
    done = watch.run(**options)
    assert without_text(planned) == without_text(done)
    assert done["changed"]
    assert all(there.pids())
    assert not watch.run(**options)["changed"]
    gone = watch.run(state="absent")
    assert (gone["changed"], gone["text"]) == (True, "removed")
    assert not watch.run(state="absent")["changed"]
    assert "T0P-53CR3T" not in json.dumps([planned, done, gone])


def test_settings_are_needed(watch: Face) -> None:
    assert watch.fail() == "state is present but all of the following are missing: settings"


def test_settings_of_nothing_are_refused(watch: Face) -> None:
    assert watch.fail(settings={}).startswith("monitor_settings: no monitor can be made of it")


def test_a_bad_url_is_told_without_it(there: MonitorHost, watch: Face) -> None:
    said = watch.fail(settings=settings(there), webhook_urls=["T0P-53CR3T"])
    assert said == (
        "monitor_webhook_urls: this value is not allowed: a list of URLs http://… or https://…. "
        "Set the variable monitor_webhook_urls."
    )


# monitor_packages


def run_packages(capsys: pytest.CaptureFixture[str], check: bool = False) -> dict[str, Any]:
    with patch_module_args({"_ansible_check_mode": check}), pytest.raises(SystemExit):
        runpy.run_path(str(monitor_packages.__file__), run_name="__main__")
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(name="installed")
def installed_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was installed; at first something is missing."""
    installed: list[str] = []
    monkeypatch.setattr(
        packages_core, "missing", lambda: [] if installed else ["prometheus-alertmanager"]
    )
    monkeypatch.setattr(packages_core, "install", installed.extend)
    return installed


def test_packages_are_installed_once(
    installed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    planned = run_packages(capsys, check=True)
    assert installed == []
    done = run_packages(capsys)
    assert installed == ["prometheus-alertmanager"]
    for result in (planned, done):
        assert result["changed"]
        assert result["packages"] == ["prometheus-alertmanager"]
        assert result["diff"]["after"] == "prometheus-alertmanager\n"
    again = run_packages(capsys)
    assert (again["changed"], again["packages"]) == (False, [])


def test_a_failure_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_unused: object) -> None:
        raise LoadBalancingError("no network today")

    monkeypatch.setattr(packages_core, "missing", fails)
    result = run_packages(capsys)
    assert (result["failed"], result["msg"]) == (True, "no network today")
