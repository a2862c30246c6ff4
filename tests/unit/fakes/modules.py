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
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from tests.unit.fakes.host import SimulatedHost


class Face:
    """A module whose stacks lie on a simulated host."""

    def __init__(self, module: ModuleType, there: SimulatedHost, patch: pytest.MonkeyPatch) -> None:
        self._module = module
        patch.setattr(module, "StackPaths", functools.partial(StackPaths, base=there.paths.base))

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run it with these options for the stack ``shop``; gives its result, failed or not. An
        option that is None is not given.
        """
        chosen = {"stack": "shop", **options, "_ansible_check_mode": check, "_ansible_diff": True}
        given = {key: value for key, value in chosen.items() if value is not None}
        output = io.StringIO()
        with (
            patch_module_args(given),
            contextlib.redirect_stdout(output),
            pytest.raises(SystemExit) as ended,
        ):
            self._module.main()
        result: dict[str, Any] = json.loads(output.getvalue())
        assert bool(ended.value.code) == bool(result.get("failed"))
        return result

    def fail(self, check: bool = False, **options: Any) -> str:
        """Run it, which must fail; gives its message."""
        result = self.run(check, **options)
        assert result.get("failed"), result
        return str(result["msg"])
