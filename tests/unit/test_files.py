# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack's files: nobody reads half of one, and what cannot be written leaves the old one."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    read_text,
    replace_link,
    write_json,
    write_text,
)

FULL = OSError(errno.ENOSPC, "No space left on device")


def mode(path: str | Path) -> int:
    return os.stat(path).st_mode & 0o777


def refuse(*_arguments: object, **_options: object) -> None:
    raise FULL


def test_where_everything_lies() -> None:
    paths = StackPaths("shop")
    assert paths.root == "/opt/shop"
    assert paths.compose == "/opt/shop/compose.yaml"
    assert paths.current == "/opt/shop/nginx/current"
    assert paths.release == "/opt/shop/releases/current"
    assert paths.logrotate == "/etc/logrotate.d/digiz-shop"
    assert (paths.state, paths.secrets, paths.logs) == (
        "/opt/shop/state",
        "/opt/shop/secrets",
        "/opt/shop/logs",
    )


def test_folders_are_made_once_and_closed_where_they_must_be(tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path))
    paths.create()
    os.chmod(paths.secrets, 0o777)
    paths.create()
    assert {name: oct(mode(Path(paths.root, name))) for name in sorted(os.listdir(paths.root))} == {
        "logs": "0o755",
        "nginx": "0o755",
        "releases": "0o700",
        "secrets": "0o700",
        "state": "0o700",
    }
    assert mode(paths.root) == 0o755
    assert os.readlink(os.path.join(paths.state, "members.json")) == "../nginx/current/members.json"


def test_folders_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file is in the way", encoding="utf-8")
    with pytest.raises(LoadBalancingError) as caught:
        StackPaths("shop", str(tmp_path)).create()
    assert str(caught.value) == f"{tmp_path}/shop cannot be made: File exists."


@given(text=st.text(st.characters(codec="utf-8")))
def test_a_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = str(tmp_path_factory.getbasetemp() / "text")
    write_text(path, text)
    assert read_text(path) == text


def test_no_file_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_text(str(tmp_path / "missing")) is None
    assert read_text(str(tmp_path / "file" / "below")) is None


@pytest.mark.parametrize("bits", [0o644, 0o600, 0o444, 0o400])
def test_files_have_their_mode_from_the_beginning(tmp_path: Path, bits: int) -> None:
    path = str(tmp_path / "file")
    mask = os.umask(0o077)
    try:
        write_text(path, "text", bits)
    finally:
        os.umask(mask)
    assert mode(path) == bits
    write_text(path, "again", bits)
    assert (read_text(path), mode(path)) == ("again", bits)


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = str(tmp_path / "file")
    write_text(path, "old")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(LoadBalancingError) as caught:
        write_text(path, "new")
    monkeypatch.undo()
    assert str(caught.value) == (
        f"{path} cannot be written: No space left on device. What was there is untouched."
    )
    assert (read_text(path), os.listdir(tmp_path)) == ("old", ["file"])


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadBalancingError, match="cannot be written: No such file or directory"):
        write_text(str(tmp_path / "missing" / "file"), "text")


def test_readers_see_the_old_or_the_new_text_while_it_is_written(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    texts = {letter * 50_000 for letter in "ab"}
    write_text(path, "a" * 50_000)
    seen: set[str | None] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(read_text(path))

    reader = threading.Thread(target=read)
    reader.start()
    for _unused in range(20):
        for text in texts:
            write_text(path, text)
    done.set()
    reader.join()
    assert seen <= texts


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[1]", b'"text"', b"null", b"\x00\x00", b"\xff\xfe{}", b'{"half": '.strip()],
)
def test_a_damaged_mapping_is_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "file").write_bytes(damage)
    assert read_json(str(tmp_path / "file")) == {}
    assert read_json(str(tmp_path / "missing")) == {}


def test_a_mapping_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    write_json(path, {"b": [1, None], "a": "ệ"}, 0o600)
    assert read_json(path) == {"a": "ệ", "b": [1, None]}
    assert str(read_text(path)).index('"a"') < str(read_text(path)).index('"b"')
    assert mode(path) == 0o600


def test_a_link_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = str(tmp_path / "link")
    replace_link(path, "1")
    assert os.readlink(path) == "1"
    replace_link(path, "2")
    assert (os.readlink(path), os.listdir(tmp_path)) == ("2", ["link"])


def test_a_killed_process_of_the_same_number_is_no_obstacle(tmp_path: Path) -> None:
    path = str(tmp_path / "link")
    os.symlink("0", f"{path}.{os.getpid()}")
    replace_link(path, "1")
    assert (os.readlink(path), os.listdir(tmp_path)) == ("1", ["link"])


def test_a_link_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "link")
    replace_link(path, "1")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        replace_link(path, "2")
    assert str(caught.value) == f"{path} cannot be pointed to 2: No space left on device."
    assert (os.readlink(path), os.listdir(tmp_path)) == ("1", ["link"])
