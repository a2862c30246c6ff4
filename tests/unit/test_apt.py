# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of apt, and how its files are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import apt
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.programs import Programs

LOCK = "apt-get --yes -o DPkg::Lock::Timeout=120"
SOURCES = "http://m.example/debian/ Debian trixie"


@pytest.fixture(name="programs")
def programs_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A host without any program."""
    return Programs(tmp_path, monkeypatch)


def test_packages_are_installed_without_questions(programs: Programs) -> None:
    programs.have("apt-get", '[ "$DEBIAN_FRONTEND$NEEDRESTART_SUSPEND" = noninteractive1 ]')
    assert apt.update(5) == ""
    apt.install(["docker.io", "docker-cli"], 5)
    options = "--no-install-recommends -o Dpkg::Options::=--force-confold"
    assert programs.calls() == [f"{LOCK} update", f"{LOCK} install {options} docker.io docker-cli"]


def test_a_complaint_about_a_source_is_told_only_with_a_failure(programs: Programs) -> None:
    programs.have("apt-get", 'echo "E: no $4 today"; exit 100')
    complaint = apt.update(5)
    assert complaint == "apt-get update failed (100).\nE: no update today"
    with pytest.raises(LoadBalancingError) as caught:
        apt.install(["x"], 5, complaint)
    assert str(caught.value) == f"installing x failed (100).\nE: no install today\n{complaint}"
    with pytest.raises(LoadBalancingError) as caught:
        apt.install(["x"], 5)
    assert str(caught.value) == "installing x failed (100).\nE: no install today"


def test_what_apt_would_install(programs: Programs) -> None:
    programs.have("apt-cache", 'echo "x:"; echo "  Candidate: 26.1.5"')
    assert apt.candidates(["x", "y"]) == {"x": "26.1.5"}
    questions = "-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
    assert programs.calls() == [f"apt-cache {questions} policy x y"]


def test_candidates_of_several_packages() -> None:
    policy = """\
docker.io:
  Installed: (none)
  Candidate: 26.1.5+dfsg1-9
  Version table:
     26.1.5+dfsg1-9 500
        500 http://m.example/debian trixie/main amd64 Packages
docker-cli:
  Installed: (none)
  Candidate: (none)
  Version table:
docker-compose:
  Installed: 1
  Candidate: 2:1.0
"""
    assert apt.parse_candidates(policy) == {
        "docker.io": "26.1.5+dfsg1-9",
        "docker-compose": "2:1.0",
    }
    assert apt.parse_candidates("") == {}


def test_the_mirrors_of_the_host(programs: Programs) -> None:
    programs.have("apt-get", f'echo "{SOURCES}"')
    assert apt.mirrors() == apt.Mirrors("http://m.example/debian")
    assert "indextargets" in programs.calls()[0]


def test_a_host_without_apt(programs: Programs) -> None:
    assert (apt.candidates(["x"]), apt.mirrors()) == ({}, apt.Mirrors())
    assert "No such file or directory" in apt.update(5)
    assert programs.calls() == []


def test_only_files_that_differ_are_written(tmp_path: Path) -> None:
    same, other, new = (str(tmp_path / name) for name in ("same", "other", "deep/down/new"))
    Path(same).write_text("1", encoding="utf-8")
    Path(other).write_text("2", encoding="utf-8")
    wanted = {same: "1", other: "22", new: "3"}
    outdated = apt.outdated_files(wanted)
    assert outdated == {other: "22", new: "3"}
    apt.write_files(outdated)
    assert apt.outdated_files(wanted) == {}
    assert Path(new).stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "new",
        "other",
        "same",
    ]


def test_a_file_that_cannot_be_read_counts_as_outdated(tmp_path: Path) -> None:
    (tmp_path / "pin").write_bytes(b"\xff")
    assert apt.read_file(str(tmp_path / "pin")) == ""
    assert apt.read_file(str(tmp_path)) == ""
