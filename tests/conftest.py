# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make this checkout importable under the collection's own name.

Tests import from ``ansible_collections.digiz.load_balancing.plugins``. The folder ``collections/``
holds a link of that name to the checkout; ``.venv/collections`` holds the collections that we
depend on. Both are plain namespace packages, so the two trees merge.

Put back what playbooks set in this machine's kernel. Keep together what shares a stack.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TREES = [str(ROOT / "collections"), str(ROOT / ".venv" / "collections")]

sys.path[:0] = [tree for tree in TREES if tree not in sys.path]
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))

SHARED = {"three", "faulty"}  # the stacks of several files
RELEASES = ("bookworm", "trixie")  # hosts that one file has in turn
MIGRATION = Path("/proc/sys/net/ipv4/tcp_migrate_req")
SETTING = Path("/etc/sysctl.d/60-digiz-load-balancing.conf")
BEFORE = pytest.StashKey[tuple[str, bool]]()


def kernel() -> tuple[str, bool]:
    """What a playbook that deploys sets: a value, and whether there is the file that keeps it."""
    value = MIGRATION.read_text(encoding="ascii") if MIGRATION.exists() else ""
    return value, SETTING.exists()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember it, once for all workers of xdist."""
    if not hasattr(session.config, "workerinput"):
        session.config.stash[BEFORE] = kernel()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Put it back when no worker needs it any more."""
    now = kernel()
    value, there = session.config.stash.get(BEFORE, now)
    if value != now[0]:
        MIGRATION.write_text(value, encoding="ascii")
    if not there:
        SETTING.unlink(missing_ok=True)


def group_of(item: pytest.Item) -> str:
    """A stack that several files share, else the file, with the release of its host."""
    stacks = SHARED.intersection(getattr(item, "fixturenames", ()))
    if stacks:
        return min(stacks)
    params = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "_".join([item.path.stem, *(value for value in params if value in RELEASES)])


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """With ``--dist loadgroup`` one process has all tests of a group."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
