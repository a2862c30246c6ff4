# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Following the access log: every line once, through rotations, truncation and half lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import log_follower
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.log_follower import (
    GRACE,
    ROTATED,
    LogFollower,
)
from tests.unit.examples import examples


class Log:
    """A log that is written as nginx does: the writer keeps its file until it is told."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.now = 0.0
        self.followers: list[LogFollower] = []
        self.writer = -1
        self.reopen()

    def reopen(self) -> None:
        """What USR1 tells nginx to do."""
        self.close()
        self.writer = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def close(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)

    def write(self, text: str) -> None:
        os.write(self.writer, text.encode())

    def rename(self) -> None:
        """The first half of a rotation: .1 becomes .2 and so on."""
        for number in range(20, 0, -1):
            old = self.path.with_name(f"access.log.{number}")
            if old.exists():
                old.rename(self.path.with_name(f"access.log.{number + 1}"))
        if self.path.exists():
            self.path.rename(self.path.with_name("access.log.1"))

    def rotate(self) -> None:
        self.rename()
        self.reopen()

    def follow(self, most: int = 1 << 20, backlog: int = 1 << 26) -> LogFollower:
        self.followers.append(LogFollower(str(self.path), most, backlog, lambda: self.now))
        return self.followers[-1]


@pytest.fixture(name="log")
def log_fixture(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    yield log
    log.close()
    for follower in log.followers:
        follower.close()


def open_files(folder: Path) -> list[str]:
    """Files of the folder that this process has open for reading."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
            flags = int((Path("/proc/self/fdinfo") / link.name).read_text("ascii").split()[3], 8)
        except OSError:
            continue
        if target.startswith(str(folder)) and flags & 3 == os.O_RDONLY:
            found.append(target)
    return found


def test_it_begins_at_the_end(log: Log) -> None:
    log.write("before\n")
    follower = log.follow()
    assert follower.read() == []
    log.write("one\ntwo\n")
    assert follower.read() == [b"one", b"two"]
    assert follower.read() == []


def test_half_a_line_waits_for_its_end(log: Log) -> None:
    follower = log.follow()
    log.write("on")
    assert follower.read() == []
    log.write("e\ntw")
    assert follower.read() == [b"one"]
    log.write("o\n")
    assert follower.read() == [b"two"]


def test_the_rest_of_a_line_that_had_begun_before_is_left_out(log: Log) -> None:
    log.write("begin")
    follower = log.follow()
    log.write(" and end\n")
    assert follower.read() == []
    log.write("one\n")
    assert follower.read() == [b"one"]


def test_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    follower = LogFollower(str(tmp_path / "later.log"))
    assert follower.read() == []
    (tmp_path / "later.log").write_text("one\n", encoding="utf-8")
    assert follower.read() == [b"one"]
    follower.close()


def test_a_rotation(log: Log) -> None:
    follower = log.follow()
    log.write("one\n")
    log.rename()
    log.write("two\n")  # nginx has not heard of it yet
    assert follower.read() == [b"one", b"two"]
    log.write("three\n")
    log.reopen()
    log.write("four\n")
    assert follower.read() == [b"three", b"four"]


def test_a_writer_that_is_slow_to_hear_of_it(log: Log) -> None:
    """An old balancer that is being replaced, say."""
    follower = log.follow()
    slow = os.dup(log.writer)
    log.rotate()
    log.write("new\n")
    assert follower.read() == [b"new"]
    log.now += GRACE - 1
    os.write(slow, b"old\n")
    assert follower.read() == [b"old"]
    log.now += GRACE - 1
    assert follower.read() == []
    os.write(slow, b"older\n")
    assert follower.read() == [b"older"]
    os.close(slow)
    log.now += GRACE
    assert follower.read() == []
    log.write("newer\n")
    assert follower.read() == [b"newer"]


def test_two_rotations_between_two_looks(log: Log) -> None:
    follower = log.follow()
    log.write("one\n")
    log.rotate()
    log.write("two\n")
    log.rotate()
    log.write("three\n")
    assert follower.read() == [b"one", b"two", b"three"]


def test_what_was_rotated_away_and_removed(log: Log) -> None:
    follower = log.follow()
    log.write("one\n")
    log.rotate()
    log.path.with_name("access.log.1").unlink()
    log.write("two\n")
    assert follower.read() == [b"one", b"two"]


def test_a_log_that_was_taken_away_and_came_back(log: Log) -> None:
    follower = log.follow()
    log.write("one\n")
    assert follower.read() == [b"one"]
    log.path.unlink()
    assert follower.read() == []
    log.now += GRACE
    assert follower.read() == []
    assert open_files(log.path.parent) == []
    log.reopen()
    log.write("two\n")
    assert follower.read() == [b"two"]


def test_a_name_that_comes_back_at_once(log: Log) -> None:
    follower = log.follow()
    aside = log.path.with_name("aside")
    log.path.rename(aside)
    assert follower.read() == []
    aside.rename(log.path)
    log.now += 2 * GRACE
    log.write("one\n")
    assert follower.read() == [b"one"]
    log.now += 2 * GRACE
    assert follower.read() == []
    log.write("two\n")
    assert follower.read() == [b"two"]


def test_truncation(log: Log) -> None:
    follower = log.follow()
    log.write("a long first line\nhalf")
    assert follower.read() == [b"a long first line"]
    os.truncate(log.path, 0)
    log.write("two\n")
    assert follower.read() == [b"two"]


def test_only_so_many_bytes_at_once(log: Log) -> None:
    follower = log.follow(most=10)
    lines = [f"line {number}" for number in range(50)]
    log.write("\n".join(lines) + "\n")
    found: list[bytes] = []
    rounds = 0
    while len(found) < len(lines):
        new = follower.read()
        assert sum(len(one) + 1 for one in new) <= 20
        found += new
        rounds += 1
    assert [one.decode() for one in found] == lines
    assert rounds > 20


def test_what_is_too_far_behind_is_left_out(log: Log) -> None:
    follower = log.follow(backlog=1000)
    lines = [f"line {number:04}" for number in range(1000)]
    log.write("\n".join(lines) + "\n")
    found = [one.decode() for one in follower.read()]
    assert found == lines[-len(found) :]
    assert 40 <= len(found) <= 50
    assert follower.skipped == 10_000 - 500
    log.write("one more\n")
    assert follower.read() == [b"one more"]


def test_a_line_without_end_is_left_out(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "LONGEST_LINE", 100)
    follower = log.follow()
    log.write("x" * 150)
    assert follower.read() == []
    log.write("x" * 50 + "\none\n")
    assert follower.read() == [b"one"]


def test_files_are_not_held_open_without_end(log: Log) -> None:
    follower = log.follow()
    for number in range(30):
        log.rotate()
        log.write(f"{number}\n")
        assert follower.read() == [str(number).encode()]
    assert len(open_files(log.path.parent)) <= ROTATED
    follower.close()
    assert open_files(log.path.parent) == []


def test_a_log_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{tmp_path}/access.log cannot be read: Permission denied."

    def refuse(*_unused: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        LogFollower(f"{tmp_path}/access.log")
    assert str(caught.value) == text


def test_a_disk_that_fails(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = log.follow()

    def fail(*_unused: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(LoadBalancingError, match="cannot be read: Input/output error"):
        follower.read()


ACTS = st.lists(
    st.one_of(
        st.integers(1, 30).map(lambda count: ("write", count)),
        st.just(("half", 0)),
        st.just(("rename", 0)),
        st.just(("reopen", 0)),
        st.just(("read", 0)),
        st.just(("wait", 3)),
    ),
    max_size=60,
)


@settings(max_examples=examples(200), deadline=None)
@given(ACTS, st.integers(5, 200), st.integers(0, 3))
def test_no_line_is_lost_and_none_comes_twice(
    acts: list[tuple[str, int]], most: int, before: int
) -> None:
    """Whatever is written, rotated and read in whatever order, as long as there are no more
    rotations between two looks than files are kept.
    """
    with TemporaryDirectory() as folder:
        log = Log(Path(folder))
        log.write("before\n" * before)
        follower = log.follow(most)
        written, renames = 0, 0
        found: list[bytes] = []
        for act, count in acts:
            if act == "write":
                log.write("".join(f"{written + one}\n" for one in range(count)))
                written += count
            elif act == "half":
                log.write("0")  # the first digit of the next line
            elif act == "rename" and renames < ROTATED - 2:
                log.rename()
                log.reopen()
                renames += 1
            elif act == "reopen":
                log.reopen()
            elif act == "read":
                found += follower.read()
                renames = 0
            elif act == "wait":
                log.now += count
        for _unused in range(3 + written):
            found += follower.read()
        log.close()
        follower.close()
    assert [int(one) for one in found] == list(range(written))
