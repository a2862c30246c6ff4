# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which scenarios a change concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.changed import EVERY_DEPLOY, OF_ROLES, scenarios
from tests.runner.scenarios import names

ROOT = Path(__file__).resolve().parents[2]
KNOWN = ["air_gapped", "default", "docker_engine", "failover", "scale", "tls"]


@pytest.mark.parametrize(
    ("paths", "wanted"),
    [
        ([], []),
        (["README.md", "docs/tls.md", "changelogs/fragments/a.yml", "molecule/README.md"], []),
        (["roles/tls/tasks/main.yml"], ["default", "tls"]),
        (["roles/docker_engine/README.md", "roles/scaling/vars/main.yml"], ["default", "scale"]),
        (["molecule/failover/side_effect.yml", "docs/a.md"], ["failover"]),
        (["molecule/shared/create.yml"], KNOWN),
        (["roles/stack/tasks/main.yml"], KNOWN),
        (["plugins/module_utils/replicas.py"], KNOWN),
        (["roles/tls/tasks/main.yml", "galaxy.yml"], KNOWN),
    ],
)
def test_scenarios_of_a_change(paths: list[str], wanted: list[str]) -> None:
    assert scenarios(paths, KNOWN) == wanted


def test_the_table_names_what_there_is() -> None:
    assert all((ROOT / "roles" / role).is_dir() for role in OF_ROLES)
    named = {name for several in OF_ROLES.values() for name in several} | set(EVERY_DEPLOY)
    assert named <= set(names())
