# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every test here belongs to a part of ./test.sh by its marker; one without would never run. The
rows of the fault matrix share one stack and are one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.e2e.fault_table import FILE, TABLE
from tests.e2e.kernel import pytest_sessionfinish, pytest_sessionstart
from tests.e2e.stack import SURGE, Stack, deployed

__all__ = ["pytest_sessionfinish", "pytest_sessionstart"]  # hooks of this conftest.py, too

PARTS = {"hosts", "rollout", "failures", "faults", "awx", "life", "benchmark"}
KNOWN_SECRET = "correct-horse-battery-staple"
THREE_PORT = 18101
BURST = 4
API_KEY = "Bearer lion-tamer-of-loopback"
LIMITS: dict[str, Any] = {
    "rate_limits": [{"path": "/", "rate": "6r/m", "burst": BURST}],
    "api_key_tiers": {
        "default": {"rate": "6r/m", "burst": BURST},
        "gold": {"rate": "50r/s", "burst": 100, "connections": 2},
    },
    "api_keys": {"partner": {"key": API_KEY, "tier": "gold"}},
}


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Refuse a test without such a marker."""
    lost = [
        item.nodeid
        for item in items
        if "tests/e2e/" in item.nodeid
        and not PARTS.intersection(mark.name for mark in item.iter_markers())
    ]
    if lost:
        raise pytest.UsageError(f"a marker out of {sorted(PARTS)} is missing: {', '.join(lost)}")


@pytest.fixture(name="three", scope="session")
def three_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three replicas of the demo, for several files: what they leave is whole, of some version.
    Limits hold for those who do not come from loopback.
    """
    folder = tmp_path_factory.mktemp("three")
    variables = {"replicas": 3, "rollout_surge": SURGE, **LIMITS}
    with deployed("lbtest-three", THREE_PORT, folder, **variables) as stack:
        yield stack


@pytest.fixture(name="faulty", scope="session")
def faulty_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three replicas of the demo that fail when told to."""
    variables = {
        "replicas": 3,
        "app_env": {"CHATBOT_FAULTS": "1"},
        "app_secrets": {"known": KNOWN_SECRET},
    }
    with deployed("lbtest-fault", 18141, tmp_path_factory.mktemp("faults"), **variables) as stack:
        yield stack
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.with_name("keeper.log").write_bytes((stack.root / "logs" / "keeper.log").read_bytes())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The fault matrix, whether its tests passed or not."""
    if TABLE.rows:
        terminalreporter.section(f"fault matrix ({FILE.name})")
        terminalreporter.write_line(TABLE.text())
