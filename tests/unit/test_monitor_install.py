# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installing a monitor: it runs with what is wanted, or what was before does."""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    monitor_install,
    monitor_service,
    monitor_units,
    removal,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_install import (
    Change,
    absent,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    Email,
    Secrets,
    Thresholds,
)
from tests.unit.fakes.monitor_host import REFUSED, UNPROVEN, MonitorHost, tree

NEEDED = "start-stop-daemon"


@pytest.fixture(name="there", params=["systemd", "sysv"])
def there_fixture(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MonitorHost]:
    """A host without a monitor."""
    if request.param == "sysv" and not shutil.which(NEEDED):
        pytest.skip(f"there is no {NEEDED} here")
    real = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name: f"/usr/sbin/{name}" if name == "update-rc.d" else real(name)
    )
    there = MonitorHost(tmp_path, request.param, monkeypatch)
    yield there
    there.close()


def folder(there: MonitorHost) -> str:
    return monitor_units.folder(there.paths)


def with_targets(there: MonitorHost, *targets: str) -> None:
    there.spec = dataclasses.replace(there.spec, targets=targets)


def failure(there: MonitorHost) -> str:
    with pytest.raises(LoadBalancingError) as caught:
        there.bring()
    return str(caught.value)


def headers(change: Change) -> list[str]:
    return [os.path.basename(one["before_header"]) for one in change.diff]


def test_check_mode_tells_the_truth_on_a_virgin_host(
    there: MonitorHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = there.tree()
    with monkeypatch.context() as patch:
        for tool in ("PROMTOOL", "AMTOOL"):
            patch.setattr(monitor_install, tool, "/nowhere/tool")
        patch.setattr(there, "version", "")
        planned = there.bring(check=True)
    assert (there.tree(), there.calls) == (before, [])
    done = there.bring()
    assert (planned.changed, planned.diff) == (done.changed, done.diff) == (True, done.diff)
    spec = there.spec
    ports = (
        f"alertmanager on port {spec.alertmanager_port}, prometheus on port {spec.prometheus_port}"
    )
    assert (planned.text, done.text) == (f"would run: {ports}", f"runs: {ports}")
    assert headers(done)[:5] == [
        *("webhook-1", "alertmanager.yml", "rules.yml", "prometheus.yml"),
        "grafana-dashboard.json",
    ]


def test_a_second_run_changes_nothing(there: MonitorHost) -> None:
    text = there.bring().text
    pids, files = there.pids(), there.tree()
    assert all(pids)
    for check in (True, False):
        assert there.bring(check) == Change(False, text, [])
    assert (there.pids(), there.tree()) == (pids, files)


def test_files_are_as_open_as_they_may_be(there: MonitorHost) -> None:
    there.spec = dataclasses.replace(
        there.spec, email=Email(("a@example.com",), "b@example.com", "mail:25", "user")
    )
    there.secrets = dataclasses.replace(there.secrets, email_password="p4ssw0rd")
    there.bring()
    files = {name: file for name, file in tree(folder(there)).items() if "data/" not in name}
    assert {name: mode for name, (_text, mode) in files.items()} == {
        "alertmanager.yml": 0o600,
        "grafana-dashboard.json": 0o644,
        "prometheus.yml": 0o644,
        "rules.yml": 0o644,
        "secrets/email-password": 0o600,
        "secrets/webhook-1": 0o600,
    }
    closed = {name: text for name, (text, _mode) in files.items() if "/" in name}
    assert closed == {
        "secrets/email-password": "p4ssw0rd",
        "secrets/webhook-1": "https://example.com/hooks/T0P-53CR3T",
    }
    rest = "".join(text for name, (text, _mode) in files.items() if "/" not in name)
    assert "T0P-53CR3T" not in rest
    assert "p4ssw0rd" not in rest
    given = {os.path.relpath(path, folder(there)) for path in there.given_away}
    assert given == {
        *("alertmanager.yml", "secrets", "secrets/email-password", "secrets/webhook-1"),
        *("data/alertmanager", "data/prometheus"),
    }


def test_an_older_alertmanager_has_the_secrets_in_its_own_closed_file(there: MonitorHost) -> None:
    there.version = "alertmanager, version 0.25.0 (branch: debian/sid)"
    shown = json.dumps(there.bring().diff)
    text, mode = tree(folder(there))["alertmanager.yml"]
    assert "url: https://example.com/hooks/T0P-53CR3T\n" in text
    assert mode == 0o600
    assert "T0P-53CR3T" not in shown
    there.version = "alertmanager, version 0.26.0 (branch: debian/sid)"
    shown = json.dumps(there.bring().diff)
    assert "T0P-53CR3T" not in shown + tree(folder(there))["alertmanager.yml"][0]
    assert not there.bring().changed


def test_another_secret_is_shown_only_as_another(there: MonitorHost) -> None:
    there.bring()
    pids = there.pids()
    there.secrets = Secrets(("https://example.com/hooks/0TH3R",))
    done = there.bring()
    assert done.diff == [
        {
            "before_header": f"{folder(there)}/secrets/webhook-1",
            "after_header": f"{folder(there)}/secrets/webhook-1",
            "before": "(secret)\n",
            "after": "(another secret)\n",
        }
    ]
    assert there.pids() == pids
    there.secrets = Secrets()
    gone = there.bring()
    assert "secrets/webhook-1" not in tree(folder(there))
    assert gone.diff[1]["after"] == ""
    assert "0TH3R" not in json.dumps([done.diff, gone.diff])


def test_other_limits_are_loaded_without_a_restart(there: MonitorHost) -> None:
    there.bring()
    pids = there.pids()
    there.spec = dataclasses.replace(there.spec, thresholds=Thresholds(cpu_percent=33))
    planned = there.bring(check=True)
    done = there.bring()
    assert planned.diff == done.diff
    assert headers(done) == ["rules.yml", "digiz-prometheus-shop"]
    assert done.diff[1]["after"] == "reload\n"
    assert "> 33" in done.diff[0]["after"]
    assert there.pids() == pids
    assert not there.bring().changed


def test_a_run_that_was_killed_before_the_reload_is_finished(there: MonitorHost) -> None:
    there.bring()
    path = os.path.join(folder(there), "rules.yml")
    later = time.time() + 1
    os.utime(path, (later, later))
    assert headers(there.bring(check=True)) == ["digiz-prometheus-shop"]
    time.sleep(max(0.0, later - time.time()))
    assert there.bring().changed
    assert not there.bring().changed


def test_another_port_is_a_restart(there: MonitorHost) -> None:
    there.bring()
    pids = there.pids()
    there.spec = dataclasses.replace(there.spec, retention="30d")
    done = there.bring()
    assert headers(done) == [os.path.basename(monitor_service.outside(there.paths)[0])]
    assert there.pids()[0] == pids[0]
    assert there.pids()[1] not in (0, pids[1])


def test_one_that_ended_is_started(there: MonitorHost) -> None:
    there.bring()
    pids = there.pids()
    there.kill_first()
    done = there.bring()
    assert done.diff[0]["after"] == "start\n"
    assert there.pids()[0] not in (0, pids[0])
    assert there.pids()[1] == pids[1]


def test_one_that_does_not_start_with_the_host_shall(there: MonitorHost) -> None:
    there.bring()
    pids = there.pids()
    for link in [*there.folder.glob("etc/rc3.d/S*"), *there.folder.glob("units/*.wants/*")]:
        link.unlink()
    assert [one["after"] for one in there.bring().diff] == ["enable\n", "enable\n"]
    assert not there.bring().changed
    assert there.pids() == pids


def test_an_unproven_configuration_changes_nothing(there: MonitorHost) -> None:
    there.version = "alertmanager, version 0.25.0"
    with_targets(there, UNPROVEN)
    before = there.tree()
    said = failure(there)
    assert said.startswith("checking prometheus.yml failed (1).\n---\nroute:")
    assert "url: (secret)\n" in said
    assert "T0P-53CR3T" not in said
    assert there.tree() == before


def test_a_refused_configuration_is_put_back(there: MonitorHost) -> None:
    there.bring()
    files = tree(folder(there))
    with_targets(there, REFUSED)
    said = failure(there)
    assert said.startswith(
        "Prometheus of the stack shop did not take its new configuration over within 3 s. "
        "Its last words:"
    )
    assert said.endswith("\nWhat was before is put back.")
    with_targets(there)
    after = tree(folder(there))
    assert {n: f for n, f in after.items() if "data/" not in n} == {
        n: f for n, f in files.items() if "data/" not in n
    }
    there.bring()
    assert not there.bring().changed


def test_a_taken_port_is_told_and_nothing_stays(there: MonitorHost) -> None:
    port = there.spec.alertmanager_port
    with socket.create_server(("127.0.0.1", port)):
        said = failure(there)
    assert said == (
        f"monitor_alertmanager_port: {port} is not possible here: something else listens there. "
        "Set the variable monitor_alertmanager_port.\nWhat was before is put back."
    )
    assert monitor_service.outside(there.paths) == []
    assert tree(folder(there)) == {}


def test_one_that_is_never_ready_is_told(
    there: MonitorHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    (there.folder / "program.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    monkeypatch.setattr(monitor_service, "START_TIMEOUT", 0.5)
    said = failure(there)
    port = there.spec.alertmanager_port
    assert said.startswith(
        f"Alertmanager of the stack shop was not ready on 127.0.0.1:{port} within 0.5 s. "
        "Its last words:"
    )
    assert there.pids() == [0, 0]


def test_what_cannot_be_put_back_is_told(
    there: MonitorHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.bring()
    with_targets(there, REFUSED)

    def unlucky(*_unused: object) -> None:
        raise LoadBalancingError("the disk is full")

    monkeypatch.setattr(monitor_install._Before, "put_back", unlucky)
    assert failure(there).endswith("\nPutting back failed, too: the disk is full")


def test_a_folder_that_cannot_be_made_is_told(there: MonitorHost) -> None:
    Path(folder(there)).write_text("in the way", encoding="utf-8")
    assert f"{folder(there)} cannot be made: " in failure(there)


@pytest.mark.parametrize("call", ["secrets", "webhook-1"])
def test_a_host_without_the_user_is_told(
    there: MonitorHost, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def chown(path: str, *_who: str) -> None:
        if path.endswith(call):
            raise LookupError("no such user: 'prometheus'")

    monkeypatch.setattr(shutil, "chown", chown)
    assert "no such user: 'prometheus'" in failure(there)


def test_removal_leaves_what_was_measured(there: MonitorHost) -> None:
    there.bring()
    pids = there.pids()
    measured = Path(monitor_units.data_folder(there.paths), "prometheus", "chunk")
    measured.write_text("1 2 3", encoding="utf-8")
    planned = absent(there.paths, True)
    assert there.pids() == pids
    done = absent(there.paths, False)
    assert (planned.text, done.text) == ("would be removed", "removed")
    assert (planned.diff, planned.changed, done.changed) == (done.diff, True, True)
    assert "T0P-53CR3T" not in json.dumps(done.diff)
    assert not any(monitor_service.command_of(pid) for pid in pids)
    assert measured.exists()
    assert [name for name in tree(folder(there)) if "data/" not in name] == []
    assert absent(there.paths, False) == Change(False, "there is none", [])


def test_a_removed_stack_has_no_monitor(there: MonitorHost) -> None:
    there.bring()
    pids = there.pids()
    files = monitor_service.outside(there.paths)
    assert len(files) == 2
    found = removal.find(there.paths, None)
    assert {*files, folder(there)} <= set(found.folders)
    removal.remove(there.paths, None, found)
    assert not any(monitor_service.command_of(pid) for pid in pids)
    assert monitor_service.outside(there.paths) == []
    assert not os.path.exists(folder(there))


def test_a_strange_name_of_a_stack_is_refused(there: MonitorHost) -> None:
    with pytest.raises(LoadBalancingError, match="stack_name: '\\.\\.' is not allowed"):
        absent(StackPaths("..", there.paths.base), False)


def test_files_that_are_no_text_or_another_owners_are_written_again(
    there: MonitorHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.bring()
    Path(folder(there), "rules.yml").write_bytes(b"\xff\xfe")
    assert headers(there.bring())[0] == "rules.yml"
    monkeypatch.setattr(monitor_install, "_owner", lambda _path: "somebody")
    assert "alertmanager.yml" in headers(there.bring(check=True))


def test_the_owner_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_uid: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert monitor_install._owner(str(tmp_path)) == ""


def test_a_program_that_says_something_else_has_loaded_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = monitor_units.Program("prometheus", 1)
    prefix = "prometheus_config_last_reload_success"
    for text, at in {
        "": 0.0,
        f"{prefix}ful 1\n{prefix}_timestamp_seconds 1.5e+09\n": 1.5e9,
        f"{prefix}ful 0\n{prefix}_timestamp_seconds 1.5e+09\n": 0.0,
        f"{prefix}ful 1\n{prefix}_timestamp_seconds much\n": 0.0,
    }.items():
        monkeypatch.setattr(monitor_service, "answer", lambda *_unused, text=text: text)
        assert monitor_service.loaded_at(program) == at
