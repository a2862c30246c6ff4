# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every alert fires when it should and is silent when it should, by Prometheus' own word.

promtool evaluates the rule file that the role writes, over series as the keeper gives them.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_config import (
    alertmanager_yaml,
    prometheus_yaml,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_rules import (
    Rule,
    rules,
    rules_yaml,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    PREFIX,
    Email,
    MonitorSpec,
    Secrets,
)
from tests.integration.monitor_cases import CASES, Case
from tests.integration.monitor_ends import need_packages

SPEC = MonitorSpec(
    "shop",
    28080,
    29080,
    30080,
    targets=("app2:9100",),
    email=Email(("ops@example.com", "dev@example.com"), "shop@example.com", "mail:587", "shop"),
)
RULES = {rule.name: rule for rule in rules(SPEC)}
SECRETS = Secrets(("https://example.com/hooks/1?a=b#c",), 'a "password": with #marks')


@pytest.fixture(autouse=True, scope="module")
def packages() -> None:
    need_packages()


def tool(*command: str | Path) -> str:
    """What a tool says; it must be content."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def full_name(series: str) -> str:
    return series if series.startswith("up{") else PREFIX + series


def expected(case: Case, rule: Rule) -> dict[str, Any]:
    """The alert as it has to be, with all its texts."""
    description = re.sub(
        r"\{\{ \$labels\.(\w+) \}\}", lambda match: case.labels[match[1]], rule.description
    )
    return {
        "exp_labels": {**case.labels, "severity": rule.severity},
        "exp_annotations": {"summary": case.summary, "description": description},
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_alert(case: Case, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules_yaml(SPEC), encoding="utf-8")
    alerts = [expected(case, RULES[case.alert])] if case.summary else []
    test = {
        "interval": "15s",
        "input_series": [
            {"series": full_name(name), "values": values} for name, values in case.series.items()
        ],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": alerts}],
    }
    data = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(data), encoding="utf-8")
    tool("promtool", "test", "rules", tmp_path / "test.yml")


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    for fires in (True, False):
        assert {case.alert for case in CASES if bool(case.summary) == fires} == set(RULES)


def test_promtool_takes_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules_yaml(SPEC), encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(prometheus_yaml(SPEC), encoding="utf-8")
    said = tool("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert f"{len(RULES)} rules found" in said


@pytest.mark.parametrize("secrets", [SECRETS, Secrets()])
def test_amtool_takes_the_configuration(tmp_path: Path, secrets: Secrets) -> None:
    """With the secrets in it, which every Alertmanager knows."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_yaml(SPEC, secrets, None), encoding="utf-8")
    said = tool("amtool", "check-config", path)
    assert "1 receivers" in said
