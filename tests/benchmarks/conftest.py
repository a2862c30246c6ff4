# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A benchmark's table is shown whether it passes or not, without `-s`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.kernel import pytest_sessionfinish, pytest_sessionstart

__all__ = ["Show", "pytest_sessionfinish", "pytest_sessionstart", "show"]

Show = Callable[[str], None]


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Show:
    """Prints a table at once, past pytest's capture; the JUnit file has it, too."""
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def print_now(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\n{request.node.name}\n{text}\n")
        print(text)

    return print_now
