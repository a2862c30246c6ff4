# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every job template of awx/, run through ansible-runner as AWX does, and cancelled in the middle,
all on one stack and under traffic: it loses nothing, shows no secret and leaves no lock behind.

A template that is added is tested, too. It needs an entry in ANSWERS if its survey has a question
that must be answered.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from tests.e2e import faults
from tests.e2e.awx_jobs import OPERATOR, Controller, Job, templates
from tests.e2e.stack import Stack, assert_nothing_failed, docker
from tests.load.process import TrafficProcess

NAME, PORT = "lbtest-awx", 18188
REPLICAS, STALE_AFTER = 2, 5
VAULTED = {"vaulted": "correct-horse-of-the-vault"}
INJECTED = {"injected": "battery-staple-of-a-credential"}
HOST = {
    "replicas": REPLICAS,
    "app_memory": "256m",
    "app_memory_reservation": "64m",
    "lock_stale_after": STALE_AFTER,
}
TRAFFIC: dict[str, Any] = {
    "closed": 6,
    "think_time": 0.2,
    "open_rate": 5,
    "idle": 4,
    "sse": 2,
    "stream_tokens": 15,
    "websockets": 2,
    "ws_life": 3,
}
# The last step of a cancelled job goes on, and drains.
LAST_STEP = 120.0
SIGN_OF_LIFE = re.compile(r"last sign of life (\d+) s ago")

TEMPLATES = templates()
ORDER = ["deploy", "verify", "monitor", "traffic", "capacity", "certificate", "maintenance"]
ORDER += ["scale", "drill"]
ORDER += [name for name in TEMPLATES if name not in [*ORDER, "rollback"]]
# The other way round, so that what changes the replicas comes last: a deploy finishes all of it.
# Before that there is no release to go back to.
CANCELLED = [*reversed(ORDER), "rollback"]

# What an operator fills in besides what is filled in already, and what the job must tell then.
ANSWERS: dict[str, dict[str, Any]] = {
    "deploy": {"app_version": 1, "verify_requests": 100},
    "drill": {"fault": "keeper", "drill_rate": 20, "drill_confirm": True},
    "maintenance": {"state": "on", "maintenance_allow": "192.0.2.0/24, 2001:db8::/32"},
    "monitor": {"baseline": "save", "alert_p95_seconds": 30},
    "rollback": {"verify_requests": 100},
    "scale": {"replicas": REPLICAS + 1},
    "traffic": {"traffic_since": "15m", "traffic_top": 3},
}
REPORTS: dict[str, list[str]] = {
    "capacity": [r"Replicas 2 \(deploy with -e replicas=2\)", r"How it was reckoned"],
    "deploy": [
        r"ok versions: version 1 in 100 of 100 answers",
        rf"{NAME} answers on port {PORT} with 2 x \S+:1 \(release 1\)\.",
        r"It took [\d.]+ s under the deploy lock\. .*Next: playbooks/verify\.yml",
    ],
    "drill": [rf"keeper: the keeper of {NAME} whole again after", r"\b0 of \d+ requests failed"],
    "maintenance": [r"maintenance is on: status 503, Retry-After 300 s"],
    "monitor": [rf"{NAME} is ok: 2 of 2 replicas are healthy", r"No limit is broken"],
    "rollback": [
        r"ok versions: version 1 in 100 of 100 answers",
        rf"{NAME} answers on port {PORT} with \d x \S+:1 \(release \d+\)\.",
    ],
    "scale": [r"up to 3: as asked for", rf"{NAME} answers on port {PORT} with 3 x "],
    "traffic": [r"requests [\d,]+", r"errors 0, 0\.00 %", r"Slowest requests"],
    "verify": [r"ok containers: 2 of 2 replicas", r"ok spread: \d+, \d+ of 300 requests"],
}

# What it is that is cancelled, where that is something else: there has to be something to do.
CHANGES: dict[str, dict[str, Any]] = {
    "capacity": {"measure": True, "measure_confirm": True},
    "deploy": {"app_version": 2},
    "drill": {"fault": "sick"},
    "scale": {"replicas": REPLICAS},
}
# The task and how many seconds into it, where it is not the middle of the one that takes longest.
MOMENTS: dict[str, tuple[str, float]] = {
    "capacity": ("Measure what one replica takes", 3),
    "deploy": ("Roll", 3),
    "rollback": ("Roll", 2),
}

pytestmark = pytest.mark.awx


class Site(NamedTuple):
    """A stack that AWX looks after, the traffic to it, and the jobs that went to their ends."""

    stack: Stack
    awx: Controller
    traffic: TrafficProcess
    done: dict[str, Job]

    def assert_sound(self, job: Job) -> None:
        """What holds for every job, whatever becomes of it."""
        assert self.awx.leaks(job) == []
        failed = self.traffic.progress()["failed"]
        assert failed == 0, f"{failed} requests failed:\n{job.output[-4000:]}"

    def must(self, name: str, **given: Any) -> Job:
        """Run a job that has to succeed."""
        job = self.awx.run(TEMPLATES[name], **given)
        assert job.status == "successful", job.output[-8000:] or job.log
        assert re.search(r"unreachable=0 failed=0", job.said), job.output[-8000:]
        self.assert_sound(job)
        return job

    def whole(self, name: str) -> Job:
        """The job of a template, with what an operator fills in; it is run once."""
        if name not in self.done:
            if name == "drill":
                faults.wait_for(lambda: self.stack.status().get("state") == "ok", 60)
            self.done[name] = self.must(name, **ANSWERS.get(name, {}))
        return self.done[name]


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A stack whose first deploy is a job already."""
    folder = tmp_path_factory.mktemp("awx")
    stack = Stack(NAME, PORT, folder, HOST)
    awx = Controller(stack, folder, VAULTED, INJECTED)
    try:
        first = awx.run(TEMPLATES["deploy"], **ANSWERS["deploy"])
        assert first.status == "successful", first.output[-8000:] or first.log
        with stack.traffic(**TRAFFIC) as traffic:
            yield Site(stack, awx, traffic, {"deploy": first})
    finally:
        awx.stop()
        stack.remove()


def test_secrets_of_credentials_reach_the_replicas(site: Site) -> None:
    """And nothing else than the replicas: no job's files have them (assert_sound)."""
    for one in site.stack.containers():
        for name, secret in {**VAULTED, **INJECTED}.items():
            assert docker("exec", one["id"], "cat", f"/run/secrets/{name}") == secret
    audit = (site.stack.root / "state" / "audit.log").read_text(encoding="utf-8")
    assert f" {OPERATOR}@" in audit


@pytest.mark.parametrize("name", ORDER)
def test_a_job_tells_what_it_did(site: Site, name: str) -> None:
    assert_told(site, name)
    if name == "maintenance":
        assert "maintenance is off" in site.must(name, state="off").said


def assert_told(site: Site, name: str) -> None:
    """The job of a template ends well, and says what operators look for."""
    job = site.whole(name)
    print(f"\n{name}: {job.seconds:.0f} s")
    for report in REPORTS.get(name, []):
        assert re.search(report, job.said), f"{report}\n{job.output[-8000:]}"
    site.assert_sound(job)


@pytest.mark.parametrize("name", CANCELLED)
def test_a_cancelled_job_leaves_the_service_whole_and_no_lock(site: Site, name: str) -> None:
    task, seconds = MOMENTS.get(name) or middle(site.whole(name))
    answers = {**ANSWERS.get(name, {}), **CHANGES.get(name, {})}
    job = site.awx.begin(TEMPLATES[name], **answers).cancel_in(task, seconds)
    assert job.status == "canceled", job.output[-8000:]
    running = site.stack.versions()
    faults.wait_for(lambda: not processes(job), LAST_STEP, poll=0.2)
    waited = take_the_lock(site.stack)
    print(f"\n{name}: {seconds:.1f} s into {task}, versions {running}, lock after {waited:.1f} s")
    site.assert_sound(job)
    if name == "maintenance":
        site.must(name, state="off")


def middle(job: Job) -> tuple[str, float]:
    """The middle of a job: of its longest task."""
    task, duration = job.longest_task()
    return task, duration / 2


def processes(job: Job) -> list[int]:
    """What still works for a job."""
    mark = f"AWX_PRIVATE_DATA_DIR={job.folder}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def take_the_lock(stack: Stack) -> float:
    """Take the deploy lock as the next job does, and give it back; the seconds that it took."""
    lock = DeployLock(StackPaths(stack.name))
    began = time.monotonic()
    token, taken_over = lock.acquire("tests", "here", "look", stale_after=STALE_AFTER)
    waited = time.monotonic() - began
    lock.release(token)
    for quiet in SIGN_OF_LIFE.findall(taken_over):
        assert int(quiet) <= STALE_AFTER + 2, taken_over
    assert waited <= STALE_AFTER + 2, taken_over
    return waited


def test_the_next_deploy_finishes_what_was_begun(site: Site) -> None:
    """With the answers of the deploy that was cancelled, and after all else that was."""
    job = site.must("deploy", **CHANGES["deploy"])
    assert site.stack.versions() == ["2"] * REPLICAS, job.output[-4000:]
    assert len(site.stack.containers()) == REPLICAS
    assert not (site.stack.root / "state" / "lock.json").exists()


def test_rollback_tells_what_it_did(site: Site) -> None:
    assert_told(site, "rollback")
    assert set(site.stack.versions()) == {"1"}


def test_not_one_request_failed(site: Site) -> None:
    """Last in this file: it ends the traffic."""
    faults.wait_for(lambda: site.stack.status().get("state") == "ok", 60)
    result = site.traffic.stop()
    print(f"\n{len(site.awx.jobs)} jobs\n{result.table()}")
    assert_nothing_failed(result)
    assert site.stack.bookkeeping(result).exact, site.stack.bookkeeping(result)
