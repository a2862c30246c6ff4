# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers that are bound to a core, their processor time, and the image of the rivals."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

NGINX_IMAGE = "digiz/nginx:1.30"
#: Debian's haproxy and wrk.
RIVALS_IMAGE = "lb-test-rivals:trixie"
PREFIX = f"lbtest-bench-{os.getpid()}"


def docker(*words: str, seconds: float = 60) -> str:
    """Run the CLI, which has to succeed; give what it printed."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def ensure_rivals_image() -> None:
    """Make the image out of Debian's packages if there is none yet. About 30 s, once."""
    if docker("image", "ls", "--quiet", RIVALS_IMAGE):
        return
    with tempfile.TemporaryDirectory(prefix="lb-test-rivals-", dir="/var/tmp") as folder:
        archive = str(Path(folder) / "root.tar")
        make = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--format=tar"]
        make += ["--include=haproxy,wrk", "trixie", archive]
        subprocess.run(make, check=True, timeout=600)
        docker("import", archive, RIVALS_IMAGE, seconds=120)


def cores() -> tuple[str, str]:
    """The proxy's core, and those of everything else, in the form of `--cpuset-cpus`."""
    mine = sorted(os.sched_getaffinity(0))
    assert len(mine) > 1, "This needs two processor cores: one for the proxy, one for its client."
    return str(mine[0]), ",".join(map(str, mine[1:]))


def docker_proxies(port: int) -> list[int]:
    """The processes that Docker puts before a published port on loopback."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text(encoding="utf-8").split("\0")
        except OSError:
            continue
        if words[0].endswith("docker-proxy") and str(port) in words:
            found.append(int(folder.name))
    return found


def pin(pid: int, core: str) -> None:
    """Bind all threads of a process to one core; later threads inherit it."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {int(core)})


def cpu_seconds(pids: list[int]) -> float:
    """The processor time of processes so far, by the scheduler's own account."""
    total = 0
    for pid in pids:
        for account in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(account.read_text(encoding="ascii").split()[0])
    return total / 1e9
