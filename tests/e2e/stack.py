# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack of the tests' own on this machine, driven through the playbooks as operators do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.load.bookkeeping import Comparison, compare, stored_ids_via_psql
from tests.load.observer import Observer
from tests.load.process import TrafficProcess
from tests.load.profile import Profile
from tests.load.result import Result

ROOT = Path(__file__).resolve().parent.parent.parent
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
RECAP = re.compile(r"ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")
PLAY_TIMEOUT = 600
SURGE = 1  # more replicas than wanted, while one replaces another
HEALTH_CHECK_TIMEOUT = 4.0  # seconds, as in compose.py


@dataclass(frozen=True)
class Play:
    """A run of a playbook that has ended."""

    status: int
    output: str
    seconds: float

    @property
    def changed(self) -> int:
        """Tasks that changed something, as the recap has it."""
        found = RECAP.findall(self.output)
        assert found, f"no recap:\n{self.output[-4000:]}"
        return sum(int(row[1]) for row in found)

    @property
    def tasks(self) -> int:
        """Tasks that ran."""
        return sum(int(row[0]) for row in RECAP.findall(self.output))


@dataclass
class Stack:
    """A stack, removed at the end. ``variables`` go to every run of a playbook."""

    name: str
    http_port: int
    folder: Path
    variables: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the inventory: what an operator would write for this machine."""
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "stack_name": self.name,
            "balancer_http_port": self.http_port,
            "keeper_port": self.keeper_port,
            "rate_limit_exempt": ["127.0.0.0/8"],
            "lock_stale_after": 5,
            **self.variables,
        }
        inventory = {"all": {"hosts": {"localhost": host}}}
        self.inventory.write_text(json.dumps(inventory), encoding="utf-8")

    @property
    def inventory(self) -> Path:
        """The inventory's file."""
        return self.folder / f"{self.name}.yml"

    @property
    def keeper_port(self) -> int:
        """Where the keeper's page is: below the ports that clients' connections are given, since
        these tests open thousands of them.
        """
        return self.http_port + 2_000

    @property
    def root(self) -> Path:
        """The stack's folder on the host."""
        return Path("/opt") / self.name

    @property
    def url(self) -> str:
        """Where the balancer listens."""
        return f"http://127.0.0.1:{self.http_port}"

    def begin(self, playbook: str, *arguments: str, **variables: Any) -> subprocess.Popen[str]:
        """Start a playbook in a process group of its own; its output goes to :attr:`log`."""
        command = [str(ANSIBLE), "-i", str(self.inventory), f"playbooks/{playbook}.yml", *arguments]
        if variables:
            command += ["-e", json.dumps(variables)]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "120"}
        with self.log.open("w", encoding="utf-8") as log:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    @property
    def log(self) -> Path:
        """What the last run printed."""
        return self.folder / f"{self.name}.log"

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Play:
        """Run a playbook to its end, whatever that is."""
        started = time.monotonic()
        process = self.begin(playbook, *arguments, **variables)
        try:
            status = process.wait(PLAY_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        output = self.log.read_text(encoding="utf-8", errors="replace")
        return Play(status, output, time.monotonic() - started)

    def must(self, playbook: str, *arguments: str, **variables: Any) -> Play:
        """Run a playbook that has to succeed."""
        done = self.play(playbook, *arguments, **variables)
        assert done.status == 0, done.output[-8000:]
        return done

    def containers(self, role: str = "replica") -> list[dict[str, Any]]:
        """The stack's containers of a role: name, id, state, version."""
        shape = '{"id":"{{.ID}}","name":"{{.Names}}","state":"{{.State}}","status":"{{.Status}}",'
        shape += '"version":"{{.Label "digiz.load_balancing.version"}}"}'
        labels = {"stack": self.name, "role": role}
        filters = [f"--filter=label=digiz.load_balancing.{k}={v}" for k, v in labels.items()]
        text = docker("ps", "--all", "--no-trunc", *filters, "--format", shape)
        return [json.loads(line) for line in text.splitlines()]

    def versions(self) -> list[str]:
        """The versions of the replicas that run, one each."""
        return sorted(one["version"] for one in self.containers() if one["state"] == "running")

    def other_version(self) -> str:
        """The demo has two versions: the one that does not serve now."""
        return {"1": "2", "2": "1"}[self.versions()[0]]

    def get(self, path: str = "/health") -> Any:
        """A JSON answer through the balancer."""
        with urlopen(self.url + path, timeout=10) as answer:
            return json.loads(answer.read())

    def status(self) -> dict[str, Any]:
        """What the keeper sees (keeper_snapshot.py); empty if it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.keeper_port}/status.json", timeout=1) as answer:
                return dict(json.loads(answer.read()))
        except (OSError, ValueError, HTTPException):
            return {}

    def members(self) -> dict[str, str]:
        """Who is published: addresses by the ids of containers. Raises ValueError or OSError."""
        path = self.root / "nginx" / "current" / "members.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        return {member["id"]: member["address"] for member in data["members"]}

    def state(self) -> dict[str, str]:
        """All that a failed run must leave as it was: who runs, who is published, what holds."""
        root = self.root
        running = sorted(one["id"] for one in self.containers() if one["state"] == "running")
        members = json.loads((root / "state" / "members.json").read_text(encoding="utf-8"))
        return {
            "running": json.dumps(running),
            "members": json.dumps(members["members"]),
            "compose": (root / "compose.yaml").read_text(encoding="utf-8"),
            "nginx": (root / "nginx" / "current" / "nginx.conf").read_text(encoding="utf-8"),
        }

    @contextmanager
    def traffic(self, **profile: Any) -> Iterator[TrafficProcess]:
        """The full mix of traffic, or another one, while the block runs."""
        with TrafficProcess(Profile(url=self.url, **profile)) as traffic:
            yield traffic

    def observer(self) -> Observer:
        """Looks at containers and members while a block runs.

        A member is healthy that answers as soon as the containers' own health check asks for it.
        """
        return Observer(self.name, probe_timeout=HEALTH_CHECK_TIMEOUT)

    def bookkeeping(self, result: Result) -> Comparison:
        """What the application acknowledged against what the database holds."""
        database = self.containers("database")[0]["name"]
        stored = stored_ids_via_psql(database, "chatbot", "chatbot", run=result.run)
        return compare(result.acknowledged, stored, result.run)

    def remove(self) -> None:
        """Take the stack and its data away."""
        self.must("remove", remove_data="delete")


def kill(process: subprocess.Popen[str], with_children: bool) -> None:
    """SIGKILL to a run of a playbook; with or without the processes that it has started."""
    victims = [process.pid]
    for victim in victims:
        if with_children:
            victims += children(victim)
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def children(parent: int) -> list[int]:
    """The processes whose parent this one is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def docker(*words: str) -> str:
    """Run a docker command that has to succeed."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def deployed(name: str, http_port: int, folder: Path, **variables: Any) -> Iterator[Stack]:
    """A stack that is deployed, and removed at the end."""
    stack = Stack(name, http_port, folder, variables)
    try:
        stack.must("deploy")
        yield stack
    finally:
        stack.remove()


def assert_nothing_failed(result: Result) -> None:
    """Not one request failed, no stream was cut."""
    assert result.failed == 0, result.table()
    assert result.streams_cut == 0, result.table()
