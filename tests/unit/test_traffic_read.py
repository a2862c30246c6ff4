# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import traffic_read
from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import (
    LONGEST_LINE,
    parse_line,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_read import (
    Log,
    open_log,
)
from tests.unit.fakes.traffic import BEGIN, line

LIVE, FIRST, SECOND = "access.log", "access.log.1", "access.log.2.gz"


def write(folder: Path, name: str, *lines: bytes, changed: float | None = None) -> Path:
    """A file of the log with these lines, last written so many seconds after BEGIN."""
    data = b"".join(one + b"\n" for one in lines)
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    if changed is not None:
        os.utime(path, (BEGIN + changed, BEGIN + changed))
    return path


def rotated(folder: Path) -> None:
    """Three files of three requests each, one in 100 s."""
    for name, begin in ((SECOND, 0), (FIRST, 300), (LIVE, 600)):
        write(folder, name, *(line(begin + 100 * n) for n in range(3)), changed=begin + 200)


def seconds(log: Log) -> list[float]:
    """When the requests of a log ended, after BEGIN, in the order in which they were read."""
    entries = [parse_line(one) for lines in log.blocks() for one in lines]
    return [entry.time - BEGIN for entry in entries if entry]


def names(log: Log) -> list[str]:
    return [one.name for one in log.files]


def test_rotated_and_compressed_files_are_read_oldest_first(tmp_path: Path) -> None:
    rotated(tmp_path)
    (tmp_path / "error.log").write_bytes(line())
    (tmp_path / "access.log.1.bak").write_bytes(line())
    (tmp_path / "access.log.7").mkdir()
    log = open_log(str(tmp_path))
    assert names(log) == [SECOND, FIRST, LIVE]
    assert seconds(log) == [100.0 * n for n in range(9)]
    assert [one.read for one in log.files] == [3, 3, 3]
    assert [one.note for one in log.files] == ["", "", ""]
    assert all(one.handle.closed for one in log.files)


def test_files_named_by_their_date(tmp_path: Path) -> None:
    write(tmp_path, "access.log-20261129.gz", line(2), changed=2)
    write(tmp_path, "access.log-20261128", line(1), changed=1)
    assert seconds(open_log(str(tmp_path))) == [1.0, 2.0]


def test_only_files_of_that_time_are_read(tmp_path: Path) -> None:
    rotated(tmp_path)
    log = open_log(str(tmp_path), since=BEGIN + 350.0, until=BEGIN + 450.0)
    assert log.left_out == 1
    assert seconds(log) == [400.0]
    assert [(one.name, one.outside) for one in log.files] == [(FIRST, False), (LIVE, True)]


def test_lines_that_look_different_are_left_to_the_reader(tmp_path: Path) -> None:
    odd = [
        b"no request",
        line(5).replace(b":00", b"", 1),
        line(5).replace(b"17959", b"x7959", 1),
        line(5).replace(b"1795964405", b"NaN,"),
    ]
    write(tmp_path, LIVE, line(5), *odd, line(50))
    log = open_log(str(tmp_path), since=float(BEGIN), until=BEGIN + 10.0)
    assert [one for lines in log.blocks() for one in lines if one] == [line(5), *odd]


def test_half_a_line_at_the_end(tmp_path: Path) -> None:
    """In the live file it is being written; elsewhere it stays half a line."""
    for name in (LIVE, FIRST):
        (tmp_path / name).write_bytes(line(1) + b"\n" + line(2)[:50])
    log = open_log(str(tmp_path))
    found = [one for lines in log.blocks() for one in lines]
    assert found == [line(1), line(2)[:50], line(1)]
    (tmp_path / LIVE).write_bytes(line(3))
    assert len([one for lines in open_log(str(tmp_path)).blocks() for one in lines]) == 3


def test_a_file_that_is_being_compressed_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, FIRST, line(1))
    whole = gzip.compress(line(1) + b"\n")
    (tmp_path / f"{FIRST}.gz").write_bytes(whole[: len(whole) // 2])
    log = open_log(str(tmp_path))
    assert names(log) == [FIRST]
    assert seconds(log) == [1.0]


def test_what_is_written_later_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, LIVE, line(1))
    log = open_log(str(tmp_path))
    with path.open("ab") as handle:
        handle.write(line(2) + b"\n")
    assert seconds(log) == [1.0]


def test_files_that_vanish_after_they_were_opened(tmp_path: Path) -> None:
    rotated(tmp_path)
    log = open_log(str(tmp_path))
    for path in list(tmp_path.iterdir()):
        path.unlink()
    assert len(seconds(log)) == 9


def test_a_file_that_is_emptied_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, LIVE, *(line(n) for n in range(2000)))
    log = open_log(str(tmp_path))
    blocks = log.blocks()
    assert next(blocks)
    os.truncate(path, 0)
    assert list(blocks) == []
    assert log.files[0].note == "access.log was emptied while it was read"


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        (
            lambda data: data[: len(data) // 2],
            "access.log.2.gz ends in the middle of compressed data",
        ),
        (
            lambda _data: b"no gzip",
            "access.log.2.gz cannot be read on: Not a gzipped file (b'no')",
        ),
        (
            lambda data: data[:-8] + b"\0" * 8,
            "access.log.2.gz cannot be read on: CRC check failed 0x0",
        ),
        (lambda data: data[:12] + b"\xff" * 40, "access.log.2.gz cannot be read on: Error -3 "),
    ],
)
def test_compressed_files_that_are_damaged(
    tmp_path: Path, damage: Callable[[bytes], bytes], note: str
) -> None:
    path = write(tmp_path, SECOND, *(line(n) for n in range(50)))
    path.write_bytes(damage(path.read_bytes()))
    write(tmp_path, LIVE, line(99))
    log = open_log(str(tmp_path))
    assert seconds(log)[-1] == 99.0
    assert log.files[0].note.startswith(note)


def test_lines_without_an_end_take_no_memory(tmp_path: Path) -> None:
    write(tmp_path, FIRST, line(1), b"x" * (3 * LONGEST_LINE), line(2), b"y" * (2 * LONGEST_LINE))
    log = open_log(str(tmp_path))
    found = [one for lines in log.blocks() for one in lines if one]
    assert max(len(one) for one in found) <= LONGEST_LINE + 2 * traffic_read.BLOCK
    assert [bool(parse_line(one)) for one in found] == [True, False, True, False]


def test_an_empty_file_and_empty_lines(tmp_path: Path) -> None:
    write(tmp_path, FIRST)
    write(tmp_path, LIVE, line(1), b"", line(2))
    assert seconds(open_log(str(tmp_path))) == [1.0, 2.0]


def test_links_and_pipes_are_no_files_of_the_log(tmp_path: Path) -> None:
    write(tmp_path, LIVE, line(1))
    (tmp_path / FIRST).symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "access.log.3")
    assert names(open_log(str(tmp_path))) == [LIVE]


def test_a_folder_without_a_log(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(LoadBalancingError) as refused:
            open_log(str(folder))
        assert str(refused.value) == (
            f"There is no access log in {folder}: nothing was deployed there. Set the variable "
            "stack_name to the name of a stack of this host."
        )


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    path = write(tmp_path, LIVE)
    with pytest.raises(LoadBalancingError, match=r"cannot be read: Not a directory\.$"):
        open_log(str(path))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rotated(tmp_path)
    plain = os.open

    def refuse(path: str, *rest: Any) -> int:
        if path.endswith(FIRST):
            raise PermissionError(13, "Permission denied")
        return plain(path, *rest)

    monkeypatch.setattr(os, "open", refuse)
    log = open_log(str(tmp_path))
    assert names(log) == [SECOND, LIVE]
    assert log.notes == ("access.log.1 cannot be read: Permission denied",)
    assert len(seconds(log)) == 6


def rotate(folder: Path) -> None:
    """What logrotate does."""
    (folder / FIRST).unlink(missing_ok=True)
    (folder / LIVE).rename(folder / FIRST)
    write(folder, LIVE, line(1000))


def test_a_rotation_while_files_are_opened_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated(tmp_path)
    plain, left = os.open, [1]

    def interrupted(path: str, *rest: Any) -> int:
        if path.endswith(LIVE) and left:
            left.pop()
            rotate(tmp_path)
        return plain(path, *rest)

    monkeypatch.setattr(os, "open", interrupted)
    assert sorted(seconds(open_log(str(tmp_path)))) == [0, 100, 200, 600, 700, 800, 1000]


def test_a_folder_that_never_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rotated(tmp_path)
    plain = os.open

    def interrupted(path: str, *rest: Any) -> int:
        if path.endswith(LIVE):
            rotate(tmp_path)
        return plain(path, *rest)

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(LoadBalancingError) as refused:
        open_log(str(tmp_path))
    assert str(refused.value) == f"{tmp_path} changed each time it was listed. Try again."


@pytest.mark.parametrize("gone", [1, 3])
def test_a_file_that_vanishes_while_files_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: int
) -> None:
    """In the listing itself, or between the listing and the opening."""
    rotated(tmp_path)
    plain, seen = os.lstat, [0]

    def vanishing(path: Any, *rest: Any, **options: Any) -> os.stat_result:
        seen[0] += 1
        if seen[0] == gone:
            (tmp_path / SECOND).unlink()
        return plain(path, *rest, **options)

    monkeypatch.setattr(os, "lstat", vanishing)
    assert [s for s in seconds(open_log(str(tmp_path))) if s >= 300] == [
        *(300.0, 400.0, 500.0),
        *(600.0, 700.0, 800.0),
    ]


@given(data=st.lists(st.sampled_from([b"a", b"\n", b"bc", b"\xff\n"]), max_size=60))
def test_lines_are_those_of_the_file_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, data: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    (folder / FIRST).write_bytes(b"".join(data))
    patch = pytest.MonkeyPatch()
    with patch.context() as short:
        short.setattr(traffic_read, "BLOCK", 3)
        found = [one for lines in open_log(str(folder)).blocks() for one in lines]
    expected = b"".join(data).split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])
