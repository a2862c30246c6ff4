# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, check and type the settings of a playbook on the controller."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import resolve
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import (
    FIELDS,
    SECRET_FIELDS,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_names import misspelt

_ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Return the fact `load_balancing`; nothing on the host is looked at or changed."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Carry the task out: arguments in `self._task.args`, variables in `task_vars`."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        specs = self._specs("settings")
        checked = self.validate_argument_spec(
            argument_spec={"playbook": {"type": "str", "required": True, "choices": list(specs)}}
        )
        playbook = str(checked[1]["playbook"])
        options = specs[playbook]["options"]
        given, faults = self._given(options, variables)
        try:
            settings = resolve(
                playbook, options, given, names=variables, ordinary=self._ordinary(variables)
            )
        except LoadBalancingError as error:
            faults.extend(str(error).splitlines())
        if faults:
            return {**result, "failed": True, "msg": "\n".join(faults)}
        settings.update(_who(variables))
        return {**result, "changed": False, "ansible_facts": {"load_balancing": settings}}

    def _specs(self, role: str) -> dict[str, Any]:
        path = _ROLES / role / "meta" / "argument_specs.yml"
        loaded: dict[str, Any] = self._loader.load_from_file(str(path), cache="all")
        return loaded["argument_specs"] or {}

    def _given(
        self, options: dict[str, Any], variables: dict[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """Template the options that are set; what cannot be templated is a fault, not shown."""
        given: dict[str, Any] = {}
        faults: list[str] = []
        for name in options:
            if name not in variables:
                continue
            try:
                given[name] = self._templar.template(variables[name])
            except AnsibleError as error:
                reason = "" if name in SECRET_FIELDS else f": {' '.join(str(error).split())}"
                faults.append(
                    f"{name}: its template cannot be resolved{reason}. Set the variable {name}."
                )
        return given, faults

    def _ordinary(self, variables: dict[str, Any]) -> set[str]:
        """Return all roles' variables, if any name looks misspelt: reading them takes time."""
        ordinary: set[str] = set()
        if not misspelt(variables, FIELDS, ordinary):
            return ordinary
        for path in _ROLES.iterdir():
            if (path / "meta" / "argument_specs.yml").exists():
                for entry in self._specs(path.name).values():
                    ordinary.update(entry.get("options") or {})
        return ordinary


def _who(variables: dict[str, Any]) -> dict[str, str]:
    """Who runs this and where, for the lock and the audit log; AWX names the person itself."""
    person = variables.get("awx_user_name") or os.environ.get("SUDO_USER") or getpass.getuser()
    return {"operator": str(person), "controller": socket.gethostname()}
