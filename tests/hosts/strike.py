# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Break something of a stack on a host, as it breaks in real life, while :mod:`tests.hosts.watch`
looks on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hosts.host import Host

STATUS = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:20080/status.json", timeout=5).read().decode())
"""
SICK = """
import urllib.request
ask = urllib.request.Request("http://127.0.0.1:8000/fault/health/off", method="POST")
urllib.request.urlopen(ask, timeout=5)
"""
Strike = Callable[[], object]


def strike(host: Host, fault: str, file: Path) -> None:
    """Break it. FILE.struck has the moment then, from which all seconds count."""
    act = FAULTS[fault](host)
    file.with_suffix(".ill").unlink(missing_ok=True)
    file.with_suffix(".struck").write_text(str(time.time()), encoding="ascii")
    act()


def victim(host: Host) -> str:
    """A replica that is well, the one that was repaired least lately: the back-off after an earlier
    fault must not show in the figures of the next one.
    """
    status: dict[str, Any] = json.loads(host.run("python3", "-c", STATUS))
    well = [one for one in status["replicas"] if one["member"] and one["state"] == "healthy"]
    return str(min(well, key=lambda one: (one["repair_at"], one["restarts"], one["number"]))["id"])


def _signal(name: str) -> Callable[[Host], Strike]:
    """To all processes in a replica but the first one, which is Docker's own."""

    def prepare(host: Host) -> Strike:
        replica = victim(host)
        return lambda: host.run("docker", "exec", replica, "sh", "-c", f"kill -{name} -1")

    return prepare


def _stop(host: Host) -> Strike:
    replica = victim(host)
    return lambda: host.run("docker", "stop", replica)


def _sick(host: Host) -> Strike:
    """Its health path answers 503, the rest works."""
    replica = victim(host)
    return lambda: host.run("docker", "exec", replica, "python3", "-c", SICK)


def _balancer(host: Host) -> Strike:
    """nginx's master is the oldest one of that name."""
    return lambda: host.run("pkill", "-KILL", "--oldest", "--exact", "nginx")


FAULTS: dict[str, Callable[[Host], Strike]] = {
    "crash": _signal("KILL"),
    "stop": _stop,
    "hang": _signal("STOP"),
    "sick": _sick,
    "balancer": _balancer,
    "restart": lambda host: host.restart,
}
