# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check says of a host without an engine, and leaves there: nothing."""

from __future__ import annotations

import json

from testinfra.host import Host as There

from tests.hosts.deployed import results
from tests.hosts.host import Host
from tests.hosts.runs import read


def test_it_says_what_it_would_do(host: There) -> None:
    checked = read(results().parent / "docker_engine.log", "Provide an engine")[-1]
    name = host.backend.get_hostname()
    assert len(checked.changed(name)) == 3
    packages = checked.added(name, "docker_engine : Install what is missing")
    assert {"docker-compose", "python3-docker", "busybox-static"} <= set(packages)


def test_not_a_file_is_another(host: There) -> None:
    name = host.backend.get_hostname()
    before = json.loads((results() / f"tree-{name}.json").read_text(encoding="utf-8"))
    assert len(before) > 1000
    assert Host(name).tree() == before
