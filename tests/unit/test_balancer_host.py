# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a host for its balancer: the kernel's setting and the rotation of the log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import balancer_host
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_host import (
    Change,
    logrotate_text,
    prepare,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.modules import balancer_host as module
from tests.unit.fakes.modules import run

PATHS = StackPaths("shop")


@dataclass
class Etc:
    """The three files."""

    kernel: Path
    setting: Path
    rules: Path

    def texts(self) -> list[str]:
        """What is in those that are there."""
        every = (self.kernel, self.setting, self.rules)
        return [path.read_text(encoding="utf-8") for path in every if path.exists()]


@pytest.fixture(name="etc")
def etc_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Etc:
    """A host whose kernel moves no connections yet, and no folder is there."""
    etc = Etc(tmp_path / "kernel", tmp_path / "sysctl.d" / "ours", tmp_path / "rotate.d" / "shop")
    etc.kernel.write_text("0\n", encoding="ascii")
    monkeypatch.setattr(balancer_host, "MIGRATION", str(etc.kernel))
    monkeypatch.setattr(balancer_host, "SETTING_FILE", str(etc.setting))
    monkeypatch.setattr(StackPaths, "logrotate", property(lambda _unused: str(etc.rules)))
    return etc


def paths_of(change: Change) -> list[str]:
    return [one["before_header"] for one in change.diff]


def test_a_host_is_prepared_once(etc: Etc) -> None:
    change = prepare(PATHS, check=False)
    assert change.migration is True
    assert paths_of(change) == [str(etc.rules), str(etc.setting), str(etc.kernel)]
    assert etc.texts() == ["1\n", "net.ipv4.tcp_migrate_req = 1\n", logrotate_text(PATHS)]
    assert {path.stat().st_mode & 0o777 for path in (etc.setting, etc.rules)} == {0o644}
    assert prepare(PATHS, check=False) == Change(True, [])


def test_a_check_says_the_same_and_changes_nothing(etc: Etc) -> None:
    said = prepare(PATHS, check=True)
    assert etc.texts() == ["0\n"]
    assert said == prepare(PATHS, check=False)


def test_a_kernel_that_does_not_know_it_is_left_alone(etc: Etc) -> None:
    etc.kernel.unlink()
    change = prepare(PATHS, check=False)
    assert (change.migration, paths_of(change)) == (False, [str(etc.rules)])
    assert etc.texts() == [logrotate_text(PATHS)]


def test_a_kernel_that_refuses_is_told(etc: Etc, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: the setting is there for the host's next start, and not in force."""
    monkeypatch.setattr(balancer_host, "_set_migration", lambda: False)
    change = prepare(PATHS, check=False)
    assert (change.migration, paths_of(change)) == (False, [str(etc.rules), str(etc.setting)])
    assert prepare(PATHS, check=False) == Change(False, [])


def test_what_cannot_be_written_is_no_setting(etc: Etc, tmp_path: Path) -> None:
    etc.kernel.unlink()
    etc.kernel.mkdir()
    assert balancer_host._set_migration() is False
    with pytest.raises(LoadBalancingError, match="cannot be read"):
        prepare(PATHS, check=False)
    (tmp_path / "rotate.d").write_text("", encoding="ascii")
    etc.kernel.rmdir()
    with pytest.raises(LoadBalancingError, match=r"rotate\.d cannot be made"):
        prepare(PATHS, check=False)


@pytest.mark.parametrize("name", ["", "Shop", "shop$(id)", "shop;id", "shop\n}", "../shop"])
def test_a_name_that_a_script_would_mind_is_refused(name: str, etc: Etc) -> None:
    with pytest.raises(LoadBalancingError, match="stack_name"):
        prepare(StackPaths(name), check=False)
    assert etc.texts() == ["0\n"]


def test_the_module(etc: Etc) -> None:
    said = run(module, True, stack="shop")
    done = run(module, False, stack="shop")
    assert said == done
    assert (done["changed"], done["migration"]) == (True, True)
    assert run(module, False, stack="shop")["changed"] is False
    assert "stack_name" in run(module, False, stack="no name")["msg"]
    assert len(etc.texts()) == 3
