# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What playbooks set in this machine's kernel is put back: hooks for a conftest.py whose tests
deploy stacks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

MIGRATION = Path("/proc/sys/net/ipv4/tcp_migrate_req")
SETTING = Path("/etc/sysctl.d/60-digiz-load-balancing.conf")
BEFORE = pytest.StashKey[tuple[str, bool]]()


def kernel() -> tuple[str, bool]:
    """The value, and whether there is the file that keeps it."""
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
