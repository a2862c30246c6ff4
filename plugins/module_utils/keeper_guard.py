# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the keeper where systemd does not: starts it again when it ends, kills it when it is silent.

It speaks the protocol of ``service_notify`` from the other end, so the keeper cannot tell it from
systemd. The keeper ends with it, whatever ends it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Callable, cast

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.service_notify import (
    START_SECONDS,
)

RUN_DIRECTORY = "/run"
KEEPER = f"{__package__}.keeper"
LOG_SIZE = 5 << 20
"""Bytes that the log may have; then it is renamed, and the one that was renamed before goes."""

NICE = -10
"""The keeper's priority: what it does is short, and it is needed most when the host is busy."""

_TICK = 0.2
"""Seconds between two looks at the keeper."""

_CHUNK = 1 << 16
"""Bytes that a pipe holds."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Patience:
    """Seconds without a sign of life, until it is ready, until it has stopped; before it is
    started again, at first and at most. One that lived less than ``short_life`` ended quickly.
    """

    silence: float = 6.0
    start: float = START_SECONDS
    stop: float = 20.0
    pause: float = 1.0
    longest_pause: float = 30.0
    short_life: float = 30.0


class BoundedLog:
    """A log file that is never larger than ``size``, with one older one beside it.

    It is opened for each text, so anybody may rename it. A disk that is full loses texts, nothing
    else.
    """

    def __init__(self, path: str, size: int = LOG_SIZE) -> None:
        self._path = path
        self._size = size

    def append(self, data: bytes) -> None:
        """Add what a program printed."""
        try:
            with open(self._path, "ab", opener=_private) as file:
                if file.tell() + len(data) <= self._size:
                    file.write(data)
                    return
            os.replace(self._path, f"{self._path}.1")
            with open(self._path, "ab", opener=_private) as file:
                file.write(data)
        except OSError:
            return

    def write(self, text: str) -> None:
        """Add a text of the guard's own."""
        self.append(text.encode("utf-8", "replace"))

    def flush(self) -> None:
        """Nothing is held back."""


class Guard:
    """Keeps one command running."""

    def __init__(
        self,
        stack: str,
        command: Sequence[str],
        listen_at: str,
        log: BoundedLog,
        patience: Patience,
    ) -> None:
        """
        :param listen_at: path of the socket for the command's signs of life.
        """
        self._command = list(command)
        self._listen_at = listen_at
        self._log = log
        self._journal = Journal(stack, log)
        self._patience = patience
        self._stopped = threading.Event()

    def stop(self, *_unused: object) -> None:
        """Stop the command and end. A signal handler, so it only leaves a note."""
        self._stopped.set()

    def run(self) -> None:
        """Run the command until :meth:`stop` is called."""
        pause = self._patience.pause
        with self._listening() as notes:
            while not self._stopped.is_set():
                started = time.monotonic()
                outcome = self._attend(notes)
                if self._stopped.is_set():
                    break
                if time.monotonic() - started >= self._patience.short_life:
                    pause = self._patience.pause
                text = f"the keeper {outcome}; it is started again in {pause:g} s"
                self._journal.tell("keeper", text, "error")
                self._wait(pause)
                pause = min(2 * pause, self._patience.longest_pause)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopped.is_set() and time.monotonic() < end:
            time.sleep(min(_TICK, seconds))

    @contextlib.contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        """The socket for signs of life; only this user may send."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._listen_at)
        before = os.umask(0o077)
        try:
            notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            notes.setblocking(False)
            notes.bind(self._listen_at)
        finally:
            os.umask(before)
        try:
            yield notes
        finally:
            notes.close()
            os.unlink(self._listen_at)

    def _attend(self, notes: socket.socket) -> str:
        """Start the command and stay with it until it has ended; gives how it ended."""
        _received(notes)  # what an earlier one left
        try:
            process = self._start()
        except (OSError, subprocess.SubprocessError) as error:
            return f"could not be started: {error}"
        with cast(IO[bytes], process.stdout) as output:
            os.set_blocking(output.fileno(), False)
            late = self._watch(process, output.fileno(), notes)
            self._relay(output.fileno())
        if late:
            return f"{late} and was killed"
        status = process.returncode
        return f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"

    def _watch(self, process: subprocess.Popen[bytes], output: int, notes: socket.socket) -> str:
        """Pass on what it prints until it has ended; kill it when it is late, and say with what."""
        deadline = time.monotonic() + self._patience.start
        late = f"was not ready within {self._patience.start:g} s"
        sources: list[Any] = [output, notes]
        told = ready = False
        while process.poll() is None:
            readable = select.select(sources, [], [], _TICK)[0]
            if output in readable and not self._relay(output):
                sources.remove(output)  # it has closed its output and runs on
            signs = _received(notes)
            if self._stopped.is_set() and not told:
                process.terminate()
                told, deadline = True, time.monotonic() + self._patience.stop
            elif signs and not told:
                ready = ready or "READY=1" in signs
                seconds = self._patience.silence if ready else self._patience.start
                deadline = time.monotonic() + seconds
                late = f"was silent for {seconds:g} s"
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                return late
        return ""

    def _relay(self, output: int) -> bool:
        """Add to the log what the pipe holds; whether more may come."""
        try:
            data = os.read(output, _CHUNK)
        except BlockingIOError:
            return True
        if data:
            self._log.append(data)
        return bool(data)

    def _start(self) -> subprocess.Popen[bytes]:
        watchdog = str(round(self._patience.silence * 1_000_000))
        # It is never run by a module, where there would be AnsibleModule.run_command.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NOTIFY_SOCKET": self._listen_at, "WATCHDOG_USEC": watchdog},
            preexec_fn=_ending_with(os.getpid()),  # noqa: PLW1509 - the guard has one thread
        )


def _private(path: str, flags: int) -> int:
    """Open a file that, if it is new, nobody else may read."""
    return os.open(path, flags, 0o600)


def _received(notes: socket.socket) -> set[str]:
    """The assignments in all messages that have come."""
    found: set[str] = set()
    while True:
        try:
            found.update(notes.recv(_CHUNK).decode("utf-8", "replace").splitlines())
        except BlockingIOError:
            return found


def _ending_with(parent: int) -> Callable[[], None]:
    """What binds a child's life to its parent's, done before it runs its program (prctl(2))."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # the parent ended just before

    return bind


@contextlib.contextmanager
def only_one(path: str) -> Iterator[bool]:
    """Whether no other process is inside with the same path; the kernel forgets one that ends."""
    with open(path, "a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def main(argv: Sequence[str]) -> int:
    """Guard the keeper of one stack until SIGTERM comes. Exit status 1 if another guard does."""
    parser = argparse.ArgumentParser(prog="keeper_guard", description=main.__doc__)
    parser.add_argument("--stack", required=True)
    stack = str(parser.parse_args(argv).stack)
    base = os.path.join(RUN_DIRECTORY, f"digiz-keeper-{stack}")
    log = BoundedLog(os.path.join(StackPaths(stack).logs, "keeper.log"))
    command = [sys.executable, "-m", KEEPER, "--stack", stack]
    guard = Guard(stack, command, f"{base}.notify", log, Patience())
    with contextlib.suppress(OSError):  # a container may not have the right to it
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with only_one(f"{base}.lock") as alone:
        if not alone:
            sys.stderr.write(f"The keeper of the stack {stack} is guarded already.\n")
            return 1
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, guard.stop)
        guard.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
