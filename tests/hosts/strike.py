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
import sys, urllib.request
ask = urllib.request.Request(f"http://{sys.argv[1]}:8000/fault/health/off", method="POST")
urllib.request.urlopen(ask, timeout=5)
"""
RESTART = "restart"  # of the host: the only one that is not done from within
_TIMED = ("sh", "-c", 'date +%s.%N; exec "$@"', "sh")  # tells the moment, then runs the rest


def strike(host: Host, fault: str, file: Path) -> None:
    """Break it. FILE.struck has the moment then, from which all seconds count; of a restart it is
    when the host is started again.
    """
    command = [] if fault == RESTART else FAULTS[fault](host)
    file.with_suffix(".ill").unlink(missing_ok=True)
    if fault == RESTART:
        host.restart()
        struck = str(time.time())
    else:
        struck = host.run(*_TIMED, *command).split()[0]
    file.with_suffix(".struck").write_text(struck, encoding="ascii")


def _victim(host: Host) -> dict[str, Any]:
    """A replica that is well, the one that was repaired least lately: the back-off after an earlier
    fault must not show in the figures of the next one.
    """
    status: dict[str, Any] = json.loads(host.run("python3", "-c", STATUS))
    well = [one for one in status["replicas"] if one["member"] and one["state"] == "healthy"]
    return dict(min(well, key=lambda one: (one["repair_at"], one["restarts"], one["number"])))


def _signal(name: str) -> Callable[[Host], list[str]]:
    """To all processes of a replica but the first one, which is Docker's own."""

    def prepare(host: Host) -> list[str]:
        listed = host.run("docker", "top", _victim(host)["id"], "-o", "pid")
        _head, _init, *pids = listed.split()
        return ["kill", f"-{name}", *pids]

    return prepare


def _stop(host: Host) -> list[str]:
    return ["docker", "stop", _victim(host)["id"]]


def _sick(host: Host) -> list[str]:
    """Its health path answers 503, the rest works."""
    return ["python3", "-c", SICK, _victim(host)["address"]]


def _balancer(_host: Host) -> list[str]:
    """nginx's master is the oldest one of that name."""
    return ["pkill", "-KILL", "--oldest", "--exact", "nginx"]


#: What does it on the host, by name.
FAULTS: dict[str, Callable[[Host], list[str]]] = {
    "crash": _signal("KILL"),
    "stop": _stop,
    "hang": _signal("STOP"),
    "sick": _sick,
    "balancer": _balancer,
}
