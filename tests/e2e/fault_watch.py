# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches a stack while something fails: who is published, what the keeper says, and how many
connections the balancer holds to each replica. It only looks, and shares no code with what it
looks at, but for what asks the kernel. To read /proc/net/tcp instead takes most of a processor: it
has a line for each connection that ended lately, too.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.request import urlopen

from ansible_collections.digiz.load_balancing.plugins.module_utils.socket_progress import flows
from tests.e2e.stack import Stack

APP_PORT = 8000
LOOK_EVERY, ASK_EVERY = 0.025, 0.15  # seconds

Judge = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Look:
    """One moment: who is published (addresses by ids, None: not readable), and how many connections
    this host holds to each replica's address.
    """

    time: float
    members: Mapping[str, str] | None
    held: Counter[str]


@dataclass(frozen=True)
class Said:
    """What the keeper said at a moment; empty if it did not answer."""

    time: float
    status: Mapping[str, Any]


class Watch:
    """Looks until the block ends. All moments are seconds of the epoch, as in the access log."""

    def __init__(self, stack: Stack) -> None:
        self.looks: list[Look] = []
        self.says: list[Said] = []
        self._stack = stack
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(work, every), daemon=True)
            for work, every in ((self._look, LOOK_EVERY), (self._ask, ASK_EVERY))
        ]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def left(self, gone: Mapping[str, str], since: float, timeout: float) -> float | None:
        """When these (addresses by ids) were out of rotation: not published any more, and the
        keeper says that they get nothing. None if they were not within ``timeout`` seconds.
        """

        def out(said: Said) -> bool:
            replicas = said.status.get("replicas", [])
            members = {one["id"] for one in replicas if one["member"]}
            if not said.status.get("served") or members & set(gone):
                return False
            return any(
                look.members is not None and not gone.items() & look.members.items()
                for look in self.looks_in(since, said.time)
            )

        return self._first(out, since, timeout)

    def whole(
        self, since: float, timeout: float, also: Judge = lambda _status: True
    ) -> float | None:
        """When the stack was whole again: the keeper says that all replicas are healthy and get
        traffic, so many are published, and each of them answers. None if not within ``timeout``.
        """

        def well(said: Said) -> bool:
            status = said.status
            if status.get("state") != "ok" or not also(status):
                return False
            published = self.published()
            wanted = status["wanted"]
            if not status["healthy"] == len(status["members"]) == len(published) == wanted:
                return False
            return all(answers(address) for address in published.values())

        return self._first(well, since, timeout)

    def says_that(self, judge: Judge, since: float, timeout: float) -> float | None:
        """When the keeper first said something that is so judged."""
        return self._first(lambda said: judge(said.status), since, timeout)

    def published(self) -> dict[str, str]:
        """Who is published now, nobody while that cannot be read."""
        try:
            return self._stack.members()
        except (OSError, ValueError, KeyError):
            return {}

    def looks_in(self, begin: float, end: float) -> list[Look]:
        """What was seen between two moments."""
        return [look for look in self.looks if begin <= look.time <= end]

    def held(self, addresses: set[str], begin: float, end: float) -> int:
        """Most connections that were held to these addresses together at any moment between."""
        return max(
            (sum(look.held[one] for one in addresses) for look in self.looks_in(begin, end)),
            default=0,
        )

    def nobody_left(self, since: float) -> bool:
        """Whether the same were published all the time, as far as that could be read."""
        seen = [look.members for look in self.looks_in(since, time.time()) if look.members]
        return bool(seen) and all(members == seen[0] for members in seen)

    def _first(self, judge: Callable[[Said], bool], since: float, timeout: float) -> float | None:
        position = 0
        while True:
            for said in self.says[position:]:
                position += 1
                if said.time >= since and judge(said):
                    return said.time
            if time.time() > since + timeout:
                return None
            time.sleep(LOOK_EVERY)

    def _repeat(self, work: Callable[[], None], every: float) -> None:
        while not self._ended.wait(every):
            work()

    def _look(self) -> None:
        now = time.time()
        try:
            members: Mapping[str, str] | None = self._stack.members()
        except (OSError, ValueError, KeyError):
            members = None
        held = Counter(flow.address for flow in flows() if flow.port == APP_PORT)
        self.looks.append(Look(now, members, held))

    def _ask(self) -> None:
        status = self._stack.status()
        self.says.append(Said(time.time(), status))


def answers(address: str, path: str = "/health") -> bool:
    """Whether a replica itself answers, past the balancer."""
    try:
        with urlopen(f"http://{address}:{APP_PORT}{path}", timeout=2) as answer:
            return bool(json.loads(answer.read()))
    except (OSError, ValueError):
        return False
