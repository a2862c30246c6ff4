# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a verification: what passes, and the exact words of what does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    verification_checks as checks,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Instance
from ansible_collections.digiz.load_balancing.plugins.module_utils.certificate_spec import (
    CertificateSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import (
    RateLimits,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import (
    HEALTHY,
    ILL,
    Desired,
    Observed,
    Replica,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.sockets import Worker
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification import (
    Verification,
    free_source,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_traffic import (
    Answer,
    Answers,
)

STACK = Stack(
    name="shop",
    port=8000,
    health_path="/health",
    health_interval=1.0,
    health_timeout=1.0,
    health_rise=2,
    health_fall=3,
    health_statuses=((200, 399),),
    start_timeout=60.0,
    drain_timeout=600.0,
    stop_grace=30,
    balancer_image="digiz/nginx:1.30",
    balancer_ports=(8080,),
    status_port=18080,
    count=3,
    surge=1,
    revision="new",
    image="shop:2",
    version="2",
    keeper_enabled=True,
    keeper_port=28080,
    restart_after=10.0,
    tls=CertificateSpec(),
)
DESIRED = Desired(3, "new", "image")


def replica(number: int, state: str = HEALTHY, revision: str = "new") -> Replica:
    version = "2" if revision == "new" else "1"
    name = f"shop-app-{number}"
    address = f"10.0.0.{number}"
    return Replica(f"id{number}", name, number, revision, "image", version, address, state)


THREE = (replica(1), replica(2), replica(3))
MEMBERS = {one.id: one.address for one in THREE}
GOOD = Observed(THREE, MEMBERS)


def answers(**counts: int) -> Answers:
    """``answers(s200=300)``: so many answers of each status."""
    counted = Counter({name.lstrip("s"): count for name, count in counts.items()})
    return Answers(sum(counts.values()), counted, 0.5)


def seen(*counts: int, **more: Any) -> checks.Seen:
    return checks.Seen(Counter({f"10.0.0.{n}": c for n, c in enumerate(counts, 1) if c}), **more)


# containers, members, balancer, health


def test_as_many_healthy_replicas_as_wanted() -> None:
    says = {"shop-app-1": "Up 2 minutes (healthy)", "shop-app-3": "Up 2 s (health: starting)"}
    check = checks.containers(STACK, GOOD, DESIRED, says)
    assert check.line == (
        "ok      containers: 3 of 3 replicas of version 2 are healthy "
        "(Docker has not yet checked shop-app-3)"
    )


def test_replicas_that_are_not_as_wanted() -> None:
    found = (replica(1), replica(2, ILL), replica(4, revision="old"))
    says = {"shop-app-1": "Up 1 hour (unhealthy)", "shop-database-1": "Restarting (1) 2 s ago"}
    check = checks.containers(STACK, Observed(found, {}), replace(DESIRED, image_id=""), says)
    assert check.text.startswith("the image shop:2 is not on the host; 0 replicas")
    check = checks.containers(STACK, Observed(found, {}), DESIRED, says)
    assert check.line == (
        "FAILED  containers: 2 replicas of version 2 run, not 3; shop-app-2 is ill; "
        "shop-app-4 is of version 1; Docker calls shop-app-1 unhealthy; "
        "Docker calls shop-database-1 restarting (1) 2 s ago"
    )


def test_how_an_outdated_replica_differs() -> None:
    found = (replace(replica(1), image_id="other"), replace(replica(2), revision="old"))
    check = checks.containers(STACK, Observed(found, {}), DESIRED, {})
    assert check.text == (
        "0 replicas of version 2 run, not 3; "
        "shop-app-1 is of an older image than shop:2 means now; "
        "shop-app-2 is of an older configuration"
    )


def test_the_members_are_the_healthy_replicas() -> None:
    check = checks.members(GOOD, DESIRED, 7, 7)
    assert check == checks.Check("members", True, "3 published, nginx serves generation 7")


@pytest.mark.parametrize(
    ("observed", "served", "text"),
    [
        (GOOD, 6, "nginx runs with generation 6, published is 7"),
        (GOOD, None, "nginx does not say which configuration it runs with"),
        (Observed(THREE, {"id1": "10.0.0.1", "id2": "10.0.0.9"}), 7, "shop-app-2 is healthy"),
        (Observed((replica(1, ILL),), MEMBERS), 7, "shop-app-1 is a member at 10.0.0.1 and"),
        (Observed(THREE[:2], MEMBERS), 7, "the container id3, which is gone, is a member"),
    ],
)
def test_members_that_are_not_as_wanted(observed: Observed, served: int | None, text: str) -> None:
    check = checks.members(observed, DESIRED, 7, served)
    assert not check.passed
    assert text in check.text


@pytest.mark.parametrize(
    ("inspected", "answered", "text"),
    [
        ({"Image": "i"}, "shop", ""),
        ({}, None, "no container of it runs; nothing answers on 127.0.0.1:18080/status"),
        ({"Image": "j"}, "shop", "it runs another image than digiz/nginx:1.30"),
        ({"Image": "i"}, "blog", "127.0.0.1:18080 belongs to the stack blog"),
    ],
)
def test_the_balancer(inspected: dict[str, str], answered: str | None, text: str) -> None:
    check = checks.balancer(STACK, inspected, "i", answered)
    assert check.passed == (not text)
    assert check.text == (text or "digiz/nginx:1.30 runs, its status is on 127.0.0.1:18080/status")


def test_a_balancer_that_drains_is_told_and_two_that_accept_are_a_fault() -> None:
    new, other = (Instance(f"b{n}", n, (Worker(n + 10, False),)) for n in (1, 2))
    old = Instance("b3", 3, (Worker(13, True, 4),))
    fine = checks.balancer(STACK, {"Image": "i"}, "i", "shop", "", [new, old])
    assert fine.passed
    assert fine.text.endswith("/status; the one before it still serves what it has")
    two = checks.balancer(STACK, {"Image": "i"}, "i", "shop", "", [new, other])
    assert (two.passed, two.text) == (
        False,
        "2 of it run, the next deploy or the keeper leaves one",
    )


WHERE = "127.0.0.1:28080/status.json"


@pytest.mark.parametrize(
    ("enabled", "status", "passed", "text"),
    [
        (True, {"stack": "shop", "text": "all well"}, True, f"all well, its state is on {WHERE}"),
        (True, {}, False, f"it does not answer on {WHERE}"),
        (True, {"stack": "other"}, False, f"{WHERE} belongs to the stack other"),
        (False, {}, True, "none, as keeper_enabled says: nothing heals by itself"),
    ],
    ids=["answers", "is silent", "another stack's", "switched off"],
)
def test_the_keeper(enabled: bool, status: dict[str, str], passed: bool, text: str) -> None:
    check = checks.keeper(replace(STACK, keeper_enabled=enabled), status)
    assert (check.passed, check.text) == (passed, text)


@pytest.mark.parametrize(
    ("answer", "passed", "text"),
    [
        (Answer(204), True, "GET /health on 127.0.0.1:8080 answers 204"),
        (Answer(502), False, "GET /health on 127.0.0.1:8080 answers 502"),
        (Answer(0, reason="refused"), False, "GET /health on 127.0.0.1:8080 fails: refused"),
    ],
)
def test_health(answer: Answer, passed: bool, text: str) -> None:
    check = checks.health(STACK, "127.0.0.1:8080", answer)
    assert check == checks.Check("health", passed, text)


def test_health_by_other_statuses() -> None:
    stack = replace(STACK, health_statuses=((204, 204), (401, 401)))
    assert checks.health(stack, "127.0.0.1:8080", Answer(401)).passed
    assert not checks.health(stack, "127.0.0.1:8080", Answer(200)).passed
    assert checks.spread(stack, THREE, answers(s401=300), seen(100, 100, 100)).passed
    assert checks.spread(stack, THREE, answers(s401=299, s200=1), seen(100, 100, 100)).text == (
        "1 of 300 requests failed (1 × 200)"
    )


# spread, versions


def test_a_fair_spread() -> None:
    check = checks.spread(STACK, THREE, answers(s200=300), seen(102, 99, 99))
    assert check.line == "ok      spread: 102, 99, 99 of 300 requests"


@pytest.mark.parametrize(
    ("given_answers", "given_seen", "text"),
    [
        (
            answers(s200=300),
            seen(251, 49, 0),
            "shop-app-2 answered 49 of 300, its fair share is 100; "
            "shop-app-3 answered 0 of 300, its fair share is 100",
        ),
        (
            answers(s200=297, s502=2, timeout=1),
            seen(100, 100, 100),
            "3 of 300 requests failed (2 × 502, 1 × timeout)",
        ),
        (
            replace(answers(s200=12), wanted=300),
            seen(4, 4, 4),
            "only 12 of 300 requests were answered within 0 s",
        ),
        (
            answers(s200=300),
            seen(90, 100, 100, missing=10),
            "10 of 300 requests are not in logs/access.log",
        ),
    ],
)
def test_an_unfair_spread(given_answers: Answers, given_seen: checks.Seen, text: str) -> None:
    check = checks.spread(STACK, THREE, given_answers, given_seen)
    assert check == checks.Check("spread", False, text)


def test_a_busy_replica_may_be_spared() -> None:
    """least_conn sends to those with the fewest requests: open streams count."""
    found = seen(0, 150, 150, busy={"10.0.0.1": 9}, in_flight=8)
    check = checks.spread(STACK, THREE, answers(s200=300), found)
    assert check.passed
    assert check.text == (
        "0, 150, 150 of 300 requests (shop-app-1 answered 0 of 300, busy with requests of others)"
    )
    idle = replace(found, in_flight=0)
    assert not checks.spread(STACK, THREE, answers(s200=300), idle).passed
    elsewhere = replace(found, busy={"10.0.0.2": 9})
    assert not checks.spread(STACK, THREE, answers(s200=300), elsewhere).passed
    logged = replace(idle, others={"10.0.0.1": 1})
    assert checks.spread(STACK, THREE, answers(s200=300), logged).passed
    logged = replace(idle, others={"10.0.0.2": 100})
    assert not checks.spread(STACK, THREE, answers(s200=300), logged).passed


def test_nobody_to_spread_over() -> None:
    check = checks.spread(STACK, (), answers(s200=300), seen())
    assert check.text == "no replica of the wanted version is healthy"


@given(st.lists(st.integers(0, 500), min_size=1, max_size=8))
def test_short_is_who_has_less_than_half_of_the_fair_share(counts: list[int]) -> None:
    replicas = [replica(number) for number in range(1, len(counts) + 1)]
    total = sum(counts)
    short = checks.short_of_share(replicas, answers(s200=total), seen(*counts))
    expected = [n for n, count in enumerate(counts, 1) if count / max(1, total) < 0.5 / len(counts)]
    assert [one.number for one in short] == (expected if total else [])


def test_only_the_wanted_version_answers() -> None:
    check = checks.versions(STACK, GOOD, DESIRED, seen(100, 100, 100))
    assert check == checks.Check("versions", True, "version 2 in 300 of 300 answers")


def test_other_versions_answer() -> None:
    observed = Observed((*THREE, replica(4, revision="old")), MEMBERS)
    found = checks.Seen(Counter({"10.0.0.1": 90, "10.0.0.4": 5, "10.9.9.9": 3, "": 2}))
    check = checks.versions(STACK, observed, DESIRED, found)
    assert not check.passed
    assert check.text == (
        "2 of 100 requests were answered by no replica; "
        "5 of 100 requests were answered by shop-app-4 of version 1; "
        "3 of 100 requests were answered by 10.9.9.9"
    )


def test_a_label_that_is_not_of_the_wanted_version() -> None:
    observed = Observed((replace(replica(1), version=""),), {})
    check = checks.versions(STACK, observed, DESIRED, seen(1))
    assert check.text == "shop-app-1 is labelled version (none), not 2"


# limits


LIMITS = RateLimits.parse(
    [{"path": "/", "rate": "10r/s", "burst": 20}, {"path": "/api/", "rate": "30r/s", "burst": 50}]
)
GENERAL = LIMITS.limits[0]
SET = "10r/s burst 20 on /"


def burst(health: Answer, told: bool = True, **counts: int) -> checks.Burst:
    return checks.Burst(
        GENERAL, "/verify-rate-limit", "127.0.0.77", answers(**counts), told, health
    )


@pytest.mark.parametrize(
    ("given_burst", "passed", "text"),
    [
        (
            burst(Answer(200), s404=21, s429=1),
            True,
            f"{SET}: refused with 429 and Retry-After, the health path is not",
        ),
        (
            burst(Answer(200), s404=40),
            False,
            f"{SET} is set, and none of 40 requests in 0.5 s from 127.0.0.77 was refused",
        ),
        (
            burst(Answer(200), s404=12),
            True,
            f"not tested: 12 requests in 0.5 s from 127.0.0.77 are no more than {SET} allows",
        ),
        (burst(Answer(200), told=False, s429=1), False, f"{SET} refuses without Retry-After"),
        (
            burst(Answer(429, "1"), s429=1),
            False,
            "the health path is limited, too: 127.0.0.77 is refused there",
        ),
    ],
)
def test_limits(given_burst: checks.Burst, passed: bool, text: str) -> None:
    assert checks.limits(given_burst) == checks.Check("limits", passed, text)


def test_the_limit_that_needs_the_fewest_requests_is_provoked() -> None:
    assert checks.choose_limit(LIMITS) == GENERAL
    slow = RateLimits.parse([{"rate": "1r/s", "burst": 3, "delay": 1}])
    large = RateLimits.parse([{"rate": "1r/s", "burst": 5000}])
    assert checks.choose_limit(slow) is None
    assert checks.choose_limit(large) is None


def test_the_path_that_is_asked_for_falls_under_the_limit() -> None:
    assert checks.probe_path(GENERAL, LIMITS) == "/verify-rate-limit"
    assert checks.probe_path(LIMITS.limits[1], LIMITS) == "/api/verify-rate-limit"
    narrow = RateLimits.parse([{"rate": 1}, {"path": "/verify", "rate": 1}])
    assert checks.probe_path(narrow.limits[0], narrow) == "/"


def test_the_burst_comes_from_an_address_that_is_not_exempt() -> None:
    assert free_source(LIMITS) == "127.0.0.77"
    assert free_source(RateLimits.parse([], exempt=["127.0.0.77"])) == "127.0.0.78"
    assert free_source(RateLimits.parse([], exempt=["127.0.0.0/8", "2001:db8::/32"])) == ""


def test_the_report_has_every_check_and_the_failures_only_those() -> None:
    done = Verification((checks.Check("health", True, "well"), checks.Check("spread", False, "no")))
    assert done.report == ["ok      health: well", "FAILED  spread: no"]
    assert done.failures == ["spread: no"]
