# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verify a running stack from outside and inside: containers, members, answers, limits.

Changes nothing and disturbs nobody: a bounded number of requests to the health path, which is
exempt from limits, and one burst from an address of its own.
"""

from __future__ import annotations

import ipaddress
import math
import os
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificates,
    verification_tls,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    verification_checks as checks,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.loopback import get_json
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import RateLimits
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import is_healthy
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    Observed,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.rollout import Rollout
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_checks import (
    Burst,
    Check,
    Seen,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_config import (
    read_served,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    AccessLog,
    Answer,
    Answers,
    Target,
    get_once,
    send,
    upstream_of,
)

REQUESTS = 300
SPREAD_RATE = 100
SPREAD_SECONDS = 3.0
"""The requests may take that many seconds, or one for each hundred of them."""

SPREAD_CONNECTIONS = 4
SPREAD_AT_ONCE = 32
"""Requests in flight at most, where one at a time takes too long. One at a time is exact; with many
a replica that pauses for 50 ms loses half of its share to the others.
"""

BURST_SECONDS = 1.0
BURST_AT_ONCE = 8
BURST_SOURCES = tuple(f"127.0.0.{number}" for number in range(77, 82))
"""Addresses of this machine that nobody else uses, so that nobody else is limited by the burst."""

KEEPER_TIMEOUT, KEEPER_PAUSE = 10.0, 0.5
"""Seconds for which the keeper is waited for, and between two tries."""

_PROBES_AT_ONCE = 16


@dataclass(frozen=True)
class Verification:
    """Everything that was checked, in the order in which it is told."""

    checks: tuple[Check, ...]

    @property
    def report(self) -> list[str]:
        """One line for each check."""
        return [check.line for check in self.checks]

    @property
    def failures(self) -> list[str]:
        """One line for each check that failed."""
        return [f"{check.name}: {check.text}" for check in self.checks if not check.passed]


class Verifier:
    """Looks at one stack of this host."""

    def __init__(
        self, stack: Stack, host: DockerHost, requests: int = REQUESTS, keeper: bool = True
    ) -> None:
        self._keeper = keeper
        self._stack = stack
        self._host = host
        self._requests = max(requests, checks.LEAST_PER_REPLICA * stack.count)
        self._balancer = Balancer.of(stack, host)
        self._published = self._balancer.published()
        self._served = read_served(self._published.static)
        agent = f"digiz-load-balancing-verify/{secrets.token_hex(8)}"
        self._target = Target(stack.balancer_ports[0], self._served.host, agent)

    def run(self) -> Verification:
        """Carry all checks out. Raises LoadBalancingError if the engine does not answer."""
        stack = self._stack
        desired = Rollout(stack, self._host).desired()
        observed = self._observe()
        current = [r for r in observed.replicas if desired.is_met_by(r) and r.state == HEALTHY]
        status = self._balancer.status()
        answer = get_once(self._marked("health"), stack.health_path)
        found = [
            checks.containers(stack, observed, desired, self._docker_says()),
            checks.members(observed, desired, self._published.generation, status.get("generation")),
            checks.balancer(
                stack,
                self._host.balancer(),
                self._host.image_id(stack.balancer_image),
                status.get("stack"),
                self._published.maintenance.text if self._published.maintenance.on else "",
                self._balancer.instances(),
            ),
            *([checks.keeper(stack, self._keeper_status())] if self._keeper else []),
            checks.health(stack, f"127.0.0.1:{self._target.port}", answer),
            *([self._tls()] if self._served.tls else []),
        ]
        if not answer.status:
            why = "not tested: the balancer does not answer"
            found += [Check(name, False, why) for name in ("spread", "versions", "limits")]
            return Verification(tuple(found))
        log = AccessLog(os.path.join(self._host.paths.logs, "access.log"), self._target.agent)
        try:
            busy, in_flight = self._others()
            answers = self._ask()
            limited = self._limits()  # meanwhile, nginx writes its log
            seen = self._look_up(log, answers, Seen(Counter(), 0, busy, in_flight))
            short = checks.short_of_share(current, answers, seen)
            if not all(seen.was_busy(replica) for replica in short):
                # A replica that paused for a moment may be short once, a cut-off one is again.
                again = self._ask()
                answers = answers.plus(again)
                seen = self._look_up(log, again, seen)
        finally:
            log.close()
        found += [
            checks.spread(stack, current, answers, seen),
            checks.versions(stack, observed, desired, seen),
            limited,
        ]
        return Verification(tuple(found))

    def _tls(self) -> Check:
        return verification_tls.check(
            self._host.paths,
            self._published.certificate,
            self._stack.balancer_ports[-1],
            # A client sends no address as the name that it asks for.
            "localhost" if self._served.host == "127.0.0.1" else self._served.host,
            certificates.now_utc(),
        )

    def _observe(self) -> Observed:
        """Like Rollout.observe(), with all replicas probed at once: hung ones take their time."""
        running = [r.address for r in self._host.replicas(lambda address: True) if r.address]
        with ThreadPoolExecutor(max_workers=_PROBES_AT_ONCE) as pool:
            healthy = dict(zip(running, pool.map(self._is_healthy, running)))
        published = {member.id: member.address for member in self._published.members}
        replicas = self._host.replicas(lambda address: healthy.get(address, False))
        return Observed(replicas, published)

    def _is_healthy(self, address: str) -> bool:
        stack = self._stack
        health = (stack.health_fall, stack.health_timeout, stack.health_statuses)
        return is_healthy(address, stack.port, stack.health_path, *health)

    def _keeper_status(self) -> dict[str, Any]:
        """What the keeper says; one that has just ended is started again within seconds."""
        deadline = time.monotonic() + KEEPER_TIMEOUT
        while True:
            status = get_json(self._stack.keeper_port, "/status.json", KEEPER_TIMEOUT)
            if status or not self._stack.keeper_enabled or time.monotonic() > deadline:
                return status
            time.sleep(KEEPER_PAUSE)

    def _docker_says(self) -> dict[str, str]:
        return {one["Names"][0].lstrip("/"): one["Status"] for one in self._host.containers()}

    def _others(self) -> tuple[dict[str, int], int]:
        """Connections that workers hold to each replica, and requests in flight but our own."""
        busy: Counter[str] = Counter()
        for worker in self._balancer.workers():
            if not worker.exiting:
                busy.update(worker.upstream)
        writing = self._balancer.status().get("connections", {}).get("writing", 1)
        return dict(busy), max(0, int(writing) - 1)

    def _marked(self, purpose: str) -> Target:
        """The target for requests that are no part of the spread and must not be counted there."""
        return replace(self._target, agent=f"{self._target.agent}-{purpose}")

    def _ask(self) -> Answers:
        """The requests of the spread: one at a time for a third of the time that they may take,
        then as many at once as the rest needs for another third.
        """
        third = max(SPREAD_SECONDS, self._requests / SPREAD_RATE) / 3
        first = self._send(self._requests, 1, third)
        rest = self._requests - first.total
        if not rest:
            return first
        needed = math.ceil(rest / max(1, first.total) * first.seconds / third)
        then = self._send(rest, min(SPREAD_AT_ONCE, needed), 2 * third)
        return replace(first, wanted=first.total).plus(then)

    def _send(self, count: int, at_once: int, seconds: float) -> Answers:
        return send(
            self._target,
            self._stack.health_path,
            count,
            at_once=at_once,
            seconds=seconds,
            connections=SPREAD_CONNECTIONS,
        )

    def _look_up(self, log: AccessLog, answers: Answers, seen: Seen) -> Seen:
        """Who gave these answers, added to what was seen before."""
        # Other agents of ours begin with the same text, hence the quote that ends it in the log.
        entries = log.entries(f'{self._target.agent}"', answers.answered)
        by_address = seen.by_address + Counter(upstream_of(entry) for entry in entries)
        missing = seen.missing + max(0, answers.answered - len(entries))
        return replace(seen, by_address=by_address, missing=missing, others=dict(log.others))

    def _limits(self) -> Check:
        """Provoke one limit and see, or say why that cannot be done."""
        limits = self._served.limits
        limit = checks.choose_limit(limits)
        source = free_source(limits)
        if not limits.limits:
            return Check("limits", True, "no rate limit is set")
        if limits.dry_run:
            return Check("limits", True, "not tested: rate_limits_dry_run only logs")
        if not limit:
            return Check("limits", True, "not tested: no limit can be reached with few requests")
        if not source:
            return Check("limits", True, "not tested: rate_limit_exempt has this machine in it")
        refused: list[Answer] = []

        def is_refused(answer: Answer) -> bool:
            if str(answer.status) == checks.TOO_MANY:
                refused.append(answer)
            return bool(refused)

        target = self._marked("burst")
        path = checks.probe_path(limit, limits)
        answers = send(
            target,
            path,
            limit.burst + checks.BURST_EXTRA,
            at_once=min(BURST_AT_ONCE, limits.connections or BURST_AT_ONCE),
            seconds=BURST_SECONDS,
            source=source,
            until=is_refused,
        )
        told = all(answer.retry_after for answer in refused)
        health = get_once(target, self._stack.health_path, source)
        return checks.limits(Burst(limit, path, source, answers, told, health))


def verify(paths: StackPaths, requests: int = REQUESTS, keeper: bool = True) -> Verification:
    """Verify the stack of the release in force, its ``keeper`` unless told not to. Raises
    LoadBalancingError if there is no such stack, or no engine that answers.
    """
    stack = Stack.read(paths)
    return Verifier(stack, DockerHost.connect(paths), requests, keeper).run()


def free_source(limits: RateLimits) -> str:
    """An address of this machine to which the limits apply; empty if all of it is exempt."""
    exempt = [ipaddress.ip_network(one, strict=False) for one in limits.exempt]
    for source in BURST_SOURCES:
        address = ipaddress.ip_address(source)
        if not any(address in network for network in exempt):
            return source
    return ""
