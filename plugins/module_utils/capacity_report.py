# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An advice as lines that people read: what was asked, how it was reckoned, what it costs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import SPARE, Capacity
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_fields import Demand
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_prices import Offer
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_sizes import (
    memory_text,
    table,
)

MOST_REPLICAS = 100
"""What the variable ``replicas`` allows."""

_HEADINGS = {
    "traffic": "requests/min",
    "replicas": "replicas",
    "vcpus": "vCPUs",
    "memory": "memory",
    "cost": "a month",
}
_LABEL = 13
_THOUSAND = 1000


def report(capacity: Capacity) -> list[str]:
    """The whole report, one text a line."""
    return [
        *_advice(capacity),
        "",
        "How it was reckoned",
        *_reckoning(capacity),
        "",
        "Servers that are large enough, by the price list",
        *[_offer(offer) for offer in capacity.offers],
        "",
        "Starting points (> is this traffic)",
        *_table(capacity.row.title),
    ]


def _advice(capacity: Capacity) -> list[str]:
    size = capacity.size
    server = f"{size.vcpus} vCPUs, {memory_text(size.memory)}, ${size.cost} a month"
    return [
        _line("Replicas", _replicas(capacity)),
        _line("Server", server),
        _line("In use", _in_use(capacity)),
    ]


def _replicas(capacity: Capacity) -> str:
    count = capacity.replicas
    if capacity.demand.mode != "production":
        return f"{count}, as always with mode=development"
    if count > MOST_REPLICAS:
        return f"{count}, more than the {MOST_REPLICAS} that one stack may have"
    return f"{count} (deploy with -e replicas={count})"


def _in_use(capacity: Capacity) -> str:
    used = f"{_percent(capacity.utilisation)} of what the replicas safely take"
    rest = capacity.utilisation_without_one
    return used if rest is None else f"{used}, {_percent(rest)} with one of them lost"


def _reckoning(capacity: Capacity) -> list[str]:
    demand, load = capacity.demand, capacity.demand.load
    usable = demand.safe_concurrency * demand.target_utilisation
    return [
        _line("Traffic", _traffic(demand)),
        _line("At once", f"{_figure(load)} on average (Little's law: {_littles_law(demand)})"),
        _line(
            "One replica",
            f"{demand.safe_concurrency} at once, planned to {_percent(demand.target_utilisation)}: "
            f"{_figure(usable)}",
        ),
        _line(
            "For the load", f"{_figure(load)} / {_figure(usable)}, rounded up: {capacity.for_load}"
        ),
        *_for_waiting(capacity),
        *(_for_production(capacity) if demand.mode == "production" else ()),
    ]


def _for_waiting(capacity: Capacity) -> Iterator[str]:
    target = capacity.demand.waiting_seconds
    if target is not None:
        held = f"so that a request waits {target:g} s at most on average (Erlang C)"
        yield _line("For waiting", f"{capacity.for_waiting}, {held}")


def _for_production(capacity: Capacity) -> Iterator[str]:
    demand, row = capacity.demand, capacity.row
    surge = demand.rollout_surge
    yield _line("To spare", f"{SPARE}, for when one is lost: {capacity.needed + SPARE} in all")
    yield _line("At least", f"{row.replicas.min}, the starting point for {row.title} requests/min")
    yield _line(
        "A rollout",
        f"starts {surge} more: the memory is for {capacity.replicas + surge}, each "
        f"{demand.replica_memory:g} GB",
    )
    if demand.concurrent_streams:
        yield _line("", f"and waits for the streams of the old ones, {demand.stream_seconds:g} s")


def _traffic(demand: Demand) -> str:
    requests = f"{_figure(demand.requests_per_minute)} requests/min of {demand.mean_seconds:g} s"
    if demand.p95_seconds is not None:
        requests += f" (p95 {demand.p95_seconds:g} s)"
    if not demand.concurrent_streams:
        return requests
    return f"{requests}, {demand.concurrent_streams} streams of {demand.stream_seconds:g} s"


def _littles_law(demand: Demand) -> str:
    requests = f"{_figure(demand.requests_per_minute / 60)}/s x {demand.mean_seconds:g} s"
    return f"{requests} + {demand.concurrent_streams}" if demand.concurrent_streams else requests


def _offer(offer: Offer) -> str:
    provider, plan = offer.provider, offer.plan
    of_when = f" ({provider.date})" if provider.date else ""
    if plan is None:
        return f"  {provider.name}{of_when}: none in the list"
    price = f"{plan.monthly_cost:g} {provider.currency} a month"
    return f"  {provider.name}{of_when}: {plan.name} for {price}"


def _table(title: str) -> list[str]:
    rows: Sequence[dict[str, str]] = [_HEADINGS, *[dict(row) for row in table()]]
    widths = {key: max(len(row[key]) for row in rows) for key in _HEADINGS}
    lines = []
    for row in rows:
        mark = ">" if row["traffic"] == title else " "
        cells = "   ".join(row[key].ljust(widths[key]) for key in _HEADINGS)
        lines.append(f"{mark} {cells}".rstrip())
    return lines


def _line(label: str, content: str) -> str:
    return f"{label:<{_LABEL}} {content}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _figure(value: float) -> str:
    """Such as 0.25, 5, 33.3 or 3,333."""
    if value >= _THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.3g}"
