# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Begin a step of a rollout only while the run that it belongs to is alive.

Ansible carries a loop out in a process of its own, which goes on when the main process is killed:
it would roll all replicas with nobody watching, and keep the next run waiting. The step that runs
is finished, no other one is begun.
"""

from __future__ import annotations

import multiprocessing
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """The module of the same name, if the main process still runs."""

    _supports_check_mode = True

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Carry the task out."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            text = "The run that this step belongs to has ended. The next run goes on from here."
            return {**result, "failed": True, "msg": text}
        done: dict[str, Any] = self._execute_module(
            module_name="digiz.load_balancing.rollout_step", task_vars=task_vars
        )
        return {**result, **done}
