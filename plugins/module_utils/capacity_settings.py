# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the playbook ``capacity``, and what they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_fields import (
    INPUTS,
    SHARED_VARIABLES,
    variable_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_measure import LIMITS
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_prices import (
    VARIABLE as PROVIDERS_VARIABLE,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_prices import (
    providers_field,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import (
    Field,
    flag,
    text,
)

FIELDS: dict[str, Field] = {
    **{variable_of(name): INPUTS[name] for name in INPUTS if name not in SHARED_VARIABLES},
    PROVIDERS_VARIABLE: providers_field(),
    "measure": flag(),
    "measure_path": text(r"/[!-~]{0,199}", "a path that begins with /, in ASCII without spaces"),
    **{f"measure_{name}": field for name, field in LIMITS.items()},
    "measure_confirm": flag(),
}
"""The variables that only this playbook has."""


def demand(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the module ``capacity_info``, from the typed variables that are set."""
    inputs = {name: variable_of(name) for name in INPUTS}
    inputs["providers"] = PROVIDERS_VARIABLE
    return {name: values[variable] for name, variable in inputs.items() if variable in values}


def measurement(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the module ``capacity_measure``; none where nothing is to be measured."""
    if not values["measure"]:
        return {}
    inputs = {name: f"measure_{name}" for name in ("path", *LIMITS, "confirm")}
    chosen = {name: values[variable] for name, variable in inputs.items() if variable in values}
    return {"stack": values["stack_name"], "mode": values["mode"], **chosen}
