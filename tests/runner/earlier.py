# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that was killed: what it has left is told and removed before the next one.

A run that uses the engine keeps a record of the machine as it found it, until it has ended. A
record whose run is dead tells what to remove: what has come since and is named as tests name it,
what the run has started. An engine that the runner has to start has nobody
else's tests on it: there everything that is named so goes, record or not, since such containers
come back with the engine and hold its ports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.runner import processes
from tests.runner.cases import CACHE
from tests.runner.leftovers import Machine, difference, docker, machine

RECORD = CACHE / "unfinished-run.json"
OURS = re.compile(r"lb-?test[-_]")
SYSTEMD = Path("/run/systemd/system")


@dataclass(frozen=True)
class Run:
    """A run as its record has it; ``runner`` and ``mark`` as processes.py has them."""

    runner: str
    mark: str
    started_engine: bool
    before: Machine


def unfinished(path: Path = RECORD) -> Run | None:
    """The run that has left a record, if it is dead."""
    run = _read(path)
    return None if run is None or processes.is_alive(run.runner) else run


def _read(path: Path) -> Run | None:
    try:
        return Run(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # none, or one that was cut off when it was written


@contextmanager
def recorded(started_engine: bool, path: Path = RECORD) -> Iterator[None]:
    """Keep a record while the block runs, unless a living run keeps one.

    A block that is interrupted is cleaned up after at once: what ran in it was not waited for.
    """
    other = _read(path)
    if other and processes.is_alive(other.runner):
        yield
        return
    run = Run(processes.identity(os.getpid()), processes.mark(), started_engine, machine())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(vars(run)), encoding="utf-8")
    try:
        yield
    except BaseException:
        tell(clean(run, alone=False))
        raise
    finally:
        path.unlink(missing_ok=True)


def to_remove(now: Machine, run: Run | None, alone: bool) -> Machine:
    """What goes: what is named as tests name it and has come since, or all of it if ``alone``."""
    if run is None and not alone:
        return {}
    new = now if alone or run is None else difference(run.before, now)
    kinds = ("file", "container", "network", "volume")  # services stop first: they hold the rest
    return {kind: {n: m for n, m in new.get(kind, {}).items() if OURS.search(n)} for kind in kinds}


def clean(run: Run | None, alone: bool) -> list[str]:
    """Remove what an earlier run has left. Gives what that was, in words."""
    told = []
    for identity, words in (processes.marked(run.mark) if run else {}).items():
        with suppress(ProcessLookupError):  # it ends with another one
            os.kill(int(identity.partition("@")[0]), signal.SIGKILL)
        told.append(f"process {words}")
    for kind, things in to_remove(machine(), run, alone).items():
        for name in sorted(things):
            remove(kind, name)
            told.append(f"{kind} {name}")
    stays = difference(run.before, machine()) if run else {}
    for name in (*stays.get("setting", {}), *stays.get("file", {})):
        told.append(f"{name} is not as that run found it, and stays")
    return told


def tell(removed: list[str]) -> None:
    """Say what was removed."""
    for words in removed:
        print(f"  left by a run that did not end: {words}", flush=True)


def remove(kind: str, name: str) -> None:
    """Remove one thing; a file that makes a service stops that first."""
    if kind != "file":
        volumes = ["--volumes"] if kind == "container" else []
        force = [] if kind == "network" else ["--force"]
        docker(kind, "rm", *force, *volumes, name)
        return
    path = Path(name)
    if path.suffix in (".service", ".timer") and SYSTEMD.exists():
        subprocess.run(["systemctl", "disable", "--now", path.name], check=False)
    elif path.parent.name == "init.d":
        subprocess.run([name, "stop"], check=False)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
