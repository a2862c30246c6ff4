# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many replicas carry a load, and on how large a server. Pure.

1. Offered concurrency (Little's law, see capacity_queue): requests a second x mean seconds +
   streams that are open at a time.
2. One replica takes ``safe_concurrency`` at a time, 100 unless measured, and is planned to be used
   to ``target_utilisation``: the rest is for peaks within the minute.
3. With a target for the mean wait, as many replicas as keep it (Erlang C).
4. One more, to spare: with one replica lost, the others still keep 2 and 3 (N + 1).
5. Not fewer than 2 in production, nor than the starting points for so many requests a minute say.
   With ``mode=development`` there is always 1.

The surge of a rollout is not counted here, since a rollout adds it by itself; the server has to
have the memory for it (capacity_sizes).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_fields import Demand
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_prices import (
    Offer,
    offers,
    read_providers,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_queue import Places
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_sizes import (
    Range,
    Row,
    ServerSize,
    row_of_traffic,
    server_size,
)

LEAST_IN_PRODUCTION = 2
SPARE = 1


@dataclass(frozen=True)
class Capacity:
    """An advice and what led to it.

    ``for_load`` and ``for_waiting`` are the replicas that the load and the target for waiting ask
    for, the latter 0 without a target; ``replicas`` is the advice. ``waiting`` is the mean wait in
    seconds with that many.
    """

    demand: Demand
    row: Row
    for_load: int
    for_waiting: int
    replicas: int
    waiting: float
    size: ServerSize
    offers: tuple[Offer, ...]

    @property
    def needed(self) -> int:
        """Replicas that serve the load as wanted, without one to spare."""
        return max(self.for_load, self.for_waiting)

    @property
    def utilisation(self) -> float:
        """Share of the safe concurrency that is in use on average, 0 to 1."""
        return self.demand.load / (self.replicas * self.demand.safe_concurrency)

    @property
    def utilisation_without_one(self) -> float | None:
        """The same with one replica lost; None where there is only one."""
        left = self.replicas - 1
        return self.demand.load / (left * self.demand.safe_concurrency) if left else None

    def as_dict(self) -> dict[str, Any]:
        """The mapping that crosses to Ansible."""
        rest = self.utilisation_without_one
        return {
            "replicas": self.replicas,
            "size": self.size.as_dict(),
            "traffic_class": self.row.title,
            "offered_concurrency": round(self.demand.load, 3),
            "replicas_needed": self.needed,
            "utilisation": round(self.utilisation, 4),
            "utilisation_without_one": None if rest is None else round(rest, 4),
            "waiting_seconds": None if math.isinf(self.waiting) else round(self.waiting, 6),
            "offers": [offer.as_dict() for offer in self.offers],
        }


def advise(given: object, providers: object = None) -> Capacity:
    """The advice for a mapping of inputs (capacity_fields.INPUTS), defaults for the rest.

    ``providers`` are the operator's own ones (capacity_prices). Raises LoadBalancingError.
    """
    prices = read_providers(providers)
    demand = Demand.from_mapping(given)
    row = row_of_traffic(demand.requests_per_minute)
    for_load = replicas_for_load(demand)
    for_waiting = replicas_for_waiting(demand, for_load)
    production = demand.mode == "production"
    replicas = 1
    if production:
        needed = max(for_load, for_waiting) + SPARE
        replicas = max(needed, LEAST_IN_PRODUCTION, row.replicas.min)
    size = server_size(
        replicas,
        demand.rollout_surge if production else 0,
        demand.replica_cpus,
        demand.replica_memory,
        row,
    )
    if not production:
        size = replace(size, replicas=Range(1, 1))
    return Capacity(
        demand=demand,
        row=row,
        for_load=for_load,
        for_waiting=for_waiting,
        replicas=replicas,
        waiting=_waiting(demand, replicas),
        size=size,
        offers=tuple(offers(size, prices)),
    )


def replicas_for_load(demand: Demand) -> int:
    """As many as serve the load at the target utilisation, 1 at least."""
    usable = demand.safe_concurrency * demand.target_utilisation
    # Rounded, so that 70 at once fit a replica of 100 at 0.7 whatever floats say.
    return max(1, math.ceil(round(demand.load / usable, 9)))


def replicas_for_waiting(demand: Demand, least: int) -> int:
    """As many as keep the target for the mean wait, ``least`` at least; 0 without a target."""
    if demand.waiting_seconds is None:
        return 0
    queue = Places(demand.load)
    queue.add(least * demand.safe_concurrency)
    replicas = least
    while queue.mean_wait(demand.works) > demand.waiting_seconds:
        queue.add(demand.safe_concurrency)
        replicas += 1
    return replicas


def _waiting(demand: Demand, replicas: int) -> float:
    queue = Places(demand.load)
    queue.add(replicas * demand.safe_concurrency)
    return queue.mean_wait(demand.works)
