# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets on the host: the path changes with the value, and tells nothing about it."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.secret_store import SecretStore


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> StackPaths:
    """A stack's folder."""
    paths = StackPaths("shop", str(tmp_path))
    paths.create()
    return paths


def mode(path: str | Path) -> int:
    return os.stat(path).st_mode & 0o777


def kept(paths: StackPaths) -> list[str]:
    return sorted(name for name in os.listdir(paths.secrets) if not name.startswith("."))


def test_a_secret_is_a_file_below_a_closed_folder(paths: StackPaths) -> None:
    found = SecretStore(paths).store({"api_key": "hunter2"}, [])
    assert re.fullmatch(r"secrets/[0-9a-f]{12}/api_key", found["api_key"])
    path = Path(paths.root, found["api_key"])
    assert path.read_text(encoding="utf-8") == "hunter2"
    assert mode(paths.secrets) == 0o700, "only root gets in"
    assert mode(path) == 0o444, "any user of a container may read its mounted copy"
    assert mode(path.parent) == 0o755
    assert mode(Path(paths.secrets, ".key")) == 0o400


def test_the_same_value_keeps_its_path_and_its_file(paths: StackPaths) -> None:
    """Containers hold the file itself: it must not be replaced under them."""
    value = "-----BEGIN KEY-----\r\nệ\r\n"
    first = SecretStore(paths).store({"key": value}, [])
    inode = os.stat(os.path.join(paths.root, first["key"])).st_ino
    assert SecretStore(paths).store({"key": value}, []) == first
    assert os.stat(os.path.join(paths.root, first["key"])).st_ino == inode


def test_a_changed_value_leaves_the_old_file_for_those_that_use_it(paths: StackPaths) -> None:
    first = SecretStore(paths).store({"key": "one"}, [])
    second = SecretStore(paths).store({"key": "two"}, [])
    assert first != second
    assert [Path(paths.root, one["key"]).read_text("utf-8") for one in (first, second)] == [
        "one",
        "two",
    ]


@given(value=st.text(st.characters(codec="utf-8"), min_size=1))
def test_the_path_depends_on_host_name_and_value_alone(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    hosts = [StackPaths("shop", str(tmp_path_factory.getbasetemp() / name)) for name in "ab"]
    digests = []
    for paths in hosts:
        paths.create()
        found = SecretStore(paths).store({"key": value, "other": value}, [])
        assert SecretStore(paths, dry=True).store({"key": value, "other": value}, []) == found
        digests += [path.split("/")[1] for path in found.values()]
    assert len(set(digests)) == 4, "two hosts, two names"
    assert hashlib.sha256(value.encode()).hexdigest()[:12] not in digests


def test_a_generated_secret_is_made_once(paths: StackPaths) -> None:
    first = SecretStore(paths).store({}, ["database_password"])
    value = Path(paths.root, first["database_password"]).read_text("utf-8")
    assert len(value) == 32
    assert SecretStore(paths).store({}, ["database_password"]) == first
    assert mode(Path(paths.secrets, ".generated-database_password")) == 0o400


def test_a_given_value_goes_before_a_generated_one(paths: StackPaths) -> None:
    found = SecretStore(paths).store({"database_password": "mine"}, ["database_password"])
    assert Path(paths.root, found["database_password"]).read_text("utf-8") == "mine"


def test_a_dry_run_on_a_virgin_host_writes_nothing(tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path))
    found = SecretStore(paths, dry=True).store({"b": "1"}, ["a"])
    assert list(found) == ["a", "b"]
    assert os.listdir(tmp_path) == []


def test_only_what_no_release_uses_is_removed(paths: StackPaths) -> None:
    store = SecretStore(paths)
    old = store.store({"key": "one"}, ["generated"])
    new = store.store({"key": "two"}, ["generated"])
    assert len(kept(paths)) == 3
    store.prune([*old.values(), *new.values()])
    assert len(kept(paths)) == 3
    store.prune(new.values())
    assert kept(paths) == sorted(path.split("/")[1] for path in new.values())
    store.prune([])
    assert kept(paths) == []
    again = store.store({"key": "two"}, ["generated"])
    assert again == new, "the key of the host and what was generated stay"
