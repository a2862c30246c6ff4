# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traffic client: sends a mix of load and says exactly what became of every request.

    async with Traffic(Profile("http://127.0.0.1:8080", duration=60)) as traffic:
        await traffic.ended()
    print(traffic.result.table())

For tests that are not asynchronous: TrafficProcess. By hand: `python -m tests.load --help`.
"""

from __future__ import annotations

from tests.load.bookkeeping import Comparison, compare, stored_count, stored_ids_via_psql
from tests.load.faults import Failure, TrafficError
from tests.load.observation import Observation
from tests.load.observer import Observer
from tests.load.process import TrafficProcess
from tests.load.profile import Profile
from tests.load.result import Result
from tests.load.traffic import Traffic

__all__ = [
    "Comparison",
    "Failure",
    "Observation",
    "Observer",
    "Profile",
    "Result",
    "Traffic",
    "TrafficError",
    "TrafficProcess",
    "compare",
    "stored_count",
    "stored_ids_via_psql",
]
