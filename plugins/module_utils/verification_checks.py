# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a verification: from what was observed to passed or failed, and why. Pure.

Each check says in one line what is, not what should be, and names who is not as wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Instance
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import (
    Limit,
    RateLimits,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    STOPPED,
    Desired,
    Observed,
    Replica,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import (
    Statuses,
    is_in,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Answer,
    Answers,
)

TOO_MANY = "429"
UNHEALTHY, UNKNOWN = "(unhealthy)", "health: starting"
"""What Docker says of a container whose health check fails, and before it knows."""

BURST_EXTRA = 20
"""Requests beyond a limit's burst that are sent to see it refuse."""

LONGEST_BURST = 300
"""Requests that are sent at most to see a limit refuse."""

LEAST_PER_REPLICA = 10
"""Requests for each replica below which a share says nothing."""

_SECONDS = {"s": 1, "m": 60}


@dataclass(frozen=True)
class Check:
    """One check in a line."""

    name: str
    passed: bool
    text: str

    @property
    def line(self) -> str:
        """The line of the report."""
        return f"{'ok' if self.passed else 'FAILED':6}  {self.name}: {self.text}"

    def as_dict(self) -> dict[str, Any]:
        """The mapping that crosses to Ansible."""
        return asdict(self)


@dataclass(frozen=True)
class Seen:
    """Whose answers the balancer's log shows, by address, and who was busy with other requests.

    ``missing`` are answered requests that the log does not show; ``busy`` are connections that the
    balancer held to each replica before, ``in_flight`` requests of others at that time; ``others``
    are requests of others that each replica answered meanwhile.
    """

    by_address: Counter[str]
    missing: int = 0
    busy: Mapping[str, int] = field(default_factory=dict)
    in_flight: int = 0
    others: Mapping[str, int] = field(default_factory=dict)

    def was_busy(self, replica: Replica) -> bool:
        """Whether requests of others were on this replica, or may have been: long ones stand in the
        log only when they have ended.
        """
        address = replica.address
        return bool(self.others.get(address) or (self.in_flight and self.busy.get(address)))


@dataclass(frozen=True)
class Burst:
    """What came of many requests at once to a limited path. ``health``: the health path, asked from
    the same address right afterwards.
    """

    limit: Limit
    path: str
    source: str
    answers: Answers
    told_to_wait: bool
    health: Answer


def containers(
    stack: Stack, observed: Observed, desired: Desired, docker_says: Mapping[str, str]
) -> Check:
    """As many replicas of the wanted revision as wanted, all of them healthy, and no other ones.

    ``docker_says`` maps the name of every container of the stack to its status in Docker's words.
    """
    faults = []
    if not desired.image_id:
        faults.append(f"the image {stack.image} is not on the host")
    current = [one for one in observed.replicas if desired.is_met_by(one)]
    running = [one for one in current if one.state != STOPPED]
    if len(running) != desired.count:
        faults.append(
            f"{len(running)} replicas of version {stack.version} run, not {desired.count}"
        )
    faults += [f"{one.name} is {one.state}" for one in current if one.state != HEALTHY]
    faults += [
        f"{one.name} is of {_difference(one, stack, desired)}"
        for one in observed.replicas
        if one not in current
    ]
    faults += [
        f"Docker calls {name} {'unhealthy' if UNHEALTHY in status else status.lower()}"
        for name, status in sorted(docker_says.items())
        if UNHEALTHY in status or status.startswith("Restarting")
    ]
    unknown = sorted(name for name, status in docker_says.items() if UNKNOWN in status)
    text = f"{len(running)} of {desired.count} replicas of version {stack.version} are healthy"
    if unknown:
        text += f" (Docker has not yet checked {', '.join(unknown)})"
    return _check("containers", faults, text)


def members(observed: Observed, desired: Desired, published: int, served: int | None) -> Check:
    """The balancer sends to the healthy replicas and to nobody else, with what is published."""
    wanted = {r.id: r for r in observed.replicas if desired.is_met_by(r) and r.state == HEALTHY}
    faults = [
        f"{replica.name} is healthy and no member"
        for replica in wanted.values()
        if not observed.is_member(replica)
    ]
    names = {replica.id: replica.name for replica in observed.replicas}
    faults += [
        f"{names.get(key, f'the container {key[:12]}, which is gone,')} is a member"
        f" at {address} and should not be"
        for key, address in observed.members.items()
        if key not in wanted
    ]
    if served is None:
        faults.append("nginx does not say which configuration it runs with")
    elif served != published:
        faults.append(f"nginx runs with generation {served}, published is {published}")
    return _check(
        "members", faults, f"{len(observed.members)} published, nginx serves generation {published}"
    )


def balancer(
    stack: Stack,
    inspected: Mapping[str, Any],
    image_id: str,
    answered: Any,
    note: str = "",
    instances: Iterable[Instance] = (),
) -> Check:
    """The balancer runs, from the wanted image, and is the one that answers on its status port.
    ``note``: what operators should know besides. Of its ``instances``, one that was told to quit
    is told, two that accept are a fault.
    """
    faults = []
    active = sum(1 for one in instances if not one.quitting)
    if active > 1:
        faults.append(f"{active} of it run, the next deploy or the keeper leaves one")
    if any(one.quitting for one in instances):
        note = "; ".join(filter(None, (note, "the one before it still serves what it has")))
    if not inspected:
        faults.append("no container of it runs")
    elif inspected.get("Image") != image_id:
        faults.append(f"it runs another image than {stack.balancer_image}")
    if not answered:
        faults.append(f"nothing answers on 127.0.0.1:{stack.status_port}/status")
    elif answered != stack.name:
        faults.append(f"127.0.0.1:{stack.status_port} belongs to the stack {answered}")
    return _check(
        "balancer",
        faults,
        f"{stack.balancer_image} runs, its status is on 127.0.0.1:{stack.status_port}/status"
        + (f"; {note}" if note else ""),
    )


def keeper(stack: Stack, status: Mapping[str, Any]) -> Check:
    """The keeper is there and looks at this stack; what it sees is told, the other checks judge."""
    where = f"127.0.0.1:{stack.keeper_port}/status.json"
    if not stack.keeper_enabled:
        return Check("keeper", True, "none, as keeper_enabled says: nothing heals by itself")
    if not status:
        return Check("keeper", False, f"it does not answer on {where}")
    if status.get("stack") != stack.name:
        return Check("keeper", False, f"{where} belongs to the stack {status.get('stack')}")
    return Check("keeper", True, f"{status.get('text')}, its state is on {where}")


def health(stack: Stack, where: str, answer: Answer) -> Check:
    """The application's health path answers through the balancer."""
    passed = is_in(answer.status, stack.health_statuses)
    what = f"answers {answer.status}" if answer.status else f"fails: {answer.reason}"
    return Check("health", passed, f"GET {stack.health_path} on {where} {what}")


def spread(stack: Stack, replicas: Iterable[Replica], answers: Answers, seen: Seen) -> Check:
    """Every request is answered, and every replica answers at least half of its fair share.

    A replica that was busy with requests of others may answer fewer: sparing it is what least_conn
    is for.
    """
    expected = sorted(replicas, key=lambda replica: replica.number)
    faults = _failures(answers, stack.health_statuses)
    if not expected:
        faults.append("no replica of the wanted version is healthy")
    if answers.total < min(answers.wanted, LEAST_PER_REPLICA * len(expected)):
        faults.append(
            f"only {answers.total} of {answers.wanted} requests were answered "
            f"within {answers.seconds:.0f} s"
        )
    if seen.missing:
        faults.append(f"{seen.missing} of {answers.total} requests are not in logs/access.log")
    spared = []
    for replica in short_of_share(expected, answers, seen):
        text = f"{replica.name} answered {seen.by_address[replica.address]} of {answers.total}"
        if seen.was_busy(replica):
            spared.append(f"{text}, busy with requests of others")
        else:
            faults.append(f"{text}, its fair share is {answers.total / len(expected):.0f}")
    counts = ", ".join(str(seen.by_address[replica.address]) for replica in expected)
    note = f" ({'; '.join(spared)})" if spared else ""
    return _check("spread", faults, f"{counts} of {answers.total} requests{note}")


def short_of_share(replicas: Iterable[Replica], answers: Answers, seen: Seen) -> list[Replica]:
    """The replicas that answered less than half of their fair share."""
    expected = list(replicas)
    return [
        replica
        for replica in expected
        if 2 * len(expected) * seen.by_address[replica.address] < answers.total
    ]


def versions(stack: Stack, observed: Observed, desired: Desired, seen: Seen) -> Check:
    """Only replicas of the wanted version carry its label, and only they answer."""
    current = [replica for replica in observed.replicas if desired.is_met_by(replica)]
    faults = [
        f"{replica.name} is labelled version {replica.version or '(none)'}, not {stack.version}"
        for replica in current
        if replica.version != stack.version
    ]
    wanted = {replica.address for replica in current}
    by_address = {replica.address: replica for replica in observed.replicas}
    total = sum(seen.by_address.values())
    for address, count in sorted(seen.by_address.items()):
        if address in wanted:
            continue
        replica = by_address.get(address)
        who = f"{replica.name} of version {replica.version}" if replica else ""
        faults.append(
            f"{count} of {total} requests were answered by {who or address or 'no replica'}"
        )
    if not total:
        faults.append("no answer could be told")
    return _check("versions", faults, f"version {stack.version} in {total} of {total} answers")


def limits(burst: Burst) -> Check:
    """A limit refuses what is too much, with Retry-After, and leaves the health path alone."""
    limit, answers = burst.limit, burst.answers
    refused = answers.counts[TOO_MANY]
    set_to = f"{limit.rate} burst {limit.burst} on {limit.path}"
    if not refused:
        sent = f"{answers.total} requests in {answers.seconds:.1f} s from {burst.source}"
        allowed = limit.burst + 1 + per_second(limit) * answers.seconds
        if answers.total <= allowed:
            return Check("limits", True, f"not tested: {sent} are no more than {set_to} allows")
        return Check("limits", False, f"{set_to} is set, and none of {sent} was refused")
    faults = []
    if not burst.told_to_wait:
        faults.append(f"{set_to} refuses without Retry-After")
    if str(burst.health.status) == TOO_MANY:
        faults.append(f"the health path is limited, too: {burst.source} is refused there")
    return _check(
        "limits", faults, f"{set_to}: refused with 429 and Retry-After, the health path is not"
    )


def choose_limit(limits_set: RateLimits) -> Limit | None:
    """The limit that the fewest requests make refuse; None if none can be made to, soon enough.

    A limit that delays is left out: the requests would only take longer.
    """
    fitting = [
        limit
        for limit in limits_set.limits
        if limit.delay is None and limit.burst + BURST_EXTRA <= LONGEST_BURST
    ]
    return min(fitting, key=lambda one: (per_second(one) + one.burst, one.path), default=None)


def probe_path(limit: Limit, limits_set: RateLimits) -> str:
    """A path that falls under this limit and under no other one, unlikely to mean anything."""
    path = f"{limit.path.rstrip('/')}/verify-rate-limit"
    longest = max(
        (one for one in limits_set.limits if path.startswith(one.path)),
        key=lambda one: len(one.path),
    )
    return path if longest == limit and path not in limits_set.exempt_paths else limit.path


def per_second(limit: Limit) -> float:
    """Requests a second that a limit lets through for good."""
    count, per = limit.rate.split("r/")
    return int(count) / _SECONDS[per]


def _difference(replica: Replica, stack: Stack, desired: Desired) -> str:
    """How an outdated replica differs from what is wanted."""
    if replica.revision == desired.revision:
        return f"an older image than {stack.image} means now"
    if replica.version != stack.version:
        return f"version {replica.version or '(none)'}"
    return "an older configuration"


def _failures(answers: Answers, statuses: Statuses) -> list[str]:
    failed = {
        what: count
        for what, count in answers.counts.items()
        if not (what.isdigit() and is_in(int(what), statuses))
    }
    if not failed:
        return []
    kinds = ", ".join(f"{count} × {what}" for what, count in sorted(failed.items()))
    return [f"{sum(failed.values())} of {answers.total} requests failed ({kinds})"]


def _check(name: str, faults: list[str], text: str) -> Check:
    return Check(name, not faults, "; ".join(faults) if faults else text)
