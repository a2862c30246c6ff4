# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the front variables is about scaling by load: the limits ``scale_<name>``, and the timer
that goes by them on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import (
    PREFIX,
    THRESHOLD_FIELDS,
    Thresholds,
)

_PASSED_ON = (
    *("stack_name", "mode", "rollout_surge", "app_start_timeout", "app_drain_timeout"),
    *("app_stop_grace", "lock_stale_after", "verify_requests"),
)


def scaling(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those that are among these settings by their short names, as `Thresholds` has them."""
    names = {name: f"{PREFIX}{name}" for name in THRESHOLD_FIELDS}
    return {short: values[name] for short, name in names.items() if name in values}


def check_scaling(values: Mapping[str, Any]) -> list[str]:
    """Return the faults of the limits against each other, once each by itself is right, and of a
    timer that could not work.
    """
    if values.get("scale_auto") and values.get("keeper_enabled") is False:
        return [
            "scale_auto: true is not allowed with keeper_enabled=false: the keeper tells the load. "
            "Set the variable scale_auto or keeper_enabled."
        ]
    given = scaling(values)
    if len(given) < len(THRESHOLD_FIELDS):
        return []
    try:
        Thresholds.from_mapping(given)
    except LoadBalancingError as error:
        return str(error).splitlines()
    return []


def scaling_timer(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the role scaling gets: whether there is to be a timer, its seconds, and the
    variables with which it runs the playbook scale. A timer has no inventory to read them from.
    """
    limits = {f"{PREFIX}{name}": values[f"{PREFIX}{name}"] for name in THRESHOLD_FIELDS}
    return {
        "wanted": values["scale_auto"] and values["mode"] == "production",
        "interval": values["scale_auto_interval"],
        "variables": {"replicas": "auto", **{n: values[n] for n in _PASSED_ON}, **limits},
    }
