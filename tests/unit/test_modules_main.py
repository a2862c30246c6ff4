# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module runs as a program, and one that works on a stack asks for it."""

from __future__ import annotations

import json
import runpy
from types import ModuleType

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.digiz.load_balancing.plugins.modules import (
    balancer_host,
    capacity_measure,
    certificate,
    certificate_packages,
    deploy_lock,
    docker_engine_config,
    docker_engine_info,
    docker_engine_packages,
    docker_engine_service,
    drill,
    image,
    image_info,
    keeper,
    load_baseline,
    load_info,
    maintenance,
    monitor,
    pre_deploy,
    preflight,
    release,
    removal,
    rollout_plan,
    rollout_step,
    scale_advice,
    scale_record,
    services,
    traffic_info,
    verify,
)

MODULES = [
    balancer_host,
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
    preflight,
    release,
    removal,
    rollout_plan,
    rollout_step,
    scale_advice,
    scale_record,
    services,
    traffic_info,
    verify,
]

OTHERS = [
    (certificate_packages, "Unsupported parameters for "),
    (docker_engine_config, "Unsupported parameters for "),
    (docker_engine_info, "Unsupported parameters for "),
    (docker_engine_packages, "missing required arguments: missing"),
    (docker_engine_service, "Unsupported parameters for "),
    (image, "missing required arguments: decision, image"),
    (image_info, "missing required arguments: images"),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_module_as_a_program(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(module, {}, capsys)
    assert message.startswith("missing required arguments: ")
    assert "stack" in message


@pytest.mark.parametrize(("module", "told"), OTHERS)
def test_a_module_that_knows_no_stack(
    module: ModuleType, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(module, {"stack": "shop"}, capsys).startswith(told)


def refusal(module: ModuleType, given: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a module says of options that it refuses, run as a program."""
    with patch_module_args(given), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(module.__file__), run_name="__main__")
    assert ended.value.code == 1
    return str(json.loads(capsys.readouterr().out)["msg"])
