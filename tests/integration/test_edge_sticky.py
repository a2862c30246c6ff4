# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sticky sessions in a real nginx: a cookie names a slot, whoever is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from tests.integration.nginx_live import Answer, Balancer, Replicas, need_image


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    need_image()


@pytest.fixture(scope="module")
def replicas() -> Iterator[Replicas]:
    running = Replicas()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def running_balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    balancer = Balancer(tmp_path_factory.mktemp("balancer"))
    yield balancer
    said = balancer.stop()
    assert not {"[warn]", "[alert]", "[crit]", "[emerg]"} & set(said.split()), said


@pytest.fixture
def balancer(running_balancer: Balancer, replicas: Replicas) -> Balancer:
    """Three members in the slots 1 to 3, sticky."""
    replicas.reset()
    running_balancer.publish(in_slots(replicas, 1, 2, 3), sticky="cookie")
    return running_balancer


def in_slots(replicas: Replicas, *slots: int) -> list[dict[str, object]]:
    """The replicas in these slots; those in slot 0 are no members."""
    placed = zip(replicas.members, slots)
    return [{**member, "slot": slot} for member, slot in placed if slot]


def ask(balancer: Balancer, cookie: str = "", name: str = "replica") -> tuple[str, str, Answer]:
    """The replica that answered, the cookie that it is to be found again by, the answer."""
    answer = balancer.ask("/x", headers={"Cookie": f"other=7; {name}={cookie}"} if cookie else {})
    given = answer.headers.get("set-cookie", "")
    return answer.data["replica"], given.split(";")[0].partition("=")[2], answer


def test_who_comes_first_is_spread_and_who_comes_again_is_not(balancer: Balancer) -> None:
    first = [ask(balancer) for _attempt in range(60)]
    assert set(Counter(replica for replica, _cookie, _answer in first)) == {"one", "two", "three"}
    slots = dict.fromkeys((replica, cookie) for replica, cookie, _answer in first)
    assert sorted(slots) == [("one", "1"), ("three", "3"), ("two", "2")]
    for replica, cookie in slots:
        assert {ask(balancer, cookie)[:2] for _attempt in range(20)} == {(replica, cookie)}


def test_the_cookie_holds_nothing_but_the_slot(balancer: Balancer) -> None:
    _replica, cookie, answer = ask(balancer)
    assert answer.headers["set-cookie"] == f"replica={cookie}; httponly; samesite=lax; path=/"


def test_a_websocket_meets_the_replica_of_its_session(balancer: Balancer) -> None:
    for slot, replica in (("1", "one"), ("2", "two"), ("3", "three")):
        for _attempt in range(3):
            headers = {"Cookie": f"replica={slot}"}
            url = f"ws://127.0.0.1:{balancer.port}/ws"
            with connect(url, additional_headers=headers) as connection:
                connection.send("hello")
                assert connection.recv(timeout=5) == f"{replica}: hello"


def test_detours_stay_with_the_replica_as_well(balancer: Balancer) -> None:
    for headers in ({"Idempotency-Key": "1"}, {"Accept": "text/event-stream"}):
        for _attempt in range(10):
            answer = balancer.ask("/x", "POST", headers={**headers, "Cookie": "replica=2"})
            assert answer.data["replica"] == "two"


def test_a_reload_changes_nothing(balancer: Balancer, replicas: Replicas) -> None:
    for _reload in range(3):
        balancer.publish(in_slots(replicas, 1, 2, 3), sticky="cookie")
        assert {ask(balancer, "2")[:2] for _attempt in range(10)} == {("two", "2")}


def test_another_address_in_the_slot_gets_its_sessions(
    balancer: Balancer, replicas: Replicas
) -> None:
    balancer.publish(in_slots(replicas, 2, 1, 3), sticky="cookie")
    assert {ask(balancer, "2")[:2] for _attempt in range(10)} == {("one", "2")}
    assert {ask(balancer, "3")[:2] for _attempt in range(10)} == {("three", "3")}


def test_sessions_of_an_empty_slot_go_elsewhere_and_stay_there(
    balancer: Balancer, replicas: Replicas
) -> None:
    balancer.publish(in_slots(replicas, 1, 0, 3), sticky="cookie")
    replica, cookie, _answer = ask(balancer, "2")
    assert (replica, cookie) in {("one", "1"), ("three", "3")}
    balancer.publish(in_slots(replicas, 1, 2, 3), sticky="cookie")
    assert {ask(balancer, cookie)[0] for _attempt in range(10)} == {replica}


def test_a_replica_that_fails_loses_its_session_but_no_request(
    balancer: Balancer, replicas: Replicas
) -> None:
    replicas.fail("abort", "two")
    replica, cookie, answer = ask(balancer, "2")
    assert (answer.status, replica in {"one", "three"}) == (200, True)
    assert {ask(balancer, cookie)[0] for _attempt in range(10)} == {replica}


@pytest.mark.parametrize("cookie", ["0", "9999", "one", "%24pid", "a" * 3000])
def test_a_cookie_that_names_nobody_is_replaced(balancer: Balancer, cookie: str) -> None:
    _replica, given, answer = ask(balancer, cookie)
    assert (answer.status, given in {"1", "2", "3"}) == (200, True)


def test_a_single_member_sets_the_cookie_too(balancer: Balancer, replicas: Replicas) -> None:
    balancer.publish(in_slots(replicas, 0, 7, 0), sticky="cookie", sticky_cookie="My-cookie_1")
    assert ask(balancer, "1", "My-cookie_1")[:2] == ("two", "7")


def test_slots_do_nothing_unless_sessions_are_sticky(
    balancer: Balancer, replicas: Replicas
) -> None:
    balancer.publish(in_slots(replicas, 1, 2, 3))
    found = [ask(balancer, "2") for _attempt in range(60)]
    assert {replica for replica, _cookie, _answer in found} == {"one", "two", "three"}
    assert not any("set-cookie" in answer.headers for _replica, _cookie, answer in found)
