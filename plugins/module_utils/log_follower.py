# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows a log that grows and is rotated: every line once, those of before not at all.

Files are known by what they are (device and inode), not by their name: a file that is open keeps
its inode, so no other one can be taken for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.access_log import LONGEST_LINE
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

MOST = 1 << 18
"""Bytes that are read at once at most."""

BACKLOG = 64 << 20
"""Bytes that may wait to be read; of more the older ones are left out."""

GRACE = 10.0
"""Seconds without a new line after which a file that was rotated away is closed: whoever writes it
is told to open the new one only after the old one was renamed.
"""

ROTATED = 10
"""Files ``.1``, ``.2`` … that are looked through, and that are held open at most."""

_END = b"\n"


class LogFollower:
    """The lines that are written to ``path`` from now on. A file that appears later is read from
    its begin, one that is truncated anew. Not for several threads.

    What is never seen: lines that were written and truncated between two calls.
    """

    def __init__(
        self,
        path: str,
        most: int = MOST,
        backlog: int = BACKLOG,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises LoadBalancingError if the file is there and cannot be read."""
        self._path = path
        self._most = most
        self._backlog = backlog
        self._clock = clock
        self._files: list[_File] = []
        self.skipped = 0
        """Bytes that were left out, since more than ``backlog`` were waiting."""
        first = _open(path)
        if first:
            first.go_to_end()
            self._files.append(first)

    def read(self) -> list[bytes]:
        """Whole lines that are new, without their ends, oldest first; about ``most`` bytes of them.
        Raises LoadBalancingError if the file is there and cannot be read.
        """
        self._look()
        try:
            return self._read()
        except OSError as error:
            raise _unreadable(self._path, error) from error

    def _read(self) -> list[bytes]:
        lines: list[bytes] = []
        room = self._most
        now = self._clock()
        for file in list(self._files):
            self.skipped += file.skip(self._backlog)
            while room > 0:
                data = file.read(room)
                if not data:
                    break
                room -= len(data)
                file.quiet_since = now
                lines += file.lines(data)
            last = file is self._files[-1] and not file.replaced
            if room > 0 and not last and now - file.quiet_since >= GRACE:
                self._files.remove(file)
                file.close()
        return lines

    def close(self) -> None:
        """Close what is open."""
        for file in self._files:
            file.close()
        self._files.clear()

    def _look(self) -> None:
        """Open what is new, and note when the newest file was taken away."""
        newest = self._files[-1] if self._files else None
        found = _identity(self._path)
        if newest and found == newest.identity:
            newest.replaced = False
            return
        if newest and not newest.replaced:
            newest.replaced = True
            newest.quiet_since = self._clock()
        if found is None:
            return
        for path in reversed(self._between(newest.identity if newest else None)):
            file = _open(path)
            if file and file.identity not in {one.identity for one in self._files}:
                file.quiet_since = self._clock()
                self._files.append(file)
            elif file:
                file.close()
        while len(self._files) > ROTATED:
            self._files.pop(0).close()

    def _between(self, known: tuple[int, int] | None) -> list[str]:
        """The file, and those that were rotated away after the one that is known, newest first."""
        paths = [self._path]
        for number in range(1, ROTATED):
            path = f"{self._path}.{number}"
            identity = _identity(path)
            if identity is None:
                break
            if identity == known:
                return paths
            paths.append(path)
        return paths[:1]


class _File:
    """An open file of the log. ``replaced``: another one has its name, or none has."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self.identity = (status.st_dev, status.st_ino)
        self.replaced = False
        self.quiet_since = 0.0
        self._position = 0
        self._rest = b""
        self._in_the_middle = False

    def go_to_end(self) -> None:
        """Leave out what is there, and the rest of a line that is not whole."""
        self._position = os.fstat(self._descriptor).st_size
        before = os.pread(self._descriptor, 1, max(0, self._position - 1))
        self._in_the_middle = before not in (b"", _END)

    def skip(self, backlog: int) -> int:
        """Leave out the older part of what is waiting if it is too much; gives how many bytes.
        Begin anew if the file was truncated.
        """
        size = os.fstat(self._descriptor).st_size
        if size < self._position:
            self._position, self._rest, self._in_the_middle = 0, b"", False
        behind = size - self._position
        if behind <= backlog:
            return 0
        left_out = behind - backlog // 2
        self._position += left_out
        self._rest, self._in_the_middle = b"", True
        return left_out

    def read(self, most: int) -> bytes:
        """What comes next; empty at the end."""
        data = os.pread(self._descriptor, most, self._position)
        self._position += len(data)
        return data

    def lines(self, data: bytes) -> list[bytes]:
        """Whole lines of what was read before and of this."""
        *whole, self._rest = (self._rest + data).split(_END)
        if whole and self._in_the_middle:
            whole = whole[1:]
            self._in_the_middle = False
        if len(self._rest) > LONGEST_LINE:
            self._rest, self._in_the_middle = b"", True
        return whole

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


def _open(path: str) -> _File | None:
    """The file, at its begin; None if there is none. Raises LoadBalancingError."""
    try:
        return _File(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> LoadBalancingError:
    return LoadBalancingError(f"{path} cannot be read: {error.strerror}.")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
