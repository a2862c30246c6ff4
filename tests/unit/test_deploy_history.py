# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys as the audit log tells of them, written by the lock itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import lock as lock_module
from ansible_collections.digiz.load_balancing.plugins.module_utils.deploy_history import (
    FAILED,
    INTERRUPTED,
    KEPT,
    RUNNING,
    SUCCEEDED,
    Deploy,
    DeployHistory,
    read_runs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock

NOON = 1_795_000_000.0
STAMPS = [f"2026-11-23T17:2{minute}:00+0000" for minute in range(6)]
LINES = [
    f"{STAMPS[0]} root@vm deploy: begins",
    f"{STAMPS[1]} root@vm deploy: release 14 is out",
    f"{STAMPS[2]} Ana B@her laptop scale: begins",
    f"{STAMPS[3]} root@vm deploy: takes over the lock of scale by Ana B from her laptop",
    f"{STAMPS[4]} root@vm deploy: failed",
    f"{STAMPS[5]} root@vm rollback: release 16 is out: 3 x version 2.1-rc1",
]


class Audited:
    """A stack whose lock writes the log."""

    def __init__(self, folder: Path) -> None:
        self.paths = StackPaths("shop", str(folder))
        self.paths.create()
        self.now = NOON
        self.lock = DeployLock(self.paths, lambda: self.now)
        self.history = DeployHistory(self.paths)
        self.log = Path(self.paths.state) / "audit.log"

    def run(self, outcome: str, what: str = "deploy") -> None:
        token = self.lock.acquire("ana", "laptop", what)[0]
        self.now += 30
        self.lock.release(token, outcome)
        self.now += 60

    def results(self, at_work: bool = False) -> list[str]:
        self.history.look()
        return [one["result"] for one in self.history.as_list(at_work)]


@pytest.fixture(name="audited")
def audited_fixture(tmp_path: Path) -> Audited:
    return Audited(tmp_path)


def test_runs_by_their_lines() -> None:
    begin = read_runs(LINES[:1])[0].time
    assert read_runs(LINES) == [
        Deploy(begin + 60, "deploy", SUCCEEDED, 14),
        Deploy(begin + 120, "scale", INTERRUPTED),
        Deploy(begin + 240, "deploy", FAILED),
        Deploy(begin + 300, "rollback", SUCCEEDED, 16, "2.1-rc1", 3),
    ]
    assert read_runs(LINES[:1]) == [Deploy(begin, "deploy", RUNNING)]


def test_lines_that_tell_of_no_run() -> None:
    assert read_runs(["", "nonsense", f"{STAMPS[0]} root@vm drill: begins"]) == []
    assert read_runs(["yesterday root@vm deploy: begins", LINES[0] + "\n"])[0].result == RUNNING


def test_what_the_lock_writes(audited: Audited) -> None:
    assert audited.results() == []
    assert audited.history.last_time is None
    audited.run("release 1 is out: 3 x version 1")
    audited.run("failed")
    audited.run("release 2 is out: 5 x version 1", "scale")
    assert audited.results() == [SUCCEEDED, FAILED, SUCCEEDED]
    assert audited.history.as_list(False)[-1] == {
        "time": NOON + 210,
        "what": "scale",
        "result": SUCCEEDED,
        "release": 2,
        "version": "1",
        "replicas": 5,
    }
    assert audited.history.counts == {SUCCEEDED: 2, FAILED: 1, INTERRUPTED: 0}
    assert audited.history.last_time == NOON + 210


def test_a_run_that_is_at_work_and_one_that_was_killed(audited: Audited) -> None:
    audited.lock.acquire("ana", "laptop", "deploy")
    assert audited.results(at_work=True) == [RUNNING]
    assert audited.results(at_work=False) == [INTERRUPTED]
    assert audited.history.counts[INTERRUPTED] == 0, "it may still be taken over"
    assert audited.history.last_time is None
    audited.now += 100
    audited.run("release 1 is out: 3 x version 1")
    assert audited.results() == [INTERRUPTED, SUCCEEDED]
    assert audited.history.counts == {SUCCEEDED: 1, FAILED: 0, INTERRUPTED: 1}


def test_only_the_last_ones_are_kept_and_all_are_counted(audited: Audited) -> None:
    for number in range(KEPT + 5):
        audited.run(f"release {number} is out: 3 x version {number}")
    assert [one["release"] for one in _looked(audited)] == list(range(5, KEPT + 5))
    assert audited.history.counts[SUCCEEDED] == KEPT + 5


def _looked(audited: Audited) -> list[dict[str, int]]:
    audited.history.look()
    return audited.history.as_list(False)


def test_a_log_whose_older_half_was_cut_off(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "AUDIT_SIZE", 2000)
    for number in range(1, 40):
        audited.run(f"release {number} is out: 3 x version 1")
        if number % 3 == 0:
            audited.history.look()
    audited.history.look()
    assert audited.log.stat().st_size <= 2000
    assert audited.history.counts[SUCCEEDED] == 39
    audited.log.write_text("", encoding="utf-8")
    audited.run("release 40 is out: 3 x version 1")
    audited.history.look()
    assert audited.history.counts[SUCCEEDED] == 40


def test_a_log_that_has_not_changed_is_not_read(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited.run("failed")
    audited.history.look()
    monkeypatch.setattr("builtins.open", lambda *_unused, **_more: pytest.fail("it was read"))
    audited.history.look()


def test_a_log_that_cannot_be_read(audited: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_unused: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        audited.history.look()
    assert str(caught.value) == f"{audited.log} cannot be read: Permission denied."


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=40)), max_size=20))
def test_any_lines_can_be_read(lines: list[str]) -> None:
    runs = read_runs(lines)
    assert all(one.result != RUNNING for one in runs[:-1])
