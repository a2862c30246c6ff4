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
from pathlib import Path

import pytest

from tests.distribution import Distribution

ROOT = Path(__file__).resolve().parent.parent
TREES = [str(ROOT / "collections"), str(ROOT / ".venv" / "collections")]

sys.path[:0] = [tree for tree in TREES if tree not in sys.path]
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Distribution | None:
    """With ``--dist loadfile`` what belongs together stays together."""
    return Distribution(config, log) if config.getoption("dist") == "loadfile" else None
