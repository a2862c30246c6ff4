# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of all scenarios share."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.hosts.deployed import Deployed


@pytest.fixture(name="stack", scope="module")
def stack_fixture(host: Host) -> Deployed:
    """The stack on the host that is looked at."""
    return Deployed(host)
