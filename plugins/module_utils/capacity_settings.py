# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the playbook ``capacity``, and the inputs that they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_fields import (
    INPUTS,
    SHARED_VARIABLES,
    variable_of,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_prices import (
    VARIABLE as PROVIDERS_VARIABLE,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_prices import (
    providers_field,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_types import Field

FIELDS: dict[str, Field] = {
    **{variable_of(name): INPUTS[name] for name in INPUTS if name not in SHARED_VARIABLES},
    PROVIDERS_VARIABLE: providers_field(),
}
"""The variables that only this playbook has."""


def demand(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the module ``capacity_info``, from the typed variables that are set."""
    inputs = {name: variable_of(name) for name in INPUTS}
    inputs["providers"] = PROVIDERS_VARIABLE
    return {name: values[variable] for name, variable in inputs.items() if variable in values}
