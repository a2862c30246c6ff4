# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two commands of the README on hosts that have nothing: Debian 12 and 13 with systemd.

Debian 12 builds everything from Debian's packages: there the engine comes from the next suite, too.
Debian 13 gets its images the air-gapped way, from an archive, which takes a third of the time; its
checkout lies where blanks and signs of systemd's are in the path.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.e2e.steps import assert_calm
from tests.hosts import Host, running

ROOT = Path(__file__).resolve().parent.parent.parent
CHECKOUTS = {"bookworm": "/srv/checkout", "trixie": "/srv/the checkout at 100%"}
# What a run leaves in the checkout; a fresh checkout has none of it.
NOT_COPIED = {".git", ".venv", ".cache", ".ansible", "__pycache__", "output"}
# Packages that python3-venv needs.
FOR_THE_ENVIRONMENT = ("python3", "libpython3", "ca-certificates", "openssl")
IMAGES = ("digiz/nginx:1.30", "digiz/postgres:17", "digiz/chatbot:1")
ARCHIVE = "/srv/images.tar"
RECAP = re.compile(r"changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")
# Networks that look into TLS have a certificate authority of their own; it is handed on to pip.
AUTHORITY = os.environ.get("PIP_CERT", "")
AUTHORITY_THERE = "/srv/authority.pem"
# Prints the status of /health and the instances that answer it.
ASK = """
import json, sys, urllib.request
answers = [urllib.request.urlopen(sys.argv[1] + "/health", timeout=10) for _ in range(20)]
instances = {json.load(answer)["instance"] for answer in answers}
print(json.dumps([answers[0].status, len(instances)]))
"""

# Prints what the keeper of the stack on port 8080 sees.
STATUS = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:28080/status.json", timeout=5).read().decode())
"""
WHOLE_AFTER_BOOT = 60.0  # seconds
WHOLE_AFTER_REPAIR = 30.0
KNOCK_EVERY = 0.2  # seconds, which the limit of requests allows
# Scaling by the load, within bounds that leave it no choice: it runs, and stays.
SCALING = "digiz-scaling-chatbot"
SCALES = {"replicas": "auto", "scale_auto": True, "scale_auto_interval": 60}
BOUNDS = {"scale_min_replicas": 3, "scale_max_replicas": 3}
FIRED_AFTER = 120.0  # seconds, of which the interval takes half

pytestmark = pytest.mark.hosts


@dataclass
class Fresh:
    """A fresh host with the checkout, and how long its runs took."""

    host: Host
    checkout: str
    seconds: list[tuple[str, float]] = field(default_factory=list)

    def deploy(self, *arguments: str, timeout: float = 900) -> str:
        """Run ./deploy.sh, which has to succeed; gives what it printed."""
        return self._timed(["./deploy.sh", *arguments], timeout)

    def playbook(self, *arguments: str) -> str:
        """Run ansible-playbook in the checkout's root, as one does who has Ansible already."""
        return self._timed(["ansible-playbook", *arguments], 120)

    def _timed(self, command: list[str], timeout: float) -> str:
        authority = [f"PIP_CERT={AUTHORITY_THERE}"] if AUTHORITY else []
        path = f"PATH={self.checkout}/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
        start = time.monotonic()
        text = self.host.run(
            "env", f"--chdir={self.checkout}", *authority, path, *command, timeout=timeout
        )
        self.seconds.append((" ".join(command), time.monotonic() - start))
        return text

    def packages(self) -> set[str]:
        """What is installed, with versions."""
        return set(self.host.run("dpkg-query", "-W", "-f", "${Package}=${Version}\n").split())

    def answers(self) -> list[int]:
        """The status of /health, and how many instances gave it in 20 requests."""
        said = self.host.run("python3", "-c", ASK, "http://127.0.0.1:8080")
        answer: list[int] = json.loads(said)
        return answer

    def containers(self) -> set[str]:
        """Those that run, by id and by the moment at which they were started."""
        ids = self.host.run("docker", "ps", "-q").split()
        shape = "{{.Id}} {{.State.StartedAt}}"
        return set(self.host.run("docker", "inspect", "-f", shape, *ids).splitlines())


def changed(output: str) -> int:
    """How many tasks changed something, by the recap; none may have failed."""
    rows = RECAP.findall(output)
    assert rows, output[-4000:]
    assert all(row[1:] == ("0", "0") for row in rows), output[-4000:]
    return sum(int(row[0]) for row in rows)


@pytest.fixture(name="fresh")
def fresh_fixture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fresh]:
    """A fresh host of the release that the test names, with nothing but the checkout."""
    archive = tmp_path / "checkout.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(ROOT, "checkout", filter=_without_leftovers)
    with running(request.param) as host:
        _copy(archive, host, "/srv/checkout.tar")
        checkout = CHECKOUTS[request.param]
        host.run("mkdir", checkout)
        host.run("tar", "-x", "--strip-components=1", "-C", checkout, "-f", "/srv/checkout.tar")
        if AUTHORITY:
            _copy(Path(AUTHORITY).resolve(), host, AUTHORITY_THERE)
        fresh = Fresh(host, checkout)
        yield fresh
        for command, seconds in fresh.seconds:
            print(f"{request.param}: {seconds:6.1f} s  {command}")


def _without_leftovers(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(entry.name).name in NOT_COPIED else entry


def _copy(source: Path, host: Host, target: str) -> None:
    command = ["docker", "cp", "--quiet", str(source), f"{host.name}:{target}"]
    subprocess.run(command, check=True, timeout=120)


def check_changes_nothing(fresh: Fresh) -> None:
    """deploy.sh --check as the first command ever on the host, then again, looked at closely."""
    before = fresh.packages()
    said = fresh.deploy("--check")
    assert_calm(said.partition("\nPLAY [")[0])
    assert changed(said) > 0, "it does not say what it would do"
    # What .venv is made with is all that is new.
    after = fresh.packages()
    assert before <= after
    assert not {name for name in after - before if not name.startswith(FOR_THE_ENVIRONMENT)}
    assert fresh.host.run("sh", "-c", "command -v dockerd docker; ls -A /opt", check=False) == ""
    # The environment is there now, so that not a single file may change any more.
    tree, units = fresh.host.tree(), _units(fresh.host)
    fresh.deploy("--check")
    now = fresh.host.tree()
    assert {path for path in tree.keys() | now.keys() if tree.get(path) != now.get(path)} == set()
    assert _units(fresh.host) == units


def _units(host: Host) -> str:
    return host.run("systemctl", "list-unit-files", "--no-legend", "--plain")


def check_serving(fresh: Fresh) -> None:
    """What the README promises: /health answers, by three instances."""
    assert fresh.answers() == [200, 3]


def check_what_was_built(host: Host) -> None:
    """Images with what the stack needs, and nothing left of the building."""
    nginx = host.run("docker", "run", "--rm", "digiz/nginx:1.30", "nginx", "-v")
    assert tuple(map(int, nginx.rpartition("/")[2].split("."))) >= (1, 30, 5)
    command = ["docker", "run", "--rm", "--entrypoint", "postgres", "digiz/postgres:17"]
    assert host.run(*command, "--version").startswith("postgres (PostgreSQL) 17.")
    assert host.run("find", "/var/tmp", "-name", "load-balancing*") == ""


def keeper_says(fresh: Fresh) -> dict[str, Any]:
    """What the keeper sees; empty while it does not answer."""
    try:
        return dict(json.loads(fresh.host.run("python3", "-c", STATUS)))
    except (RuntimeError, ValueError):
        return {}


def knock(url: str) -> tuple[int, str] | None:
    """Ask once: the status and who answered; None if nobody did."""
    try:
        with urlopen(url, timeout=2) as answer:
            return answer.status, str(json.load(answer)["instance"])
    except HTTPError as error:
        return error.code, ""
    except (OSError, ValueError, HTTPException):
        return None


def check_restart(fresh: Fresh) -> None:
    """After a restart of the host all is well within a minute, without anybody's help; whoever asks
    meanwhile is answered by a replica as soon as there is one, and by nobody else.
    """
    fresh.host.restart()
    started = time.monotonic()
    url = f"http://{fresh.host.address}:8080/health"
    answers: list[tuple[int, str]] = []
    with ThreadPoolExecutor(1) as pool:
        whole = pool.submit(wait_until_whole, fresh, started)
        while not whole.done():
            answer = knock(url)
            answers += [answer] if answer else []
            time.sleep(KNOCK_EVERY)
    fresh.seconds.append(("until whole again after a restart of the host", whole.result()))
    assert whole.result() <= WHOLE_AFTER_BOOT
    replicas = ["--filter", "label=digiz.load_balancing.role=replica"]
    ids = set(fresh.host.run("docker", "ps", "--format", "{{.ID}}", *replicas).split())
    first = next(number for number, (status, _who) in enumerate(answers) if status == 200)
    assert {status for status, _who in answers[first:]} == {200}, answers
    assert {who for _status, who in answers[first:]} <= ids
    members = json.loads(fresh.host.run("cat", "/opt/chatbot/nginx/current/members.json"))
    published = {(one["id"], one["address"]) for one in members["members"]}
    seen = {(one["id"], one["address"]) for one in keeper_says(fresh)["replicas"]}
    assert published == seen
    check_serving(fresh)


def wait_until_whole(fresh: Fresh, started: float) -> float:
    """Seconds until the keeper says that all is well; gives up after twice the time allowed."""
    while time.monotonic() < started + 2 * WHOLE_AFTER_BOOT:
        if keeper_says(fresh).get("state") == "ok":
            break
        time.sleep(KNOCK_EVERY)
    return time.monotonic() - started


def check_repairs(fresh: Fresh) -> None:
    """The keeper mends from within the sandbox that systemd gives it: what was removed is made
    again, what was stopped is started.
    """
    for words in (
        ("rm", "-f", "chatbot-app-1"),
        ("rm", "-f", "chatbot-balancer-1"),
        ("stop", "-t", "5", "chatbot-app-2"),
    ):
        before = fresh.containers()
        fresh.host.run("docker", *words)
        started = time.monotonic()
        while time.monotonic() < started + 2 * WHOLE_AFTER_REPAIR:
            there = len(fresh.containers()) == len(before) and fresh.containers() != before
            if there and keeper_says(fresh).get("state") == "ok":
                break
            time.sleep(KNOCK_EVERY)
        fresh.seconds.append(
            (f"until whole again after docker {words[0]}", time.monotonic() - started)
        )
        assert fresh.seconds[-1][1] <= WHOLE_AFTER_REPAIR, keeper_says(fresh)
        check_serving(fresh)


def check_scaling_timer(fresh: Fresh) -> None:
    """With ``scale_auto`` systemd runs the playbook from where the checkout lies; it says why it
    stays, and changes nothing. Without, the timer is gone.
    """
    variables = ["--", "-e", json.dumps({**SCALES, **BOUNDS})]
    there = _units(fresh.host)
    said = fresh.deploy("--check", *variables)
    assert "+ExecStart=/bin/sh -c" in said
    assert _units(fresh.host) == there
    assert changed(fresh.deploy(*variables)) > 0
    started = time.monotonic()
    assert changed(fresh.deploy("--check", *variables)) == 0
    before = fresh.containers()
    while time.monotonic() < started + FIRED_AFTER and _shown(fresh, "ExecMainExitTimestamp") == "":
        time.sleep(1)
    fresh.seconds.append(("until the timer had run the playbook", time.monotonic() - started))
    told = fresh.host.run("journalctl", "--no-pager", "-o", "cat", "-u", f"{SCALING}.service")
    assert [_shown(fresh, "Result"), _shown(fresh, "ExecMainStatus")] == ["success", "0"], told
    assert "stays at 3: " in told
    assert changed(told) == 0
    assert fresh.containers() == before
    assert changed(fresh.deploy()) > 0
    assert SCALING not in _units(fresh.host)
    assert SCALING not in fresh.host.run("systemctl", "list-timers", "--all", "--no-legend")


def _shown(fresh: Fresh, name: str) -> str:
    unit = f"{SCALING}.service"
    return fresh.host.run("systemctl", "show", "--value", "-p", name, unit)


@pytest.mark.parametrize("fresh", ["bookworm"], indirect=True)
def test_debian_12_from_nothing(fresh: Fresh) -> None:
    """--check, the deploy with the engine and all images made, and a run that changes nothing."""
    check_changes_nothing(fresh)
    assert changed(fresh.deploy()) > 0
    check_serving(fresh)
    check_what_was_built(fresh.host)
    assert changed(fresh.deploy()) == 0
    check_serving(fresh)


@pytest.mark.parametrize("fresh", ["trixie"], indirect=True)
def test_debian_13_with_an_archive_of_images(fresh: Fresh, tmp_path: Path) -> None:
    """The same with images out of an archive; then ansible-playbook literally as in the README, the
    timer that scales, repairs, and a restart of the host.
    """
    check_changes_nothing(fresh)
    archive = tmp_path / "images.tar"
    subprocess.run(["docker", "save", "-o", str(archive), *IMAGES], check=True, timeout=120)
    _copy(archive, fresh.host, ARCHIVE)
    source = ["-e", "images_source=archive", "-e", f"images_archive={ARCHIVE}"]
    assert changed(fresh.deploy("--", *source)) > 0
    check_serving(fresh)
    assert changed(fresh.deploy()) == 0
    assert changed(fresh.playbook("deploy.yml", "-e", "replicas=3")) == 0
    check_serving(fresh)
    check_scaling_timer(fresh)
    check_repairs(fresh)
    check_restart(fresh)
