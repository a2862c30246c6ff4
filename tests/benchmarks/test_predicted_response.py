# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the queueing theory predicts of a stack, and what its clients measure."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_queue import (
    Work,
    response_quantile,
)
from tests.benchmarks.conftest import Show
from tests.benchmarks.rounds import table
from tests.benchmarks.test_capacity import DOCKERFILE
from tests.e2e.stack import deployed, docker

IMAGE = "lbtest/limited"
PORT = 18311
REPLICAS, PLACES, SECONDS = 2, 10, 0.2
UTILISATIONS = (0.6, 0.8, 0.9)
LENGTH, SETTLE = 40.0, 4.0
ERROR = 0.2
SEED = 7
REQUEST = b"GET /work HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

pytestmark = pytest.mark.benchmark


async def response(times: list[tuple[float, float]], began: float) -> None:
    """Ask once, on a connection of its own; note when that was and how long it took."""
    start = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(REQUEST)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    times.append((start - began, time.monotonic() - start))


async def arrivals(rate: float) -> list[float]:
    """Clients that come at random moments, ``rate`` a second: how long each waited, sorted."""
    chance = random.Random(SEED)
    began, due = time.monotonic(), 0.0
    times: list[tuple[float, float]] = []
    clients = []
    while due < LENGTH:
        await asyncio.sleep(max(0.0, began + due - time.monotonic()))
        clients.append(asyncio.create_task(response(times, began)))
        due += chance.expovariate(rate)
    await asyncio.gather(*clients)
    return sorted(seconds for start, seconds in times if start > SETTLE)


def test_measured_p95_is_the_predicted_one(tmp_path: Path, show: Show) -> None:
    """At three loads, within 20 %: two replicas with ten places each are one queue."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    shutil.copy(Path(__file__).parent / "limited_replica.py", tmp_path)
    docker("build", "--quiet", "--tag", f"{IMAGE}:1", str(tmp_path))
    places = REPLICAS * PLACES
    environment = {"PLACES": str(PLACES), "SECONDS": str(SECONDS), "EXPONENTIAL": "1"}
    variables = {"app_image": IMAGE, "app_stop_grace": 5, "app_pre_deploy": []}
    rows, errors = [], []
    with deployed(
        "lbtest-predict", PORT, tmp_path, replicas=REPLICAS, app_env=environment, **variables
    ):
        for utilisation in UTILISATIONS:
            work = Work(utilisation * places / SECONDS, SECONDS)
            predicted = response_quantile(places, work)
            found = asyncio.run(arrivals(work.rate))
            measured = found[int(0.95 * len(found))]
            errors.append(measured / predicted - 1)
            rows.append(
                [
                    f"{utilisation:.0%}",
                    f"{work.rate:.0f}",
                    len(found),
                    f"{predicted:.3f} s",
                    f"{measured:.3f} s",
                    f"{errors[-1]:+.1%}",
                ]
            )
    heads = ["utilisation", "requests/s", "measured", "predicted p95", "measured p95", "error"]
    show(table(heads, rows))
    assert all(abs(error) <= ERROR for error in errors), errors
