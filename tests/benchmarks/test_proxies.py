# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one core of the balancer carries, beside what the same core carries otherwise."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

import pytest

from tests.benchmarks.conftest import Show
from tests.benchmarks.proxies import CONNECTIONS, Way, bench
from tests.benchmarks.rounds import in_turns, ratio, table

ROUNDS, SECONDS = 21, 1
HAPROXY_BAR, PUBLISHED_BAR = 1.0, 1.8

pytestmark = pytest.mark.benchmark


def lines(way: Way) -> int:
    """How many requests are in the access log of a way."""
    with way.log.open("rb") as log:
        return sum(1 for _line in log)


def test_one_core_carries_as_much_as_with_haproxy_and_more_than_behind_a_published_port(
    tmp_path: Path, show: Show
) -> None:
    """At least 1.0 × HAProxy and 1.8 × nginx behind a published port.

    Judged by requests per second of processor time. Where the machine has nothing else to do, that
    and requests per second agree; where it has, only the former says something about the proxy.
    """
    with bench(tmp_path, 18300) as one:
        ways = [
            one.balancer("balancer"),
            one.haproxy("haproxy"),
            one.haproxy("haproxy-plain", plain=True),
            one.haproxy("haproxy-plain-stdout", plain=True, stdout=True),
            one.balancer("published-port", published=True),
        ]
        for way in ways:
            one.measure(way, 1)  # connections to the upstreams, caches
            way.carried.clear()
        speed = in_turns({way.name: partial(one.measure, way, SECONDS) for way in ways}, ROUNDS)
        # Nobody is fast because it forgets to log.
        logged = {way.name: lines(way) / (sum(speed[way.name]) * SECONDS) for way in ways}
    carried = {way.name: way.carried for way in ways}
    rows = [
        [
            name,
            f"{median(speed[name]):,.0f}",
            f"{1e6 / median(carried[name]):.1f}",
            f"{ratio(speed, 'balancer', name):.2f}",
            f"{ratio(carried, 'balancer', name):.2f}",
        ]
        for name in speed
    ]
    head = [f"{CONNECTIONS} kept-alive connections", "requests/s", "CPU µs/request"]
    head += ["balancer ÷ (requests/s)", "balancer ÷ (CPU)"]
    show(f"{table(head, rows)}\nmedians of {ROUNDS} rounds of {SECONDS} s in turns, one core each")
    assert min(logged.values()) > 0.95, logged
    assert ratio(carried, "balancer", "haproxy") >= HAPROXY_BAR
    assert ratio(carried, "balancer", "haproxy-plain") >= HAPROXY_BAR
    assert ratio(carried, "balancer", "published-port") >= PUBLISHED_BAR
