# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timers of a stack on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import host_timers, programs
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

PATHS = StackPaths("shop")


@pytest.fixture(name="called")
def called_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; timers lie in a folder of the test's own."""
    called: list[list[str]] = []
    monkeypatch.setattr(host_timers, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(host_timers, "CRON", str(tmp_path / "cron"))
    monkeypatch.setattr(programs, "capture", lambda command, *_more: called.append(command))
    for folder in ("units", "cron"):
        (tmp_path / folder).mkdir()
    return called


def test_no_timer_is_fine(called: list[list[str]]) -> None:
    host_timers.stop(PATHS)
    assert (called, host_timers.files(PATHS)) == ([], [])


def test_timers_are_stopped_where_they_are(called: list[list[str]], tmp_path: Path) -> None:
    for purpose in host_timers.PURPOSES:
        for ending in ("timer", "service"):
            (tmp_path / "units" / f"digiz-{purpose}-shop.{ending}").touch()
    (tmp_path / "cron" / "digiz-scaling-shop").touch()
    (tmp_path / "units" / "digiz-scaling-shop2.timer").touch()
    host_timers.stop(PATHS)
    assert called == [
        ["systemctl", "disable", "--now", "digiz-certificate-shop.timer"],
        ["systemctl", "disable", "--now", "digiz-scaling-shop.timer"],
    ]
    assert [Path(path).name for path in host_timers.files(PATHS)] == [
        "digiz-certificate-shop.timer",
        "digiz-certificate-shop.service",
        "digiz-scaling-shop.timer",
        "digiz-scaling-shop.service",
        "digiz-scaling-shop",
    ]
