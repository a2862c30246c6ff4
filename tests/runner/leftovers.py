# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a part leaves behind: the machine before it and after it, compared.

What was there before is not counted. Images that the next run uses again may stay, and so may the
engine's build cache.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Collection
from pathlib import Path

from tests.runner import processes
from tests.runner.cases import Case, report

# Things by their kinds: for each its identity, and what else helps to find it.
Machine = dict[str, dict[str, str]]

SETTLE = 15.0  # seconds: what was told to stop needs a moment
DOCKER = {
    "container": ["ps", "--all", "--format", "{{.Names}}\t{{.Image}}"],
    "network": ["network", "ls", "--format", "{{.Name}}\t{{.Driver}}"],
    "volume": ["volume", "ls", "--format", "{{.Name}}\t{{.Driver}}"],
    "image": ["images", "--format", "{{.Repository}}:{{.Tag}}\t{{.Size}}"],
}
# Built for the tests, or from a checkout's own Dockerfiles; <none> had one of these names.
REUSED_IMAGES = re.compile(r"(digiz|lbtest)/|lb-test-|<none>:")
FILES = [
    "opt/lbtest-*",
    "etc/digiz-*",
    "etc/sysctl.d/*digiz*",
    "etc/cron.d/digiz-*",
    "etc/logrotate.d/digiz-*",
    "etc/init.d/digiz-*",
    "etc/rc?.d/*digiz-*",
    "etc/systemd/system/digiz-*",
    "etc/systemd/system/*/digiz-*",
    "var/tmp/lb-test-*",
    "var/tmp/load-balancing-image-*",
]
KERNEL = ["proc/sys/net/ipv4/tcp_migrate_req"]


def docker(*arguments: str) -> list[str]:
    """The lines that a docker command printed; nothing when it failed or there is no docker."""
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def started(root: Path = Path("/")) -> Machine:
    """What this run has started and still runs: all that a part without an engine can leave, and
    all of what one beside others leaves that is known as its own.
    """
    proc = root / "proc"
    mine = {**processes.below(os.getpid(), proc), **processes.marked(processes.mark(), proc)}
    return {"process": mine}


def machine(root: Path = Path("/"), aside: Collection[str] = ()) -> Machine:
    """What tests can leave behind and what is there now. Assumes one run of tests at a time.

    :param aside: runs within this one, by their identities, whose processes are not looked at.
    """
    found: Machine = {}
    for kind, command in DOCKER.items():
        lines = (line.partition("\t") for line in docker(*command))
        found[kind] = {name: more for name, _tab, more in lines}
    found["file"] = {str(path): "" for pattern in FILES for path in root.glob(pattern)}
    settings = [path for name in KERNEL if (path := root / name).exists()]
    found["setting"] = {f"{path} = {path.read_text('ascii').strip()}": "" for path in settings}
    every = {**processes.orphans(root / "proc"), **started(root)["process"]}
    theirs = processes.of_runs(aside, root / "proc") if aside else set()
    found["process"] = {one: words for one, words in every.items() if one not in theirs}
    return found


def difference(before: Machine, after: Machine) -> Machine:
    """What is there now and was not before."""
    return {
        kind: {name: more for name, more in things.items() if name not in before.get(kind, {})}
        for kind, things in after.items()
    }


def split(new: Machine) -> tuple[list[str], list[str]]:
    """What must not stay, and what may, both in words."""
    bad: list[str] = []
    kept: list[str] = []
    for kind, things in new.items():
        for name, more in sorted(things.items()):
            may_stay = kind == "image" and REUSED_IMAGES.match(name)
            words = f"process {more}" if kind == "process" else f"{kind} {name} {more}".strip()
            (kept if may_stay else bad).append(words)
    return bad, kept


def compare(before: Machine, look: Callable[[], Machine], settle: float = SETTLE) -> Case:
    """The case of what is left, told as soon as nothing is or the time to settle is over."""
    start = time.monotonic()
    bad, kept = split(difference(before, look()))
    while bad and time.monotonic() - start < settle:
        time.sleep(min(1.0, settle))
        bad, kept = split(difference(before, look()))
    if kept:
        print(f"  kept for the next run: {', '.join(kept)}", flush=True)
    problem = "\n".join(["left behind:", *bad]) if bad else ""
    return report(Case("leftovers", time.monotonic() - start, problem))
