# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers cost: a price list of providers, and the cheapest server that is large enough.

The list is data with a source and a date for each provider: prices change, look there before you
order. Prices are a month's, before taxes. Only plans that a size of the starting points can meet
are listed. Operators add providers of their own with the variable ``capacity_providers``; one with
the same name takes the place of one in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_sizes import ServerSize
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    RefusedError,
    number,
    plain,
    show,
    structure,
    text,
)

VARIABLE = "capacity_providers"


@dataclass(frozen=True)
class Plan:
    """A server that one can rent. ``monthly_cost`` is in the provider's currency."""

    name: str
    vcpus: float
    memory_gb: float
    monthly_cost: float


@dataclass(frozen=True)
class Provider:
    """Who rents servers out. ``source`` is where the prices stand, ``date`` of when they are."""

    name: str
    plans: tuple[Plan, ...]
    currency: str = "USD"
    source: str = ""
    date: str = ""


@dataclass(frozen=True)
class Offer:
    """The cheapest server of a provider that is large enough; ``plan`` is None if none is."""

    provider: Provider
    plan: Plan | None

    def as_dict(self) -> dict[str, Any]:
        """``{provider, currency, source, date, plan}``, the last one a mapping or None."""
        told = asdict(self.provider)
        del told["plans"]
        name = told.pop("name")
        return {"provider": name, **told, "plan": self.plan and asdict(self.plan)}


PROVIDERS = (
    Provider(
        name="Amazon Lightsail, Linux",
        source="https://docs.aws.amazon.com/lightsail/latest/userguide/"
        "baseline-cpu-performance.html",
        date="2026-11",
        plans=(
            Plan("2 vCPU, 4 GB", 2, 4, 24),
            Plan("2 vCPU, 8 GB", 2, 8, 44),
            Plan("4 vCPU, 16 GB", 4, 16, 84),
            Plan("8 vCPU, 32 GB", 8, 32, 164),
            Plan("16 vCPU, 64 GB", 16, 64, 384),
        ),
    ),
    Provider(
        name="DigitalOcean, Basic Droplet",
        source="https://gist.github.com/colinwilson/cd31bde012f6727b24b2fc4ebee749c0 "
        "(the list of the price change)",
        date="2022-07",
        plans=(
            Plan("2 vCPU, 4 GB", 2, 4, 24),
            Plan("4 vCPU, 8 GB", 4, 8, 48),
            Plan("8 vCPU, 16 GB", 8, 16, 96),
        ),
    ),
)

_NAME = text(r"[^\0\r\n]{1,80}", "one line of 1 to 80 characters")
_LINE = text(r"[^\0\r\n]{0,300}", "one line of at most 300 characters")
_CURRENCY = text(r"[A-Z]{3}", "the three letters of a currency, such as USD")
_PLAN = {
    "name": _NAME,
    "vcpus": number(0.1, 1024),
    "memory_gb": number(0.1, 65536),
    "monthly_cost": number(0, 999_999),
}
_PROVIDER = {"name": _NAME, "currency": _CURRENCY, "source": _LINE, "date": _LINE}
_LIST = 'a list such as [{"name": "Ours", "plans": [...]}]'
_PLANS = (
    'a list such as [{"name": "S", "vcpus": 2, "memory_gb": 4, "monthly_cost": 20}], '
    "with one plan at least"
)


def read_providers(value: object) -> tuple[Provider, ...]:
    """The price list with an operator's own providers in front.

    Each is ``{name, plans, currency?, source?, date?}``, each plan ``{name, vcpus, memory_gb,
    monthly_cost}``. Raises LoadBalancingError that names the place of the fault.
    """
    given = structure(plain(value))
    if given is None or given == "":
        given = []
    if not isinstance(given, list):
        raise _fault("", given, _LIST)
    own = tuple(_provider(item, f"[{index}]") for index, item in enumerate(given))
    names = {provider.name for provider in own}
    if len(names) < len(own):
        raise _fault("", [provider.name for provider in own], "each name once")
    return own + tuple(provider for provider in PROVIDERS if provider.name not in names)


def providers_field() -> Field:
    """The field of the variable: the typed value is a list of plain mappings."""

    def read(value: object) -> object:
        read_providers(value)
        return structure(value)

    return Field("list", _LIST, read)


def offers(size: ServerSize, providers: Sequence[Provider]) -> list[Offer]:
    """The cheapest server of each provider with the size's least vCPUs and memory."""
    found = []
    for provider in providers:
        fitting = [
            plan
            for plan in provider.plans
            if plan.vcpus >= size.vcpus.min and plan.memory_gb >= size.memory.min
        ]
        cheapest = min(fitting, key=lambda plan: plan.monthly_cost, default=None)
        found.append(Offer(provider, cheapest))
    return found


def _provider(given: object, place: str) -> Provider:
    values = _read(given, place, {**_PROVIDER, "plans": None}, {"name", "plans"})
    plans = values["plans"]
    if not isinstance(plans, list) or not plans:
        raise _fault(f"{place}.plans", plans, _PLANS)
    read = []
    for index, plan in enumerate(plans):
        read.append(Plan(**_read(plan, f"{place}.plans[{index}]", dict(_PLAN), set(_PLAN))))
    return Provider(**{**values, "plans": tuple(read)})


def _read(
    given: object, place: str, fields: dict[str, Field | None], needed: set[str]
) -> dict[str, Any]:
    """The typed values of one mapping; a key without a field is passed on as it is."""
    if not isinstance(given, dict):
        raise _fault(place, given, f"a mapping with {', '.join(fields)}")
    for name in given:
        if name not in fields:
            raise _fault(f"{place}.{name}", given[name], f"one of the keys {', '.join(fields)}")
    for name in sorted(needed - set(given)):
        raise LoadBalancingError(
            f"{VARIABLE}{place}.{name}: a value is needed. Set the variable {VARIABLE}."
        )
    values = {}
    for name, value in given.items():
        field = fields[name]
        try:
            values[name] = field.read(value) if field else value
        except RefusedError as refused:
            raise _fault(f"{place}.{name}", value, refused.allowed) from None
    return values


def _fault(place: str, value: object, allowed: str) -> LoadBalancingError:
    return LoadBalancingError(
        f"{VARIABLE}{place}: {show(value)} is not allowed: {allowed}. Set the variable {VARIABLE}."
    )
