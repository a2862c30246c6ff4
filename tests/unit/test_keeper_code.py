# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's code: what belongs to it, wherever it came from, and how it lies on the host."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper_code, keeper_units
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

PACKAGE = "ansible_collections.digiz.load_balancing.plugins.module_utils"
PROGRAMS = [keeper_units.KEEPER, keeper_units.GUARD]
ONE = {"keeper": "print('one')\n", "errors": "# one\n"}
TWO = {**ONE, "keeper": "print('two')\n"}
THREE = {**ONE, "keeper": "print('three')\n"}


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> StackPaths:
    """The folder of a stack."""
    paths = StackPaths("shop", str(tmp_path))
    paths.create()
    return paths


def versions(paths: StackPaths) -> list[str]:
    return sorted(os.listdir(keeper_code.folder(paths)))


def names(*versions: dict[str, str]) -> list[str]:
    return sorted([*map(keeper_code.fingerprint, versions), "current"])


# what belongs to it


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"from {PACKAGE} import one, two as three", {"one", "two"}),
        (f"from {PACKAGE}.one import Thing", {"one"}),
        (f"import {PACKAGE}.one as one, {PACKAGE}.two", {"one", "two"}),
        (f"def later():\n    from {PACKAGE}.one import Thing", {"one"}),
        (f"if TYPE_CHECKING:\n    from {PACKAGE} import one", {"one"}),
        ("import os\nfrom collections import abc\nfrom . import one", set()),
        ("from ansible.module_utils.basic import AnsibleModule", set()),
        (f'"from {PACKAGE} import one"', set()),
        (f"import {PACKAGE}_more.one", set()),
    ],
)
def test_what_a_source_imports(source: str, found: set[str]) -> None:
    assert keeper_code.imported(source) == found


def test_all_that_the_keeper_needs_and_no_more() -> None:
    sources = keeper_code.collect(PROGRAMS)
    assert {"keeper", "keeper_guard", "errors", "files", "docker_host", "balancer"} <= set(sources)
    for source in sources.values():
        assert keeper_code.imported(source) <= set(sources)
    assert not {"keeper_install", "keeper_code", "settings", "apt"} & set(sources)
    assert sources["errors"] == Path(__file__).parent.parent.parent.joinpath(
        "plugins/module_utils/errors.py"
    ).read_text(encoding="utf-8")


def test_what_is_imported_elsewhere_makes_no_other_version() -> None:
    """The digest would depend on what this very process has loaded."""
    assert keeper_code.collect(PROGRAMS) == keeper_code.collect(reversed(PROGRAMS))
    digest = keeper_code.fingerprint(keeper_code.collect(PROGRAMS))
    assert digest == keeper_code.fingerprint(keeper_code.collect(reversed(PROGRAMS)))


COLLECT = f"""
import sys
sys.path.insert(0, sys.argv[1])
from {PACKAGE} import keeper_code
print(keeper_code.__loader__.__class__.__name__)
print(keeper_code.fingerprint(keeper_code.collect(sys.argv[2:])))
"""


def test_from_an_archive_it_is_the_same_code(tmp_path: Path) -> None:
    """Ansible sends module_utils to a host as an archive."""
    sources = keeper_code.collect([*PROGRAMS, f"{PACKAGE}.keeper_code"])
    parts = PACKAGE.split(".")
    with zipfile.ZipFile(tmp_path / "payload.zip", "w") as archive:
        for depth in range(1, len(parts) + 1):
            archive.writestr("/".join([*parts[:depth], "__init__.py"]), "")
        for name, source in sources.items():
            archive.writestr("/".join([*parts, f"{name}.py"]), source)
    command = [sys.executable, "-c", COLLECT, str(tmp_path / "payload.zip"), *PROGRAMS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    digest = keeper_code.fingerprint(keeper_code.collect(PROGRAMS))
    assert done.stdout.split() == ["zipimporter", digest]


def test_a_module_that_is_not_there_is_told() -> None:
    with pytest.raises(LoadBalancingError) as caught:
        keeper_code.collect([f"{PACKAGE}.nothing"])
    assert str(caught.value) == f"The keeper needs {PACKAGE}.nothing, whose source is not there."


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_a_fingerprint_is_that_of_the_sources(one: dict[str, str], two: dict[str, str]) -> None:
    same = keeper_code.fingerprint(one) == keeper_code.fingerprint(two)
    assert same == (one == two)
    assert keeper_code.fingerprint(dict(reversed(one.items()))) == keeper_code.fingerprint(one)


# how it lies on the host


def test_a_version_is_written_and_put_in_force(paths: StackPaths) -> None:
    keeper_code.install(paths, ONE)
    assert versions(paths) == names(ONE)
    link = keeper_code.current(paths)
    assert os.readlink(link) == keeper_code.fingerprint(ONE) == keeper_code.version(link)
    assert os.stat(keeper_code.folder(paths)).st_mode & 0o777 == 0o700
    modules = Path(link, *PACKAGE.split("."))
    assert (modules / "keeper.py").read_text(encoding="utf-8") == ONE["keeper"]
    assert modules.stat().st_mode & 0o777 == 0o700
    assert (modules / "keeper.py").stat().st_mode & 0o777 == 0o600


def test_it_runs_as_it_lies(paths: StackPaths) -> None:
    keeper_code.install(paths, ONE)
    command = [sys.executable, "-m", f"{PACKAGE}.keeper"]
    where = keeper_code.current(paths)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "one\n"
    assert keeper_code.version(where) == keeper_code.fingerprint(ONE), "caches are no code"


def test_the_same_version_is_left_alone(paths: StackPaths) -> None:
    keeper_code.install(paths, ONE)
    file = Path(keeper_code.current(paths), *PACKAGE.split("."), "keeper.py")
    before = file.stat()
    keeper_code.install(paths, ONE)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_last_two_versions_stay(paths: StackPaths) -> None:
    for version in (ONE, TWO, THREE):
        keeper_code.install(paths, version)
    assert versions(paths) == names(TWO, THREE)
    keeper_code.install(paths, TWO)
    keeper_code.install(paths, ONE)
    assert versions(paths) == names(ONE, TWO)
    keeper_code.use(paths, keeper_code.fingerprint(TWO))
    assert versions(paths) == names(ONE, TWO)
    assert keeper_code.version(keeper_code.current(paths)) == keeper_code.fingerprint(TWO)


def test_a_damaged_version_is_another_one_and_is_written_again(paths: StackPaths) -> None:
    keeper_code.install(paths, ONE)
    file = Path(keeper_code.current(paths), *PACKAGE.split("."), "keeper.py")
    for damage in (b"", b"\xff\xfe", b"print('another')\n"):
        file.write_bytes(damage)
        assert keeper_code.version(keeper_code.current(paths)) != keeper_code.fingerprint(ONE)
        keeper_code.install(paths, ONE)
        assert file.read_text(encoding="utf-8") == ONE["keeper"]
        assert versions(paths) == names(ONE)
        assert os.listdir(keeper_code.current(paths)) == ["ansible_collections"]


def test_what_a_killed_run_left_goes(paths: StackPaths) -> None:
    keeper_code.install(paths, ONE)
    Path(keeper_code.folder(paths), ".staged").mkdir()
    os.utime(Path(keeper_code.folder(paths), ".staged"), (1, 1))
    keeper_code.install(paths, TWO)
    assert versions(paths) == names(ONE, TWO)


def test_nothing_is_there_yet(paths: StackPaths) -> None:
    assert keeper_code.version(keeper_code.current(paths)) == ""
    os.makedirs(keeper_code.folder(paths))
    assert keeper_code.version(keeper_code.folder(paths)) == ""


def test_a_full_disk_leaves_what_was(paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper_code.install(paths, ONE)

    def refuse(*_unused: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        keeper_code.install(paths, TWO)
    target = os.path.join(keeper_code.folder(paths), keeper_code.fingerprint(TWO))
    assert str(caught.value) == (
        f"{target} cannot be written: No space left on device. What was there is untouched."
    )
    monkeypatch.undo()
    assert versions(paths) == names(ONE)
    assert keeper_code.version(keeper_code.current(paths)) == keeper_code.fingerprint(ONE)
