# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook capacity: its variables, what becomes of them, and a run without any host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_fields import (
    INPUTS,
    SHARED_VARIABLES,
    Demand,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_settings import (
    FIELDS,
    demand,
    measurement,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import resolve

ROOT = Path(__file__).resolve().parents[2]
SPECS = yaml.safe_load(
    (ROOT / "roles/settings/meta/argument_specs.yml").read_text(encoding="utf-8")
)["argument_specs"]
OPTIONS: dict[str, Any] = SPECS["capacity"]["options"]


def test_the_playbook_has_a_variable_for_each_input() -> None:
    assert OPTIONS.keys() - {"stack_name", "settings_other_variables"} == {
        *FIELDS,
        *SHARED_VARIABLES.values(),
    }


def test_without_variables_the_inputs_are_the_defaults() -> None:
    found = resolve("capacity", OPTIONS, {})["capacity"]
    assert found.keys() <= {*INPUTS, "providers"}
    assert found.pop("providers") == []
    assert Demand.from_mapping(found) == Demand()


def test_variables_become_inputs() -> None:
    given = {
        "mode": "production",
        "app_memory_reservation": "2g",
        "app_cpus": "2",
        "rollout_surge": 2,
        "capacity_requests_per_second": "20",
        "capacity_waiting_seconds": "",
    }
    found = resolve("capacity", OPTIONS, given)["capacity"]
    assert found == {
        "requests_per_second": 20.0,
        "mean_seconds": 1.0,
        "concurrent_streams": 0,
        "stream_seconds": 30.0,
        "safe_concurrency": 100,
        "target_utilisation": 0.7,
        "replica_memory": "2g",
        "replica_cpus": 2.0,
        "rollout_surge": 2,
        "mode": "production",
        "providers": [],
    }
    providers = found.pop("providers")
    assert advise(found, providers).replicas == 8


def test_nothing_is_measured_unless_it_is_asked_for() -> None:
    assert resolve("capacity", OPTIONS, {"measure_confirm": True})["measurement"] == {}
    given = {"measure": "yes", "measure_path": "/api/search?q=a", "measure_most": "50"}
    assert resolve("capacity", OPTIONS, given)["measurement"] == {
        "stack": "chatbot",
        "mode": "production",
        "path": "/api/search?q=a",
        "p95_seconds": 1.0,
        "error_percent": 1.0,
        "most": 50,
        "step_seconds": 5.0,
        "confirm": False,
    }
    values = {"measure": True, "stack_name": "shop", "mode": "development"}
    assert measurement(values) == {"stack": "shop", "mode": "development"}


def test_other_playbooks_have_no_inputs() -> None:
    assert demand({"stack_name": "chatbot"}) == {}
    assert "capacity" not in resolve("verify", SPECS["verify"]["options"], {})


def test_what_is_wrong_is_told_by_the_variables_names() -> None:
    given = {"capacity_mean_seconds": 0, "capacity_providers": [{"name": "Ours"}]}
    with pytest.raises(LoadBalancingError) as refused:
        resolve("capacity", OPTIONS, given)
    assert str(refused.value) == (
        "capacity_mean_seconds: 0 is not allowed: a number from 0.001 to 3600. "
        "Set the variable capacity_mean_seconds.\n"
        "capacity_providers[0].plans: a value is needed. Set the variable capacity_providers."
    )


def test_the_playbook_runs_without_an_inventory() -> None:
    pytest.importorskip("ansible.cli", reason="the controller's side needs ansible-core")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/capacity.yml"),
            *("-i", "/dev/null", "-e", "capacity_requests_per_minute=300"),
            *("-e", "capacity_mean_seconds=2"),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Replicas      3 (deploy with -e replicas=3)" in done.stdout
    assert "> 100-500        3-5        4-6     8 GB       $50-100" in done.stdout
    assert "changed=0" in done.stdout
