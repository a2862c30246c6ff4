# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an access log, also those that were rotated and compressed, oldest first.

nginx writes while they are read, and logrotate renames, compresses and removes them. So all files
are opened first, and listed again until the list is that of what is open: then no name can lead
elsewhere any more. What a file had when it was opened is read, nothing that comes later.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import (
    LONGEST_LINE,
    parse_line,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

NAME = "access.log"
BLOCK = 1 << 18
MARGIN = 60.0
"""Seconds by which lines may be out of order: nginx keeps them for a second at most."""

_ROTATED = re.compile(rf"{re.escape(NAME)}(?:[.-][0-9][0-9-]{{0,20}})?(\.gz)?")
_TRIES = 10
# nginx may write into the folder: a link or a pipe there is none of ours.
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
# Where a line of nginx has its time: {"ts":"2026-11-29T15:00:00+00:00","msec":1795964400.123,
_BEFORE_TIME = slice(32, 41)
_TIME = slice(41, 55)
_MARK = b'","msec":'


@dataclass
class LogFile:
    """One file, open. ``read`` counts its lines, ``note`` says what was wrong with it, ``earlier``
    whether it has requests from before the time that was asked for.
    """

    name: str
    handle: BinaryIO
    size: int
    changed: float  # when it was written last, seconds since 1970
    inode: tuple[int, int]
    read: int = 0
    note: str = ""
    outside: bool = field(default=False, init=False)
    earlier: bool = field(default=False, init=False)

    @property
    def live(self) -> bool:
        """Whether nginx writes to it."""
        return self.name == NAME


@dataclass(frozen=True)
class Log:
    """The files of a log that may hold requests from ``since`` to ``until``."""

    files: tuple[LogFile, ...]
    left_out: int  # older files
    notes: tuple[str, ...]
    since: float = float("-inf")
    until: float = float("inf")

    @property
    def reaches_back(self) -> bool:
        """Whether the log has requests from before ``since``; known once it was read."""
        return self.left_out > 0 or any(one.earlier for one in self.files)

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines of that time and some others, in lists, file by file, each closed at its end.

        Never raises for what is wrong with a file: its ``note`` tells that.
        """
        for one in self.files:
            with one.handle:
                yield from self._blocks_of(one)

    def _blocks_of(self, one: LogFile) -> Iterator[list[bytes]]:
        ranged = self.since > 0 or self.until < float("inf")
        for lines in _blocks(one):
            if not one.read and ranged and self._begins_later(lines):
                one.outside = True
                return
            one.read += len(lines)
            yield [line for line in lines if self._holds(line, one)] if ranged else lines

    def _begins_later(self, lines: list[bytes]) -> bool:
        """Whether a file that begins with these lines is all after ``until``."""
        entries = (parse_line(line) for line in lines)
        first = next((entry for entry in entries if entry), None)
        return first is not None and first.time > self.until + MARGIN

    def _holds(self, line: bytes, one: LogFile) -> bool:
        """Whether a line may be of that time, by a look that is cheap."""
        if line[_BEFORE_TIME] != _MARK:
            return True
        try:
            time = float(line[_TIME].partition(b",")[0])
        except ValueError:
            return True
        if time < self.since:
            one.earlier = True
            return False
        # What is no number is left to whoever reads the line.
        return time <= self.until or math.isnan(time)


def open_log(folder: str, since: float | None = None, until: float | None = None) -> Log:
    """Open the files of the log in a folder, without those that were written last before `since`.

    Raises LoadBalancingError if there is no log, or if it changes all the time.
    """
    begin = float("-inf") if since is None else since
    end = float("inf") if until is None else until
    for _attempt in range(_TRIES):
        listed = _list(folder)
        if not listed:
            break
        files, notes = _open(folder, [n for n, stat in listed.items() if stat.st_mtime >= begin])
        now = _list(folder)
        if now.keys() == listed.keys() and all(
            _inode(now[name]) == one.inode for name, one in files.items()
        ):
            ordered = sorted(files.values(), key=lambda one: (one.live, one.changed, one.name))
            left_out = sum(stat.st_mtime < begin for stat in listed.values())
            return Log(tuple(ordered), left_out, tuple(notes), begin, end)
        for one in files.values():
            one.handle.close()
    if not listed:
        raise LoadBalancingError(
            f"There is no access log in {folder}: nothing was deployed there. Set the variable "
            "stack_name to the name of a stack of this host."
        )
    raise LoadBalancingError(f"{folder} changed each time it was listed. Try again.")


def _list(folder: str) -> dict[str, os.stat_result]:
    """The files of the log by name. Of a file that is being compressed, the one that is whole."""
    found = {}
    try:
        for one in os.scandir(folder):
            if _ROTATED.fullmatch(one.name) and one.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):
                    found[one.name] = os.lstat(one.path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LoadBalancingError(f"{folder} cannot be read: {error.strerror}.") from error
    return {name: stat for name, stat in found.items() if name[: -len(".gz")] not in found}


def _open(folder: str, names: list[str]) -> tuple[dict[str, LogFile], list[str]]:
    """Open these files; what cannot be opened is a note, what has gone is left out."""
    files: dict[str, LogFile] = {}
    notes = []
    for name in names:
        try:
            handle = os.fdopen(os.open(os.path.join(folder, name), _OPEN), "rb")
        except FileNotFoundError:
            continue
        except OSError as error:
            notes.append(f"{name} cannot be read: {error.strerror}")
            continue
        stat = os.fstat(handle.fileno())
        files[name] = LogFile(name, handle, stat.st_size, stat.st_mtime, _inode(stat))
    return files, notes


def _inode(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _blocks(one: LogFile) -> Iterator[list[bytes]]:
    """The lines of a file in lists. One that is too long for a request is cut there, which damages
    it. The last line of the live file may be half of one: it is left out.
    """
    rest = b""
    for data in _data(one):
        *lines, tail = data.split(b"\n")
        if lines:
            lines[0] = rest + lines[0]
            rest = tail
            yield lines
        elif len(rest) <= LONGEST_LINE:
            rest += tail
    if rest and (not one.live or parse_line(rest)):
        yield [rest]


def _data(one: LogFile) -> Iterator[bytes]:
    """What is in a file, unpacked, up to what damages it."""
    try:
        if not one.name.endswith(".gz"):
            yield from _plain(one)
            return
        with gzip.GzipFile(fileobj=one.handle) as unpacked:
            while True:
                data = unpacked.read(BLOCK)
                if not data:
                    return
                yield data
    except EOFError:
        one.note = f"{one.name} ends in the middle of compressed data"
    except (OSError, zlib.error) as error:
        one.note = f"{one.name} cannot be read on: {getattr(error, 'strerror', None) or error}"


def _plain(one: LogFile) -> Iterator[bytes]:
    left = one.size
    while left > 0:
        data = one.handle.read(min(BLOCK, left))
        if not data:
            one.note = f"{one.name} was emptied while it was read"
            return
        left -= len(data)
        yield data
