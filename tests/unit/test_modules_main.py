# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module that works on a stack runs as a program, and asks for its stack."""

from __future__ import annotations

import json
import runpy
from types import ModuleType

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.modules import (
    capacity_measure,
    certificate,
    deploy_lock,
    drill,
    keeper,
    load_baseline,
    load_info,
    maintenance,
    monitor,
    pre_deploy,
    release,
    removal,
    rollout_plan,
    rollout_step,
    scale_advice,
    scale_record,
    services,
    traffic_info,
)

MODULES = [
    capacity_measure,
    certificate,
    deploy_lock,
    drill,
    keeper,
    load_baseline,
    load_info,
    maintenance,
    monitor,
    pre_deploy,
    release,
    removal,
    rollout_plan,
    rollout_step,
    scale_advice,
    scale_record,
    services,
    traffic_info,
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_module_as_a_program(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({}), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(module.__file__), run_name="__main__")
    assert ended.value.code == 1
    message = json.loads(capsys.readouterr().out)["msg"]
    assert message.startswith("missing required arguments: ")
    assert "stack" in message
