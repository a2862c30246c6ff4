# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Active health checks that go on in the background: one thread per replica, so that one that is
slow delays no other.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.health import (
    FAILING,
    PASSING,
    Health,
    HealthCheck,
    judge,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import Probe, probe

SHORTEST_PAUSE = 0.05
"""Seconds between two probes of a replica at least, however long the first one took."""

FAST = 0.1
"""Seconds between the probes of a replica that has just begun to give no answer. HAProxy calls it
``fastinter``. They overlap: each one has its full time to be answered.
"""

CLOSELY = 2.0
"""Seconds for which a replica that something happens to is probed as fast: one that is told to end
still answers for a moment.
"""

Ask = Callable[[str, str, HealthCheck], Probe]


def ask(_replica: str, address: str, check: HealthCheck) -> Probe:
    """Probe a replica's address once."""
    return probe(address, check.port, check.path, check.timeout, check.statuses)


class Prober:
    """Probes replicas until told otherwise. ``changed`` is called, from any thread, whenever a
    verdict changes; ``how`` asks one replica (its id, its address) once.
    """

    def __init__(self, changed: Callable[[], None], how: Ask = ask) -> None:
        self._changed = changed
        self._how = how
        self._watches: dict[tuple[str, str, HealthCheck], _Watch] = {}

    def watch(self, check: HealthCheck, targets: Mapping[str, str]) -> None:
        """Probe just these from now on: ids of replicas and their addresses.

        A replica with another address than before, or another check, begins as unknown.
        """
        wanted = {(replica, address, check) for replica, address in targets.items() if address}
        for key in set(self._watches) - wanted:
            self._watches.pop(key).stop()
        for key in sorted(wanted - set(self._watches)):
            self._watches[key] = _Watch(*key, self._how, self._changed)

    def hurry(self, replica: str) -> None:
        """Probe a replica now, and closely for a moment: something happens to it."""
        for key, one in list(self._watches.items()):
            if key[0] == replica:
                one.hurry()

    def fail(self, replica: str, reason: str) -> None:
        """Call a replica ill without asking: it is known to have ended. It may pass again."""
        for key, one in list(self._watches.items()):
            if key[0] == replica:
                one.fail(key[2], reason)

    def health(self) -> dict[str, Health]:
        """What is known of each replica that is probed, by its id."""
        return {key[0]: one.health for key, one in self._watches.items()}

    def close(self) -> None:
        """Probe nobody any more."""
        for one in self._watches.values():
            one.stop()
        self._watches.clear()


class _Watch:
    """The thread that probes one replica."""

    def __init__(
        self,
        replica: str,
        address: str,
        check: HealthCheck,
        how: Ask,
        changed: Callable[[], None],
    ) -> None:
        self.health = Health()
        self._stopped = False
        self._closely_until = 0.0
        self._wake = threading.Event()
        arguments = (replica, address, check, how, changed)
        name = f"probe {address}"
        threading.Thread(target=self._run, args=arguments, name=name, daemon=True).start()

    def stop(self) -> None:
        """Begin no further probe."""
        self._stopped = True
        self._wake.set()

    def hurry(self) -> None:
        """Begin the next probe now, and others soon after it."""
        self._closely_until = time.monotonic() + CLOSELY
        self._wake.set()

    def fail(self, check: HealthCheck, reason: str) -> None:
        """As if it had failed often enough just now."""
        self.health = Health(FAILING, time.time(), -check.fall, 0.0, reason)

    def _run(
        self,
        replica: str,
        address: str,
        check: HealthCheck,
        how: Ask,
        changed: Callable[[], None],
    ) -> None:
        def ask_now() -> Probe:
            return _ask_once(how, replica, address, check)

        while not self._stopped:
            self._wake.clear()
            started = time.monotonic()
            verdict = self.health.verdict
            found = ask_now()  # takes time, in which it may be called ill without asking
            self.health = judge(self.health, found, check, time.time())
            if self._is_silent():
                pause = min(FAST, check.interval)
                for found in _overlapping(ask_now, check.fall + self.health.streak, pause):
                    self.health = judge(self.health, found, check, time.time())
            if self.health.verdict != verdict and not self._stopped:
                changed()
            if not self._stopped:
                pause = self._interval(check) - (time.monotonic() - started)
                self._wake.wait(max(SHORTEST_PAUSE, pause))

    def _interval(self, check: HealthCheck) -> float:
        """Seconds from one probe to the next."""
        closely = time.monotonic() < self._closely_until
        return min(FAST, check.interval) if closely else check.interval

    def _is_silent(self) -> bool:
        """Whether it was well and gives no answer now, of whatever status."""
        now = self.health
        return now.verdict == PASSING and now.streak < 0 and not now.answered


def _overlapping(ask_now: Callable[[], Probe], count: int, pause: float) -> Iterator[Probe]:
    """So many probes, begun one ``pause`` after the other, as they end."""
    ended: queue.SimpleQueue[Probe] = queue.SimpleQueue()
    for number in range(1, count + 1):
        timer = threading.Timer(number * pause, lambda: ended.put(ask_now()))
        timer.daemon = True
        timer.start()
    for _unused in range(count):
        yield ended.get()


def _ask_once(how: Ask, replica: str, address: str, check: HealthCheck) -> Probe:
    """One probe. One that ends in an unexpected error has failed: a thread that ended with it would
    leave the last verdict standing for ever.
    """
    try:
        return how(replica, address, check)
    except Exception as error:  # whatever it is, the replica is probed on
        return Probe(False, 0.0, f"{type(error).__name__}: {error}")
