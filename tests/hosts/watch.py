# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic to a stack on a host, and a look at what its keeper says, while something is done to it.

A process of its own, for playbooks: it ends when the file FILE.stop appears, when the host is gone,
or at its limit. What it has seen is in FILE then. FILE.ill appears as soon as not all is well.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.hosts.host import Host
from tests.load.process import TrafficProcess
from tests.load.profile import Profile
from tests.load.result import Result

WARM = 100  # requests before the file FILE.begun appears
POLL = 0.1
ENDING = 5.0  # seconds that what looks from within may take to end
# Prints what the keeper sees ten times a second; nothing of it while the keeper does not answer.
# Ends with its input, since the end of `docker exec` does not end what it runs; and with the host:
# systemd waits 90 s for a process that came after its last signal.
LOOK = """
import json, select, sys, time, urllib.request
while "shutdow" not in open("/proc/1/comm").read():
    now, said = time.time(), {}
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=1) as answer:
            said = json.load(answer)
    except (OSError, ValueError):
        pass
    names = ("state", "healthy", "wanted", "members")
    print(json.dumps({"time": now, **{name: said[name] for name in names if name in said}}))
    sys.stdout.flush()
    if select.select([sys.stdin], [], [], 0.1)[0]:
        break
"""


@dataclass(frozen=True)
class Look:
    """What the keeper said at a moment; the state is empty if it did not answer."""

    time: float
    state: str = ""
    healthy: int = 0
    wanted: int = 0
    members: tuple[str, ...] = ()


@dataclass
class Record:
    """What was seen. ``struck``: when something was done; ``traffic``: None if none was sent."""

    struck: float
    looks: list[Look] = field(default_factory=list)
    traffic: Result | None = None

    @classmethod
    def read(cls, path: Path) -> Record:
        """From the file of a process that has ended."""
        data = json.loads(path.read_text(encoding="utf-8"))
        struck = float(path.with_suffix(".struck").read_text(encoding="ascii"))
        looks = [Look(**{**one, "members": tuple(one.get("members", ()))}) for one in data["looks"]]
        traffic = data["traffic"]
        return cls(struck, looks, Result.from_json(json.dumps(traffic)) if traffic else None)

    @property
    def sent(self) -> Result:
        """The traffic's result, where some was sent."""
        assert self.traffic is not None
        return self.traffic

    @property
    def fewest(self) -> int:
        """Fewest replicas that were healthy and had traffic, whenever the keeper answered."""
        said = [min(one.healthy, len(one.members)) for one in self.looks if one.state]
        return min(said, default=0)

    @property
    def degraded(self) -> float | None:
        """Seconds until the keeper first said that not all is well, or nothing. None: never."""
        ill = [one.time for one in self.looks if one.time >= self.struck and one.state != "ok"]
        return ill[0] - self.struck if ill else None

    @property
    def mended(self) -> float | None:
        """Seconds until all was well and stayed so. None: it was not at the end."""
        if not self.looks or self.looks[-1].state != "ok":
            return None
        ill = [number for number, one in enumerate(self.looks) if one.state != "ok"]
        first = self.looks[ill[-1] + 1] if ill else self.looks[0]
        return max(0.0, first.time - self.struck)


class Watch:
    """Looks from within the host, in a thread, until it is closed."""

    def __init__(self, host: Host, url: str, ill: Path) -> None:
        self._ill = ill
        self.looks: list[dict[str, Any]] = []
        self.gone = False
        self._command = ["docker", "exec", "-i", host.name, "python3", "-c", LOOK, url]
        self._there = ["docker", "container", "inspect", host.name]
        self._process: subprocess.Popen[str] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._thread.join(ENDING)
            self._process.kill()
        self._thread.join()

    def _repeat(self) -> None:
        """Again and again: a host that is restarted ends all that runs in it."""
        while not self._closed.is_set():
            with subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as process:
                self._process = process
                if self._closed.is_set():
                    break
                for line in process.stdout or ():
                    with contextlib.suppress(ValueError):  # half a line
                        self._add(json.loads(line))
            if self._closed.is_set():
                break
            # Not to be there is to be seen, too.
            self._add({"time": time.time()})
            there = subprocess.run(self._there, capture_output=True, check=False)
            self.gone = there.returncode != 0
            self._closed.wait(0.5)

    def _add(self, look: dict[str, Any]) -> None:
        self.looks.append(look)
        if look.get("state") != "ok":
            self._ill.touch()


def watch(
    host: Host, file: Path, profile: Mapping[str, Any], ports: tuple[int, int], limit: float
) -> None:
    """Send the traffic of a profile (none if it is empty) and look on.

    :param ports: the balancer's and the keeper's.
    :param limit: seconds after which it ends in any case.
    """
    begun, stop, ill = (file.with_suffix(end) for end in (".begun", ".stop", ".ill"))
    for path in (file, begun, stop, ill):
        path.unlink(missing_ok=True)
    looking = Watch(host, f"http://127.0.0.1:{ports[1]}/status.json", ill)
    try:
        result = _send(host, profile, ports[0], limit, begun, lambda: stop.exists() or looking.gone)
    finally:
        looking.close()
    traffic = asdict(result) if result else None
    file.write_text(json.dumps({"looks": looking.looks, "traffic": traffic}), encoding="utf-8")


def _send(
    host: Host,
    profile: Mapping[str, Any],
    port: int,
    limit: float,
    begun: Path,
    ended: Callable[[], bool],
) -> Result | None:
    end = time.monotonic() + limit
    with contextlib.ExitStack() as block:
        traffic = None
        if profile:
            url = f"http://{host.address}:{port}"
            whole = Profile(url=url, **{"max_duration": limit, **profile})
            traffic = block.enter_context(TrafficProcess(whole))
            traffic.wait_until(sent=WARM, timeout=30)
        begun.touch()
        while time.monotonic() < end and not ended():
            time.sleep(POLL)
        return traffic.stop() if traffic else None
