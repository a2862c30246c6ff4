# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge of a stack that is deployed as operators do it: limits by key, maintenance, and what
docs/security.md says of its containers.

The outsider comes by the address of Docker's bridge: this machine, but not on loopback.
"""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import API_KEY, BURST, THREE_PORT
from tests.e2e.stack import Stack, assert_nothing_failed, docker

NEXT_KEY = "Bearer the-lion-has-moved-out"
REQUESTS = 30
STREAM = "/api/chat/stream?message=hello&tokens=40&delay_ms=100"

pytestmark = pytest.mark.rollout


def outsider(timeout: float = 20) -> HTTPConnection:
    """A connection to the balancer that is not on loopback."""
    (network,) = json.loads(docker("network", "inspect", "bridge"))
    return HTTPConnection(network["IPAM"]["Config"][0]["Gateway"], THREE_PORT, timeout=timeout)


def ask(path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of one request of an outsider."""
    link = outsider()
    try:
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read().decode()
    finally:
        link.close()


def accepted(key: str = "") -> int:
    """How many of a burst of requests are not refused."""
    headers = {"Authorization": key} if key else {}
    statuses = [ask("/api/messages/count", **headers)[0] for _number in range(REQUESTS)]
    assert set(statuses) <= {200, 429}, statuses
    return statuses.count(200)


def test_a_listed_key_has_its_tier_and_a_made_up_one_helps_nobody(three: Stack) -> None:
    """One bucket of 6 a minute: the burst and one, and a second one if a minute's tenth passes."""
    assert BURST + 1 <= accepted() <= BURST + 2
    assert accepted("Bearer made-up") <= 1, "a key that is made up has opened another bucket"
    assert accepted(API_KEY) == REQUESTS


def test_a_tier_bounds_the_streams_of_a_key(three: Stack) -> None:
    with ExitStack() as links:

        def stream() -> HTTPResponse:
            link = outsider()
            links.callback(link.close)
            link.request("GET", STREAM, headers={"Authorization": API_KEY})
            return link.getresponse()

        assert [stream().status, stream().status] == [200, 200]
        refused = stream()
        assert refused.status == 429
        assert refused.headers["Retry-After"] == "1"
        assert "error" in json.loads(refused.read())


def test_another_key_takes_over_without_a_new_container_and_without_a_word(three: Stack) -> None:
    before = three.state()["running"], three.containers("balancer")[0]["id"]
    keys = {"partner": {"key": NEXT_KEY, "tier": "gold"}}
    wanted: dict[str, Any] = {"api_keys": keys, "app_version": three.versions()[0]}
    planned = three.must("deploy", "--check", "--diff", **wanted)
    done = three.must("deploy", "--diff", **wanted)
    assert done.changed > 0
    assert (three.state()["running"], three.containers("balancer")[0]["id"]) == before
    assert accepted(NEXT_KEY) == REQUESTS
    assert accepted(API_KEY) <= BURST + 2
    assert three.must("deploy", **wanted).changed == 0
    for text in (planned.output, done.output, *readable_texts(three)):
        for key in (API_KEY, NEXT_KEY):
            assert key not in text
            assert key.removeprefix("Bearer ") not in text


def readable_texts(stack: Stack) -> list[str]:
    """What others than root can read of a stack: its open files, and what Docker tells."""
    inspected = docker("inspect", *(one["id"] for one in every_container(stack)))
    log = (stack.root / "logs" / "access.log").read_text(encoding="utf-8")
    find = ["find", str(stack.root), "-type", "d", "!", "-perm", "-o+x", "-prune", "-o"]
    find += ["-type", "f", "-perm", "-o+r", "-print"]
    found = subprocess.run(find, capture_output=True, text=True, check=True).stdout.splitlines()
    texts = [Path(path).read_text(encoding="utf-8", errors="replace") for path in found]
    assert len(texts) > 5
    return [inspected, log, *texts]


def test_maintenance_is_for_others_until_it_is_switched_off(three: Stack) -> None:
    """Through a rolling update and a restart of the balancer; this machine is served throughout."""
    assert ask("/")[0] in (200, 429)
    mix = {"closed": 8, "think_time": 0.05, "sse": 2, "stream_tokens": 20, "websockets": 2}
    with three.traffic(**mix, ws_life=3.0) as traffic:
        planned = three.must(
            "maintenance", "--check", "--diff", state="on", maintenance_retry_after=77
        )
        assert planned.changed == 1
        assert in_maintenance() is False
        shown = lines_of_diff(planned.output)
        done = three.must("maintenance", "--diff", state="on", maintenance_retry_after=77)
        assert done.changed == 1
        assert lines_of_diff(done.output) == shown
        assert in_maintenance(retry_after="77") is True
        assert three.must("maintenance", state="on", maintenance_retry_after=77).changed == 0
        version = three.other_version()
        three.must("deploy", app_version=version)
        assert three.versions() == [version] * 3
        assert in_maintenance(retry_after="77") is True
        result = traffic.stop()
    assert_nothing_failed(result)
    docker("restart", "--time=10", three.containers("balancer")[0]["id"])
    assert in_maintenance(retry_after="77") is True
    three.must("maintenance", state="on", maintenance_allow=[address_of_outsiders(three)])
    assert ask("/health")[0] == 200
    assert three.must("maintenance", state="off").changed == 1
    assert three.must("maintenance", state="off").changed == 0
    assert in_maintenance() is False


def address_of_outsiders(stack: Stack) -> str:
    """As the balancer sees it: Docker's rules may give such a connection another one."""
    name = f"lbtest-{time.monotonic_ns()}"
    ask("/", **{"User-Agent": name})
    for _attempt in range(100):
        for line in (stack.root / "logs" / "access.log").read_text(encoding="utf-8").splitlines():
            if name in line:
                return str(json.loads(line)["client"])
        time.sleep(0.1)
    raise AssertionError("the log has no such request")


def lines_of_diff(output: str) -> list[str]:
    """What a run shows to be added and taken away."""
    return [
        line for line in output.splitlines() if line.startswith(("+", "-")) and "---" not in line
    ]


def in_maintenance(retry_after: str = "300") -> bool:
    """Whether outsiders are told so, once the balancer answers, as a page and as JSON."""
    for _attempt in range(100):
        try:
            status, headers, page = ask("/", Accept="text/html")
            break
        except OSError:
            time.sleep(0.1)
    if status != 503:
        return False
    assert headers["retry-after"] == retry_after
    assert "<h1>The service is being maintained" in page
    status, headers, body = ask("/api/messages/count")
    assert (status, headers["retry-after"]) == (503, retry_after)
    assert json.loads(body)["error"].startswith("The service is being maintained")
    return True


def every_container(stack: Stack) -> list[dict[str, Any]]:
    roles = ("replica", "balancer", "database")
    return [one for role in roles for one in stack.containers(role)]


CAPABILITIES = {
    "replica": set(),
    "balancer": {"CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"},
    "database": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"},
}
NETWORKS = {
    "replica": {"lbtest-three_edge", "lbtest-three_data"},
    "balancer": {"host"},
    "database": {"lbtest-three_data"},
}


@pytest.mark.parametrize("role", ["replica", "balancer", "database"])
def test_containers_are_what_the_guide_says(three: Stack, role: str) -> None:
    """The table of docs/security.md, and the rules of section 5 of the CIS Docker Benchmark."""
    for one in json.loads(docker("inspect", *(found["id"] for found in three.containers(role)))):
        host, config = one["HostConfig"], one["Config"]
        assert host["CapDrop"] == ["ALL"]
        added = {name.removeprefix("CAP_") for name in host["CapAdd"] or ()}
        assert added == CAPABILITIES[role]
        assert host["ReadonlyRootfs"] is True
        assert [word.removesuffix(":true") for word in host["SecurityOpt"]] == ["no-new-privileges"]
        assert host["Privileged"] is False
        assert not host["Devices"]
        assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
        assert host["IpcMode"] in ("private", "shareable")
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        log = {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
        assert host["LogConfig"] == log
        assert not host["PortBindings"]
        assert set(one["NetworkSettings"]["Networks"]) == NETWORKS[role]
        assert bool(host["Memory"]) is (role != "balancer")
        assert bool(host["NanoCpus"]) is (role == "replica")
        assert bool(config.get("Healthcheck")) is (role != "balancer")
        for mount in one["Mounts"]:
            inside = mount["Source"].startswith(f"{three.root}/") or mount["Type"] == "volume"
            assert inside or (mount["Source"], mount["RW"]) == ("/bin/busybox", False), mount
        assert "docker.sock" not in json.dumps(one["Mounts"])


def test_what_serves_has_no_rights(three: Stack) -> None:
    """Replicas, the balancer's workers and PostgreSQL: not root, and no capability at work."""
    serving = {"replica": "python", "balancer": "nginx: worker", "database": "postgres"}
    for role, command in serving.items():
        for container in three.containers(role):
            listed = docker("top", container["id"], "-eo", "pid,uid,args").splitlines()[1:]
            found = [line.split(None, 2) for line in listed if is_of(line, command)]
            assert found, listed
            for pid, uid, args in found:
                assert uid != "0", args
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                assert "CapEff:\t0000000000000000" in status, args


def is_of(line: str, command: str) -> bool:
    """Whether a line of `docker top` is about this command, not about the init that started it."""
    args = line.split(None, 2)[2]
    return command in args and "docker-init" not in args
