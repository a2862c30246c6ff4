# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publish a configuration to nginx: stage, test, swap, reload, confirm, or put back what was.

Every published configuration is a folder of its own, ``nginx/<generation>/``; ``nginx/current``
points to the one in force. So the swap is one rename, and what nginx runs with can be compared with
what lies there: nginx serves the generation that it was loaded with on its status port.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_listen import (
    STATUS_SOCKET,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_store import latest
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    STATIC,
    Configuration,
    Member,
    assign_slots,
    generations,
    read_configuration,
    upstream_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    Maintenance,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    replace_link,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import kernel_lock
from ansible_collections.digiz.load_balancing.plugins.module_utils.loopback import (
    get_json,
    get_json_at,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.sockets import (
    Worker,
    list_workers,
    observe_workers,
    still_accepting,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

MOUNT = "/etc/balancer"
"""Where the balancer's container has the stack's folder ``nginx``."""

KEPT_GENERATIONS = 5
CONFIRM_TIMEOUT = 15.0
START_TIMEOUT = 5.0
"""Seconds within which nginx has workers once its container runs."""

STATUS_TIMEOUT = 2.0


class SupersededError(LoadBalancingError):
    """Somebody else published something since the caller looked: look again."""


@dataclass(frozen=True)
class Publication:
    """What publishing did: the configuration before and after, and how long nginx took to take it
    over.
    """

    before: Configuration
    after: Configuration
    changed: bool
    seconds: float = 0.0


@dataclass(frozen=True)
class Instance:
    """A running balancer container: its nginx's master process and workers. There are two while
    one replaces the other.
    """

    id: str
    master: int
    workers: tuple[Worker, ...]

    @property
    def accepting(self) -> set[int]:
        """The workers that take new connections."""
        return {worker.pid for worker in self.workers if not worker.exiting}

    @property
    def quitting(self) -> bool:
        """Whether it was told to quit: it serves what it has. One without workers just starts."""
        return bool(self.workers) and not self.accepting

    def served_generation(self) -> int | None:
        """The generation that it was loaded with, asked over its own socket."""
        socket = f"/proc/{self.master}/root{STATUS_SOCKET}"
        return get_json_at(socket, "/status", STATUS_TIMEOUT).get("generation")


@dataclass(frozen=True)
class Balancer:
    """The balancer of one stack. ``ports`` are all that it listens on, ``image`` what it is made
    from.
    """

    paths: StackPaths
    host: DockerHost
    image: str
    status_port: int
    ports: tuple[int, ...] = field(default=())

    @classmethod
    def of(cls, stack: Stack, host: DockerHost) -> Balancer:
        """The balancer of a stack."""
        return cls(host.paths, host, stack.balancer_image, stack.status_port, stack.balancer_ports)

    def published(self) -> Configuration:
        """The configuration that is in force according to the files."""
        return read_configuration(self.paths)

    def served_generation(self) -> int | None:
        """The generation that nginx itself says it was loaded with; None if it does not answer, or
        if one that accepts connections says another one.
        """
        rows = [one for one in self.host.containers(role="balancer") if one["State"] == "running"]
        if len(rows) > 1:
            active = [one for one in self.instances(connections=False) if not one.quitting]
            if len(active) > 1:
                served = {one.served_generation() for one in active}
                return served.pop() if len(served) == 1 else None
        return self.status().get("generation")

    def status(self) -> dict[str, Any]:
        """What the status port answers; an empty mapping if it does not."""
        return get_json(self.status_port, "/status", STATUS_TIMEOUT)

    def is_served(self) -> bool:
        """Whether nginx runs with what is published; true as well while no balancer runs: it will
        start with it.
        """
        return not self.master() or self.served_generation() == self.published().generation

    def master(self) -> int:
        """The process id of nginx's master, 0 if no balancer runs. While one balancer replaces
        another, that of the new one.
        """
        return int(self.host.balancer().get("State", {}).get("Pid", 0))

    def instances(self, connections: bool = True) -> list[Instance]:
        """The running balancers, the newest first, and unless told otherwise how many connections
        each worker has.
        """
        ports = (*self.ports, self.status_port)
        found = []
        for one in self.host.balancers():
            master = int(one["State"]["Pid"])
            workers = observe_workers(master, ports) if connections else list_workers(master)
            found.append(Instance(one["Id"], master, tuple(workers)))
        return found

    def workers(self) -> list[Worker]:
        """nginx's workers with their connections, those of a balancer that quits included."""
        return [worker for one in self.instances() for worker in one.workers]

    def publish(
        self,
        members: Iterable[Member] | None = None,
        static: str = "",
        *,
        certificate: str | None = None,
        maintenance: Maintenance | None = None,
        based_on: int | None = None,
    ) -> Publication:
        """Make nginx run with these members, static part, certificate (the name of a folder in
        ``nginx/tls/``) and maintenance; what is not given stays as it is.

        Nothing is done when that is in force already. Raises LoadBalancingError, with what was
        there before in force again, when nginx rejects the configuration or does not take it over;
        SupersededError when another generation than ``based_on`` is published by now.
        """
        with self.publishing():
            before = self.published()
            if based_on is not None and before.generation != based_on:
                raise SupersededError(
                    f"Generation {before.generation} was published meanwhile, not {based_on}. "
                    "Look again."
                )
            wanted = self._wanted(before, members, static, certificate, maintenance)
            if wanted.content() == before.content() and self.is_served():
                return Publication(before, before, changed=False)
            started = time.monotonic()
            folder = self._stage(wanted)
            try:
                self.test(folder)
                replace_link(self.paths.current, os.path.basename(folder))
                self._reload(wanted.generation)
            except LoadBalancingError:
                self._put_back(before)
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._prune()
            return Publication(before, wanted, changed=True, seconds=time.monotonic() - started)

    def check(self, static: str) -> None:
        """Let nginx read a static part together with the present members, and change nothing."""
        with self.publishing():
            before = self.published()
            folder = self._stage(self._wanted(before, None, static))
            try:
                self.test(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def publishing(self) -> contextlib.AbstractContextManager[None]:
        """Hold the lock under which configurations and balancers change."""
        return kernel_lock(os.path.join(self.paths.state, "publish.lock"), timeout=60)

    def test(self, folder: str) -> None:
        """``nginx -t`` on a staged folder, by the nginx that will have to run with it.

        Raises LoadBalancingError with nginx's own words.
        """
        name = os.path.basename(folder)
        command = ["nginx", "-e", "stderr", "-t", "-q", "-c", f"{MOUNT}/{name}/{STATIC}"]
        running = [one for one in self.host.balancers() if one["Config"]["Image"] == self.image]
        if running:
            status, output = self.host.execute(running[0]["Id"], command)
        else:
            binds = [f"{self.paths.nginx}:{MOUNT}:ro", f"{self.paths.logs}:/var/log/balancer"]
            status, output = self.host.run_once(self.image, command, binds)
        if status:
            raise LoadBalancingError(
                "nginx rejects the configuration, nothing was changed:\n"
                + output.replace(f"{MOUNT}/{name}/", "")
            )

    def _wanted(
        self,
        before: Configuration,
        members: Iterable[Member] | None,
        static: str,
        certificate: str | None = None,
        maintenance: Maintenance | None = None,
    ) -> Configuration:
        given = before.members if members is None else members
        ordered = sorted(given, key=lambda member: (member.name, member.id))
        chosen = assign_slots(before.members, ordered)
        return Configuration(
            self._next_generation(before),
            static or before.static,
            upstream_text(chosen),
            chosen,
            before.certificate or latest(self.paths) if certificate is None else certificate,
            before.maintenance if maintenance is None else maintenance,
        )

    def _next_generation(self, before: Configuration) -> int:
        """One more than any there is: a run that was killed may have left a staged folder."""
        return max(before.generation, *generations(self.paths), 0) + 1

    def _stage(self, wanted: Configuration) -> str:
        if not wanted.static:
            raise LoadBalancingError(
                f"The stack {self.paths.name} has no balancer configuration yet. "
                "Run the playbook deploy first."
            )
        folder = os.path.join(self.paths.nginx, str(wanted.generation))
        try:
            os.makedirs(folder, mode=0o755)
        except OSError as error:
            raise LoadBalancingError(
                f"{folder} cannot be made: {error.strerror}. Nothing was changed."
            ) from error
        try:
            wanted.write(folder)
        except LoadBalancingError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder

    def _reload(self, generation: int) -> None:
        """Reload and wait until nginx has really taken the configuration over.

        That is: it serves the new generation, and every worker of the old one has begun to shut
        down. Until then an old worker may accept a connection and send it to a replica that has
        just been taken out. Of two balancers, both have to; one that was told to quit is left
        alone.
        """
        active = self._active()
        if not active:
            return
        old = {pid for one in active for pid in one.accepting}
        for one in active:
            self.host.signal(one.id, "HUP")
        deadline = time.monotonic() + CONFIRM_TIMEOUT
        while still_accepting(old) or self._served_by(active) != generation:
            if time.monotonic() > deadline:
                raise LoadBalancingError(
                    f"nginx did not take the configuration over within {CONFIRM_TIMEOUT:g} s; "
                    "what was before is put back. "
                    f"Its last words:\n{self.host.logs(active[0].id, 10)}"
                )
            time.sleep(0.02)

    def _active(self) -> list[Instance]:
        """The balancers that are to be reloaded. One that has just started gets the time to have
        workers: before that it would not hear of it.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            active = [one for one in self.instances(connections=False) if not one.quitting]
            if all(one.workers for one in active) or time.monotonic() > deadline:
                return active
            time.sleep(0.05)

    def _served_by(self, active: Sequence[Instance]) -> int | None:
        """The generation that these serve. While the lock is held there will be no others, and of a
        single one the engine need not be asked who it is.
        """
        if len(active) == 1:
            return self.status().get("generation")
        return self.served_generation()

    def _put_back(self, before: Configuration) -> None:
        if not before.generation:
            with contextlib.suppress(OSError):
                os.unlink(self.paths.current)
            return
        if os.path.basename(os.path.realpath(self.paths.current)) != str(before.generation):
            replace_link(self.paths.current, str(before.generation))
            with contextlib.suppress(LoadBalancingError):
                self._reload(before.generation)

    def _prune(self) -> None:
        for generation in sorted(generations(self.paths))[:-KEPT_GENERATIONS]:
            shutil.rmtree(os.path.join(self.paths.nginx, str(generation)), ignore_errors=True)
