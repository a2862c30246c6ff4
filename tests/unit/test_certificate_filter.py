# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter certificate_units, and what the role tls hands to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("ansible.cli", reason="the controller's side needs ansible-core")

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.filter.certificate_units import FilterModule
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_units import (
    CertificateTimer,
    files,
)

FILTER = FilterModule().filters()["certificate_units"]
GIVEN: dict[str, Any] = {
    "stack": "shop",
    "checkout": "/srv/load balancing",
    "python": "/srv/load balancing/.venv/bin/python",
    "interpreter": "/usr/bin/python3",
    "config": "",
}
VARS = Path(__file__).resolve().parents[2] / "roles" / "tls" / "vars" / "main.yml"


def test_the_filter_gives_the_texts() -> None:
    assert FILTER(GIVEN) == files(CertificateTimer(**GIVEN))


def test_the_role_hands_over_what_it_takes() -> None:
    assert yaml.safe_load(VARS.read_text("utf-8"))["tls_run"].keys() == GIVEN.keys()


@pytest.mark.parametrize(
    ("change", "why"),
    [({"checkout": "/srv/a\nb"}, "control characters"), ({"who": "ana"}, "unexpected keyword")],
)
def test_the_filter_says_what_it_refuses(change: dict[str, str], why: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"certificate_units: .*{why}"):
        FILTER({**GIVEN, **change})
