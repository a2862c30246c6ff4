# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three replicas behind one balancer, as clients elsewhere see them."""

from __future__ import annotations

from tests.hosts.deployed import Deployed
from tests.load.process import TrafficProcess
from tests.load.profile import Profile

SECONDS = 5.0


def test_three_replicas_serve(stack: Deployed) -> None:
    assert stack.versions() == ["1"] * 3
    assert len(stack.containers("balancer")) == len(stack.containers("database")) == 1
    assert stack.keeper()["state"] == "ok"


def test_the_clients_elsewhere_are_served_by_all_three(stack: Deployed) -> None:
    mix = {"closed": 10, "think_time": 0.05, "sse": 2, "stream_tokens": 10, "websockets": 2}
    profile = Profile(url=f"http://{stack.address}", duration=SECONDS, **mix)
    with TrafficProcess(profile) as traffic:
        result = traffic.join()
    assert result.failed == 0, result.table()
    assert len(result.instances) == 3


def test_replicas_are_not_to_be_reached_from_elsewhere(stack: Deployed) -> None:
    """Only the balancer listens on the host's own addresses."""
    published = [one["HostConfig"]["PortBindings"] for one in stack.containers()]
    assert published == [{}] * 3
