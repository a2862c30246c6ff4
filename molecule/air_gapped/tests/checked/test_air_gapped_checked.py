# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check of a whole deploy leaves on a host that has nothing: nothing."""

from __future__ import annotations

import json

from testinfra.host import Host as There

from tests.hosts.deployed import results
from tests.hosts.host import Host
from tests.hosts.runs import read


def test_it_says_that_it_would_send_the_archive(host: There) -> None:
    checked = read(results().parent / "air_gapped.log", "Deploy or update a stack")[-1]
    changed = checked.changed(host.backend.get_hostname())
    assert "images : Send the archive" in changed
    assert "docker_engine : Install what is missing" in changed


def test_not_a_file_is_another(host: There) -> None:
    name = host.backend.get_hostname()
    before = json.loads((results() / f"tree-{name}.json").read_text(encoding="utf-8"))
    assert len(before) > 1000
    assert Host(name).tree() == before
