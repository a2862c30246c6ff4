# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of Molecule's scenarios a change concerns: paths, one a line, in; names of scenarios out.

git diff --name-only HEAD^1 HEAD | python3 -m tests.runner.changed
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

DOCUMENT = re.compile(r"\.md$|^(docs|changelogs|LICENSES)/|^COPYING$")
ROLE = re.compile(r"^roles/([^/]+)/")
SCENARIO = re.compile(r"^molecule/([^/]+)/")
EVERY_DEPLOY = ("default",)
"""What shows that a deploy still works."""
OF_ROLES = {
    "capacity": (),
    "docker_engine": ("docker_engine", "air_gapped"),
    "drill": (),
    "images": ("air_gapped",),
    "monitor": ("monitoring",),
    "scaling": ("scale",),
    "tls": ("tls",),
    "traffic": (),
    "watch": (),
}
"""Scenarios beside :data:`EVERY_DEPLOY`. A role that is not listed is part of all of them."""


def scenarios(paths: Iterable[str], known: Iterable[str]) -> list[str]:
    """The scenarios, out of those that are known and in their order.

    What no role alone has, such as a plugin or a playbook, concerns all of them; a document none.
    """
    there = list(known)
    wanted: set[str] = set()
    for path in paths:
        wanted.update(_concerned(path, there))
    return [name for name in there if name in wanted]


def _concerned(path: str, known: list[str]) -> Iterable[str]:
    if DOCUMENT.search(path):
        return ()
    role, scenario = ROLE.match(path), SCENARIO.match(path)
    if role and role[1] in OF_ROLES:
        return (*EVERY_DEPLOY, *OF_ROLES[role[1]])
    if scenario and scenario[1] in known:
        return (scenario[1],)
    return known


if __name__ == "__main__":
    from tests.runner.scenarios import names

    print(*scenarios(sys.stdin.read().splitlines(), names()))
