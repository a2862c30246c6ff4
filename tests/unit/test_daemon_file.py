# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How daemon.json gets in place: read, validated, swapped in, and no change without need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    daemon_file,
    engine_service,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.engine_host import EngineHost

LIVE = '{"live-restore": true}'


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    """A host without an engine."""
    there = EngineHost(tmp_path, monkeypatch)
    yield there
    there.engine.close()


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert daemon_file.read(str(tmp_path / "daemon.json")) == ""


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "daemon.json").write_bytes(b"\xff")
    for path in (tmp_path, tmp_path / "daemon.json"):
        with pytest.raises(LoadBalancingError) as caught:
            daemon_file.read(str(path))
        assert str(caught.value).startswith(f"{path}: it cannot be read: ")
        assert str(caught.value).endswith(" Nothing was changed.")


def test_the_engines_program_reads_it_first(there: EngineHost, tmp_path: Path) -> None:
    daemon_file.validate("/x")  # no engine is installed
    there.programs.have("dockerd", "echo 'unknown flag: --validate'; exit 125")
    daemon_file.validate("/x")  # it is older than that
    path = tmp_path / "daemon.json"
    there.programs.have("dockerd")
    assert daemon_file.replace(str(path), LIVE) == ""
    assert there.programs.calls()[-1] == f"dockerd --validate --config-file {path}.new"
    there.programs.have("dockerd", "echo 'no such option'; exit 1")
    with pytest.raises(LoadBalancingError, match=r"^daemon.json: the engine rejects it: "):
        daemon_file.replace(str(path), "{}")
    assert path.read_text(encoding="utf-8") == LIVE
    assert [item.name for item in tmp_path.glob("*.json*")] == ["daemon.json"]


def test_a_link_stays_one(there: EngineHost, tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "daemon.json"
    real.write_text("{}", encoding="utf-8")
    link.symlink_to(real)
    backup = daemon_file.replace(str(link), LIVE)
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == LIVE
    assert os.path.dirname(backup) == str(tmp_path)
    assert there.programs.calls() == []


@pytest.mark.parametrize(
    ("before", "running"), [({"live-restore": True}, True), ({}, False)], ids=["held", "down"]
)
def test_an_engine_that_need_not_read_it_is_left_alone(
    there: EngineHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, bool],
    running: bool,
) -> None:
    if running:
        there.engine.listen()
    monkeypatch.setattr(engine_service, "reload", lambda: pytest.fail("it was told to reload"))
    path = tmp_path / "daemon.json"
    assert daemon_file.apply(str(path), LIVE, before, {"live-restore": True}) == ""
    assert path.read_text(encoding="utf-8") == LIVE
