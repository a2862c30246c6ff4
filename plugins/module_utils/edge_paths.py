# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of single paths: body size, read timeout, buffering; and which paths are streamed.

A request's body is always read before a replica gets it, whatever the rule says: without that, none
could be sent to another replica when the first one fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    items,
    mapping,
    not_allowed,
    path,
    size,
    truth,
    whole,
)

STREAM_TIMEOUT = 3600
"""Seconds. The client of a stream may be silent, and a WebSocket idle, for an hour."""

_VARIABLE = "balancer_paths"
_KEYS = ("path", "body_size", "read_timeout", "buffering")
_DAY = 86_400


@dataclass(frozen=True)
class PathRule:
    """What differs for requests whose path begins with `path`; None is as everywhere else."""

    path: str
    body_size: str | None = None
    read_timeout: int | None = None
    buffering: bool | None = None


@dataclass(frozen=True)
class Treatment:
    """How requests are treated in one location. Timeouts in seconds; None is as everywhere else.

    `stream_timeout` is for requests that ask for a stream by themselves; they are never buffered.
    `unbuffered`: nor is any other answer.
    """

    body_size: str | None = None
    read_timeout: int | None = None
    stream_timeout: int = STREAM_TIMEOUT
    unbuffered: bool = False

    @property
    def all_streams(self) -> bool:
        """Whether every answer is treated as a stream."""
        return self.unbuffered and self.read_timeout == self.stream_timeout


def parse_paths(given: Mapping[str, object]) -> tuple[PathRule, ...]:
    """From the mapping of BalancerSpec: `paths`, in the order of the paths.

    Raises LoadBalancingError that names the variable.
    """
    rules: dict[str, PathRule] = {}
    for index, value in enumerate(items(given.get("paths", ()), _VARIABLE, "rules")):
        where = f"{_VARIABLE}[{index}]"
        rule = _rule(value, where)
        if rule.path in rules:
            raise not_allowed(f"{where}.path", rule.path, "each path once")
        rules[rule.path] = rule
    return tuple(rules[one] for one in sorted(rules))


def treatments(
    rules: Iterable[PathRule], stream_paths: Iterable[str], read_timeout: int
) -> dict[str, Treatment]:
    """The treatment of each beginning of a path; of several that fit, the longest counts. `/` is
    always there. `read_timeout` is that of everywhere else.

    A location follows the rule with the longest path that it begins with, and streams if it begins
    with a stream path. Where both say something, the longer of the two paths counts, or the rule.
    """
    known = {rule.path: rule for rule in rules}
    streams = set(stream_paths)
    return {
        location: _treatment(
            known.get(_longest(location, known), PathRule("")),
            _longest(location, streams),
            read_timeout,
        )
        for location in sorted({"/", *known, *streams})
    }


def without_slash(locations: Mapping[str, Treatment]) -> dict[str, Treatment]:
    """The treatment of paths that are those of a location but for its last slash.

    nginx answers them with a redirect to the location, unless they have one of their own.
    """
    shorter = {one[:-1] for one in locations if one.endswith("/")} - {"", *locations}
    return {one: locations[_longest(one, locations)] for one in sorted(shorter)}


def _treatment(rule: PathRule, stream_path: str, read_timeout: int) -> Treatment:
    stream_timeout = rule.read_timeout or max(read_timeout, STREAM_TIMEOUT)
    if not stream_path:
        return Treatment(
            rule.body_size, rule.read_timeout, stream_timeout, unbuffered=rule.buffering is False
        )
    if len(stream_path) > len(rule.path):
        long = max(read_timeout, STREAM_TIMEOUT, rule.read_timeout or 0)
        return Treatment(rule.body_size, long, long, unbuffered=True)
    return Treatment(rule.body_size, stream_timeout, stream_timeout, unbuffered=not rule.buffering)


def _longest(location: str, paths: Iterable[str]) -> str:
    """The longest of the paths that a location begins with, empty if none is."""
    return max((one for one in paths if location.startswith(one)), key=len, default="")


def _rule(value: object, where: str) -> PathRule:
    given = mapping(value, where, _KEYS)
    given = {key: content for key, content in given.items() if content is not None}
    if "path" not in given or len(given) == 1:
        allowed = "a mapping with path and at least one of body_size, read_timeout, buffering"
        raise not_allowed(where, value, allowed)
    return PathRule(
        path=path(given["path"], f"{where}.path"),
        body_size=size(given["body_size"], f"{where}.body_size") if "body_size" in given else None,
        read_timeout=whole(given["read_timeout"], f"{where}.read_timeout", 1, _DAY)
        if "read_timeout" in given
        else None,
        buffering=truth(given["buffering"], f"{where}.buffering") if "buffering" in given else None,
    )
