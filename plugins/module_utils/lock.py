# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deploy lock: one run at a time changes a stack, and a run that died blocks nobody for long.

The lock is a file that names its owner and carries a sign of life. A step that runs holds a kernel
lock besides, so a step that outlives its killed controller is waited for (docs/decisions/0001).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    write_json,
    write_text,
)

STALE_AFTER = 30.0
HEARTBEAT = 1.0
WAIT = 120.0
"""Seconds for which a step that outlives its run is waited for."""

AUDIT_SIZE = 1 << 20
"""Bytes that the audit log may have; beyond that its older half goes."""


@dataclass(frozen=True)
class Owner:
    """Who holds the lock: ``who`` from ``where`` for ``what``, since ``since`` (seconds of the
    epoch).
    """

    token: str
    who: str
    where: str
    what: str
    since: float
    alive: float
    steps: int = 0

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Owner | None:
        """The owner in the lock's file; None for an empty or damaged one."""
        try:
            return cls(
                token=str(data["token"]),
                who=str(data["who"]),
                where=str(data["where"]),
                what=str(data["what"]),
                since=float(data["since"]),
                alive=float(data["alive"]),
                steps=int(data.get("steps", 0)),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def describe(self, now: float) -> str:
        """For people: whose lock it is and when it last gave a sign of life."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        quiet = max(0, round(now - self.alive))
        return (
            f"{self.what} by {self.who} from {self.where} since {since}, "
            f"last sign of life {quiet} s ago"
        )


class DeployLock:
    """The lock of one stack."""

    def __init__(self, paths: StackPaths, clock: Callable[[], float] = time.time) -> None:
        self._paths = paths
        self._clock = clock
        self._file = os.path.join(paths.state, "lock.json")

    def owner(self) -> Owner | None:
        """Who holds it now."""
        return Owner.from_mapping(read_json(self._file))

    def acquire(
        self,
        who: str,
        where: str,
        what: str,
        stale_after: float = STALE_AFTER,
        wait: float = WAIT,
    ) -> tuple[str, str]:
        """Take the lock; gives its token and, where a dead run held it, whose it was.

        A run that was killed may have left a step that still works on the host and gives signs of
        life. It is waited for, at most ``wait`` seconds, and ``stale_after`` seconds more without a
        sign. Raises LoadBalancingError when the owner is seen to begin another step, or when the
        wait is over.
        """
        try:
            os.makedirs(self._paths.state, mode=0o700, exist_ok=True)
        except OSError as error:
            raise LoadBalancingError(
                f"{self._paths.state} cannot be made: {error.strerror}."
            ) from error
        first = seen = self.owner()
        changed = time.monotonic()
        deadline = changed + wait + stale_after
        while True:
            now = self.owner()
            if now != seen:
                seen, changed = now, time.monotonic()
            # Watched as well as read: after the clock was set back, a dead owner's last sign of
            # life may lie in the future.
            quiet = max(self._clock() - now.alive, time.monotonic() - changed) if now else 0.0
            if now is None or quiet > stale_after:
                with self.exclusive(timeout=max(60.0, stale_after)):
                    if self.owner() == now:
                        return self._take(now, who, where, what)
                continue
            alive = first is None or (now.token, now.steps) != (first.token, first.steps)
            if alive or time.monotonic() > deadline:
                raise LoadBalancingError(
                    f"The stack {self._paths.name} is being changed: "
                    f"{now.describe(self._clock())}. Wait for it to end, then run this again."
                )
            time.sleep(min(HEARTBEAT, stale_after) / 4)

    def _take(self, dead: Owner | None, who: str, where: str, what: str) -> tuple[str, str]:
        now = self._clock()
        token = secrets.token_hex(8)
        taken_over = dead.describe(now) if dead else ""
        self.audit(who, where, what, f"takes over the lock of {taken_over}" if dead else "begins")
        self._write(Owner(token, who, where, what, now, now))
        return token, taken_over

    def release(self, token: str, text: str = "ends") -> float:
        """Free the lock if it is still ours; gives the seconds that we had it, 0 if it is not."""
        owner = self.owner()
        if owner is None or owner.token != token:
            return 0.0
        with self.exclusive():
            owner = self.owner()
            if owner is None or owner.token != token:
                return 0.0  # taken over at this very moment
            os.unlink(self._file)
        self.audit(owner.who, owner.where, owner.what, text)
        return self._clock() - owner.since

    @contextlib.contextmanager
    def held(self, token: str) -> Iterator[None]:
        """Do something under the lock, giving a sign of life each second.

        Raises LoadBalancingError if the lock was taken over meanwhile by another run.
        """
        with self.exclusive():
            self._beat(token, step=1)
            done = threading.Event()
            thread = threading.Thread(target=self._keep_alive, args=(token, done), daemon=True)
            thread.start()
            try:
                yield
            finally:
                done.set()
                thread.join()

    @contextlib.contextmanager
    def exclusive(self, timeout: float = 60.0) -> Iterator[None]:
        """The kernel's lock, which ends with the process that holds it."""
        with kernel_lock(os.path.join(self._paths.state, "step.lock"), timeout):
            yield

    def audit(self, who: str, where: str, what: str, text: str) -> None:
        """Add a line to the audit log, at most 1 MiB of which is kept."""
        path = os.path.join(self._paths.state, "audit.log")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self._clock()))
        line = " ".join(f"{stamp} {who}@{where} {what}: {text}".split())
        try:
            with open(path, "a", encoding="utf-8", errors="replace") as handle:
                os.fchmod(handle.fileno(), 0o600)
                handle.write(line + "\n")
            if os.path.getsize(path) <= AUDIT_SIZE:
                return
            with open(path, "rb") as log:
                log.seek(-AUDIT_SIZE // 2, os.SEEK_END)
                tail = log.read().partition(b"\n")[2]
        except OSError as error:
            raise LoadBalancingError(f"{path} cannot be written: {error.strerror}.") from error
        write_text(path, tail.decode("utf-8", "replace"), 0o600)

    def _write(self, owner: Owner) -> None:
        write_json(self._file, vars(owner), 0o600)

    def _beat(self, token: str, step: int = 0) -> None:
        owner = self.owner()
        if owner is None or owner.token != token:
            whose = f"is held by {owner.describe(self._clock())}" if owner else "was freed"
            raise LoadBalancingError(
                f"This run lost the lock of the stack {self._paths.name}: it {whose}. "
                "Nothing more is changed by this run."
            )
        self._write(replace(owner, alive=self._clock(), steps=owner.steps + step))

    def _keep_alive(self, token: str, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT):
            try:
                self._beat(token)
            except LoadBalancingError:
                return  # lost, or the disk is full: the next step will be told


@contextlib.contextmanager
def kernel_lock(path: str, timeout: float) -> Iterator[None]:
    """Hold ``flock`` on a file. Raises LoadBalancingError if another process keeps it longer than
    ``timeout`` seconds, or if the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LoadBalancingError(
            f"{path} cannot be locked: {error.strerror}. "
            "Run the playbook deploy first, or correct stack_name."
        ) from error
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    raise LoadBalancingError(
                        f"Another process holds {path} for more than {timeout:g} s. "
                        f"See which one with: fuser {path}"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
