# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module of ours as Ansible does, in this process."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common import warnings
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from tests.unit.fakes.host import SimulatedHost

# As with -vvv: results repeat the options. ansible-core 2.19 always does and has no word for it.
TELLS_OPTIONS = {f"_ansible_{name}": True for name in PASS_VARS if name == "inject_invocation"}


def warnings_of(patch: pytest.MonkeyPatch) -> list[str]:
    """What modules warn of from now on. In one process with the controller's side Ansible shows it
    at once and leaves it out of the result.
    """
    found: list[str] = []
    patch.setattr(AnsibleModule, "warn", lambda _module, text: found.append(text))
    return found


def run(module: ModuleType, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run a module with these options; gives its result, failed or not."""
    given = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    output = io.StringIO()
    warnings._global_warnings.clear()  # a module is a process of its own, what it warns of too
    with (
        patch_module_args(given),
        contextlib.redirect_stdout(output),
        pytest.raises(SystemExit) as ended,
    ):
        module.main()
    result: dict[str, Any] = json.loads(output.getvalue())
    assert bool(ended.value.code) == bool(result.get("failed"))
    return result


def fail(module: ModuleType, check: bool = False, **options: Any) -> str:
    """Run a module, which must fail; gives its message."""
    result = run(module, check, **options)
    assert result.get("failed"), result
    return str(result["msg"])


class Face:
    """A module whose stacks lie on a simulated host."""

    def __init__(self, module: ModuleType, there: SimulatedHost, patch: pytest.MonkeyPatch) -> None:
        self._module = module
        patch.setattr(module, "StackPaths", functools.partial(StackPaths, base=there.paths.base))

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run it with these options for the stack ``shop``; gives its result, failed or not. An
        option that is None is not given.
        """
        chosen = {"stack": "shop", **options}
        given = {key: value for key, value in chosen.items() if value is not None}
        return run(self._module, check, **given)

    def fail(self, check: bool = False, **options: Any) -> str:
        """Run it, which must fail; gives its message."""
        result = self.run(check, **options)
        assert result.get("failed"), result
        return str(result["msg"])
