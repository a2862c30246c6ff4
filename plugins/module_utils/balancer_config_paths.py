# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The locations of the application's server: how requests get from their path to a replica.

A request that asks for a stream, or may be sent again, leaves the location of its path for a named
one. nginx forgets the path's settings then, and takes no variable for a timeout: so each treatment
has named locations of its own, and `$balancer_rule` says which.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_http import (
    UPSTREAM,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_spec import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_paths import (
    Treatment,
    treatments,
    without_slash,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)

RETRIED = ("error", "timeout", "http_502", "http_503", "http_504")

# Statuses of no meaning outside: the way from a location to a named one.
_DETOUR = 477
_REPLAY_STREAM = 478

_RULE = Expr("$balancer_rule")


def detours(spec: BalancerSpec) -> tuple[Directive, ...]:
    """Directives of the server: where requests go on that leave the location of their path."""
    rule = _RULE if _suffixes(spec) else ""
    first = simple(
        "error_page",
        _DETOUR,
        "=",
        Expr(f"@$balancer_detour{rule}"),
        comment="Streams and replayable requests go on, with their method and body, in\n"
        "locations of other rules. These two statuses lead there and are never seen outside.",
    )
    return (
        first,
        simple("error_page", _REPLAY_STREAM, "=", Expr(f"@replay_stream{rule}")),
        *([simple("set", _RULE, "")] if rule else []),
    )


def locations(spec: BalancerSpec) -> tuple[Directive, ...]:
    """The locations of paths."""
    suffixes = _suffixes(spec)
    found = treatments(spec.paths, spec.stream_paths, spec.read_timeout)
    listed = [([one], treatment) for one, treatment in found.items()]
    listed += [(["=", one], treatment) for one, treatment in without_slash(found).items()]
    return tuple(
        block(
            "location",
            *words,
            children=[
                *_rule(suffixes.get(treatment)),
                _detour(treatment),
                *_ordinary(treatment),
            ],
        )
        for words, treatment in listed
    )


def named_locations(spec: BalancerSpec) -> tuple[Directive, ...]:
    """The locations that requests reach from those of paths."""
    return tuple(
        location
        for treatment, suffix in {_usual(spec): "", **_suffixes(spec)}.items()
        for location in _named(treatment, suffix)
    )


def _suffixes(spec: BalancerSpec) -> dict[Treatment, str]:
    """How the named locations end of treatments that can't use the usual ones."""
    usual = _named(_usual(spec), "")
    found = treatments(spec.paths, spec.stream_paths, spec.read_timeout).values()
    special = [one for one in found if _named(one, "") not in (usual, usual[-1:])]
    return {one: f"_{number}" for number, one in enumerate(dict.fromkeys(special), 1)}


def _usual(spec: BalancerSpec) -> Treatment:
    """The treatment of requests that no rule and no stream path is for."""
    return treatments((), (), spec.read_timeout)["/"]


def _named(treatment: Treatment, suffix: str) -> list[Directive]:
    """Where all are streams, only those that may be sent again have to go elsewhere."""
    stream = replace(treatment, unbuffered=True, read_timeout=treatment.stream_timeout)
    wanted = [
        ("@stream", _ordinary(stream)),
        ("@replay", _ordinary(treatment, replay=True)),
        ("@replay_stream", _ordinary(stream, replay=True)),
    ]
    return [
        block("location", f"{name}{suffix}", children=children)
        for name, children in (wanted[-1:] if treatment.all_streams else wanted)
    ]


def _rule(suffix: str | None) -> list[Directive]:
    return [simple("set", _RULE, suffix)] if suffix else []


def _detour(treatment: Treatment) -> Directive:
    """Leave a path's location; where all are streams, only replayable requests have to."""
    condition, code = ("detour", _DETOUR)
    if treatment.all_streams:
        condition, code = ("replayable", _REPLAY_STREAM)
    return block("if", Expr(f"($balancer_{condition})"), children=[simple("return", code)])


def _ordinary(treatment: Treatment, *, replay: bool = False) -> list[Directive]:
    directives = [simple("proxy_pass", f"http://{UPSTREAM}")]
    if replay:
        directives.append(simple("proxy_next_upstream", *RETRIED, "non_idempotent"))
    if treatment.body_size:
        directives.append(simple("client_max_body_size", treatment.body_size))
    if treatment.unbuffered:
        directives += [simple(f"proxy_{one}", "off") for one in ("buffering", "cache")]
        directives.append(simple("gzip", "off"))
    if treatment.read_timeout:
        directives.append(simple("proxy_read_timeout", f"{treatment.read_timeout}s"))
    if treatment.all_streams:
        directives.append(simple("proxy_send_timeout", f"{treatment.read_timeout}s"))
    return directives
