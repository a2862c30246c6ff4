# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three replicas carry three times what one carries: nothing before them is in the way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Show
from tests.benchmarks.rounds import table
from tests.e2e.stack import Stack, deployed, docker

IMAGE = "lbtest/limited"
CLIENTS = 360  # more than three replicas take at a time
SETTLE, SECONDS = 5, 12
BAR = 2.9
DOCKERFILE = """
FROM digiz/chatbot:1
COPY limited_replica.py /app/
CMD ["python3", "/app/limited_replica.py"]
"""

pytestmark = pytest.mark.benchmark


def carried(stack: Stack) -> float:
    """Requests per second that are answered, after the clients have settled."""
    quiet = {"open_rate": 0.0, "idle": 0, "sse": 0, "websockets": 0}
    plain = {"contract": "plain", "get_path": "/work", "duration": SETTLE + SECONDS + 1.0}
    with stack.traffic(closed=CLIENTS, **plain, **quiet) as traffic:
        result = traffic.join()
    assert result.failed == 0, result.table()
    counted = [one.ok for one in result.timeline if SETTLE <= one.second < SETTLE + SECONDS]
    return sum(counted) / SECONDS


def test_three_replicas_carry_three_times_what_one_carries(tmp_path: Path, show: Show) -> None:
    """Replicas that take 100 requests at a time of 1 s each: at least 2.9 times as much."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    shutil.copy(Path(__file__).parent / "limited_replica.py", tmp_path)
    docker("build", "--quiet", "--tag", f"{IMAGE}:1", str(tmp_path))
    variables = {"app_image": IMAGE, "app_stop_grace": 5, "app_pre_deploy": []}
    with deployed("lbtest-capacity", 18310, tmp_path, replicas=1, **variables) as stack:
        one = carried(stack)
        stack.must("scale", replicas=3)
        three = carried(stack)
    rows = [[1, f"{one:.1f}", "1.00"], [3, f"{three:.1f}", f"{three / one:.2f}"]]
    show(table([f"replicas ({CLIENTS} clients)", "requests/s", "ratio"], rows))
    assert three / one >= BAR
