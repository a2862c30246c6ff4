# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper of one stack: notices in seconds what fails, takes it out of the traffic, mends it.

``python3 -m ansible_collections.digiz.load_balancing.plugins.module_utils.keeper --stack NAME``,
started by the role keeper as a service. How it decides: docs/decisions/0002-keeper.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper_web,
    keeper_work,
    service_notify,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import (
    Balancer,
    Publication,
    SupersededError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import HealthCheck
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_hand import Hand
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import Journal
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_memory import Memory
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Snapshot
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_traffic import Traffic
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_view import (
    Lookout,
    View,
    drilled,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import Probe
from ansible_collections.digiz.load_balancing.plugins.module_utils.prober import Prober, ask
from ansible_collections.digiz.load_balancing.plugins.module_utils.repairs import (
    Repair,
    keeper_members,
    next_repair,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Replica

ROUND = 1.0
"""Seconds between two looks at least, whatever happens."""

SETTLE = 0.2
"""Seconds for which changes are gathered, so that one reload does for all of them."""

ENGINE_PATIENCE = 3
"""Seconds that the engine may take for an answer before it counts as silent: less than the watchdog
of the service waits for a round.
"""

KILL, DIE = "kill", "die"
EVENTS = (KILL, DIE, "create", "start", "stop", "destroy", "pause", "unpause", "rename")
"""The engine's events that wake the keeper; those of health checks come all the time. A stop begins
with ``kill``, a signal: it may take long until the container ends, but it may refuse at once.
"""


class Keeper:
    """Keeps one stack. ``wake`` is set whenever there is something to look at; ``_gathered`` tells
    whether what a look shows has had time to be all of it.
    """

    def __init__(self, paths: StackPaths, host: DockerHost, journal: Journal) -> None:
        self.paths = paths
        self.wake = threading.Event()
        self._journal = journal
        self._prober = Prober(self.wake.set, self._ask)
        self._lookout = Lookout(paths, host, self._prober)
        self._memory = Memory(paths.name, journal)
        self._publisher: Hand[Publication] = Hand("publish", self._done)
        self._mender: Hand[str] = Hand("repair", self._done)
        self._repair: Repair | None = None
        self._hurried = False
        self._gathered = True
        self._visitors = threading.local()
        self.snapshot: Snapshot | None = None

    @property
    def port(self) -> int:
        """Where its pages are to be served, on 127.0.0.1."""
        return self._lookout.known.keeper_port

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """What the stack's certificate is for, none without TLS."""
        return self._lookout.known.tls.names

    def run(self, stopped: threading.Event) -> None:
        """Look and act until told to stop, or until the pages belong elsewhere: then the service is
        started again. A sign of life after each round.
        """
        port = self.port
        while not stopped.is_set() and self.port == port:
            started = time.monotonic()
            self.round()
            service_notify.alive()
            self._gathered = self.wake.wait(max(0.0, ROUND - (time.monotonic() - started)))
            if self._gathered:
                if not self._hurried:
                    stopped.wait(SETTLE)
                self._hurried = False
                self.wake.clear()
        self._prober.close()

    def round(self) -> None:
        """One look, and what follows from it.

        What the hands have done is taken before the look: a look that began earlier would show what
        was there before it, and a second replica would be repaired beside the first.
        """
        started = time.monotonic()
        self._finish()
        try:
            view = self._lookout.look()
        except LoadBalancingError as error:
            self._memory.blind(str(error))
            self.snapshot = self._memory.snapshot(time.monotonic() - started)
            return
        self._memory.see(view)
        due = self._due(view)
        if due and not self._gathered:  # seen by chance, before the engine has told of it
            self.wake.set()
        else:
            self._act(view, due)
        self.snapshot = self._memory.snapshot(time.monotonic() - started)
        with contextlib.suppress(LoadBalancingError):  # the next look tells of an engine that hangs
            self._lookout.count_restarts(view)

    def _done(self) -> None:
        """A hand has done something: look at once, there is nothing to gather."""
        self._hurried = True
        self.wake.set()

    def happened(self, word: str, container: str) -> None:
        """Look at once: the engine has told of something."""
        if word == KILL:
            self._prober.hurry(container)
            return
        if word == DIE:  # the engine may start it again before anybody has looked
            self._prober.fail(container, "it ended")
        self.wake.set()

    def in_flight(self) -> dict[str, int]:
        """Connections of the balancer to each replica, by its id; for people who ask. Raises
        LoadBalancingError if the engine does not answer.
        """
        workers = Balancer.of(self._lookout.stack(), self._visitors_host()).workers()
        snapshot = self.snapshot
        return {
            replica.id: sum(worker.upstream[replica.address] for worker in workers)
            for replica in (snapshot.replicas if snapshot else ())
        }

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container, for other threads. Raises LoadBalancingError."""
        return self._visitors_host().inspect(container)

    def _visitors_host(self) -> DockerHost:
        """The engine for those who ask, from other threads than the keeper's own."""
        mine: DockerHost | None = getattr(self._visitors, "host", None)
        if mine is None:
            mine = self._visitors.host = DockerHost.connect(self.paths, ENGINE_PATIENCE)
        return mine

    def _ask(self, replica: str, address: str, check: HealthCheck) -> Probe:
        if drilled(self.paths) == replica:
            return Probe(False, 0.0, "a drill says that it is ill", status=503)
        return ask(replica, address, check)

    def _act(self, view: View, due: Sequence[Replica]) -> None:
        if due:
            self._publisher.begin(lambda: keeper_work.publish(self.paths, view, due))
        self._mend(view)

    def _due(self, view: View) -> tuple[Replica, ...]:
        """Who should get traffic, if nginx is to be told so now; empty if not."""
        ejected = self._memory.ejected
        members = keeper_members(view.observed, view.desired, bool(view.deploy), ejected)
        wanted = {replica.id: replica.address for replica in members}
        as_wanted = wanted == dict(view.observed.members) and view.observed.served
        if as_wanted or not view.sound:
            return ()
        if self._publisher.busy or not self._memory.may_publish():
            return ()
        return members

    def _mend(self, view: View) -> None:
        """Begin the next repair, once those who are to be repaired are out of the traffic."""
        if view.deploy or self._mender.busy or self._publisher.busy:
            return
        wanted = next_repair(self._memory.situation(view), self._memory.patience)
        if wanted:
            self._repair = wanted
            self._mender.begin(lambda: keeper_work.repair(self.paths, view.stack, wanted))

    def _finish(self) -> None:
        """Take what the hands have done."""
        published = self._publisher.take()
        if published and published.result:
            self._memory.published(published.result)
        elif published and published.error and not isinstance(published.error, SupersededError):
            self._memory.not_published(str(published.error))
        mended = self._mender.take()
        if mended and self._repair:
            self._memory.repaired(self._repair, mended.result, mended.error)


def watch_events(paths: StackPaths, keeper: Keeper, stopped: threading.Event) -> None:
    """Tell the keeper what happens to its containers, until told to stop."""
    while not stopped.wait(ROUND):
        with contextlib.suppress(LoadBalancingError):
            for word, container in DockerHost.connect(paths).events(*EVENTS):
                keeper.happened(word, container)


def watch_traffic(
    paths: StackPaths, keeper: Keeper, journal: Journal, stopped: threading.Event
) -> Traffic:
    """What is known of traffic and load, looked at in the background until told to stop."""
    traffic = Traffic(
        paths, journal, lambda: keeper.snapshot, keeper.inspect, lambda: keeper.certificate_names
    )
    threading.Thread(target=traffic.run, args=(stopped,), name="traffic", daemon=True).start()
    return traffic


def connect(paths: StackPaths, journal: Journal, stopped: threading.Event) -> Keeper | None:
    """A keeper, as soon as there are an engine and a stack; None if told to stop before."""
    while not stopped.is_set():
        try:
            return Keeper(paths, DockerHost.connect(paths, ENGINE_PATIENCE), journal)
        except LoadBalancingError as error:
            journal.tell("engine", str(error), "error")
            service_notify.alive()
            stopped.wait(ROUND)
    return None


def code_version() -> str:
    """Which code this is: the name of its folder, ``/opt/<stack>/keeper/<digest>/…``."""
    parts = os.path.realpath(__file__).split(os.sep)
    after = [one for one, before in zip(parts[1:], parts) if before == "keeper"]
    return after[0] if after else "checkout"


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep a stack until SIGTERM."""
    parser = argparse.ArgumentParser(prog="keeper", description="Keep one stack well.")
    parser.add_argument("--stack", required=True, help="the stack's name")
    paths = StackPaths(parser.parse_args(arguments).stack)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_unused: stopped.set())
    journal = Journal(paths.name)
    keeper = connect(paths, journal, stopped)
    if keeper is None:
        return 0
    watch = threading.Thread(
        target=watch_events, args=(paths, keeper, stopped), name="events", daemon=True
    )
    watch.start()
    traffic = watch_traffic(paths, keeper, journal, stopped)
    try:
        page = keeper_web.serve(
            keeper_web.application(
                lambda: keeper.snapshot, keeper.in_flight, traffic, code_version()
            ),
            keeper.port,
        )
    except LoadBalancingError as error:
        journal.tell("keeper", str(error), "error")
        return 1
    journal.tell("keeper", f"keeps {paths.name}, its state is on 127.0.0.1:{keeper.port}")
    service_notify.ready()
    with contextlib.closing(page):
        keeper.run(stopped)
    service_notify.stopping()
    journal.tell("keeper", "ends")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
