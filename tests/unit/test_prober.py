# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes that go on in the background. The threads are real; each probe ends when the test says so,
so nothing here depends on how fast they are.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import prober as module
from ansible_collections.digiz.load_balancing.plugins.module_utils.health import (
    FAILING,
    PASSING,
    UNKNOWN,
    HealthCheck,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.probe import Probe
from ansible_collections.digiz.load_balancing.plugins.module_utils.prober import Prober, ask
from tests.unit.fakes.clock import Clock
from tests.unit.fakes.engine import Killed

CHECK = HealthCheck(8000, "/health", interval=0.0)
PASS = Probe(True, 0.01, "", 200)
FAIL = Probe(False, 0.01, "answered 503", 503)
PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""

Asked = tuple[str, str, HealthCheck]


class Desk:
    """Where the probes of a test come together. A probe has begun when it was put down in
    ``asked``; it ends with the next of its replica's answers, which may be an error.
    """

    def __init__(self) -> None:
        self.asked: dict[str, queue.Queue[Asked]] = {one: queue.Queue() for one in "abc"}
        self.answers: dict[str, queue.Queue[Probe | Exception]] = {
            one: queue.Queue() for one in "abc"
        }
        self.changes: queue.Queue[int] = queue.Queue()
        self.prober = Prober(lambda: self.changes.put(1), self._ask)

    def _ask(self, replica: str, address: str, check: HealthCheck) -> Probe:
        self.asked[replica].put((replica, address, check))
        answer = self.answers[replica].get(timeout=PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def begun(self, replica: str) -> Asked:
        """Wait until a probe of this replica has begun; by then the one before was judged."""
        return self.asked[replica].get(timeout=PATIENCE)

    def answer(self, replica: str, *answers: Probe | Exception) -> None:
        """Have one probe after the other end like this; gives back once the last one was judged."""
        for one in answers:
            self.answers[replica].put(one)
            self.begun(replica)

    def verdict(self, replica: str) -> str:
        return self.prober.health()[replica].verdict


@pytest.fixture(name="desk")
def desk_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A prober without pauses."""
    monkeypatch.setattr(module, "SHORTEST_PAUSE", 0.0)
    desk = Desk()
    yield desk
    desk.prober.close()
    for answers in desk.answers.values():
        answers.put(FAIL)  # lets a probe under way end,
        answers.put(FAIL)  # and one of an earlier address


def test_each_replica_is_asked_at_its_address(desk: Desk) -> None:
    desk.prober.watch(CHECK, {"a": "10.0.0.1", "b": "10.0.0.2"})
    assert desk.begun("a") == ("a", "10.0.0.1", CHECK)
    assert desk.begun("b") == ("b", "10.0.0.2", CHECK)
    assert [desk.verdict(one) for one in "ab"] == [UNKNOWN, UNKNOWN]


def test_a_verdict_that_changes_is_told(desk: Desk) -> None:
    desk.prober.watch(CHECK, {"a": "10.0.0.1"})
    desk.begun("a")
    desk.answer("a", PASS, PASS)
    assert (desk.verdict("a"), desk.changes.qsize()) == (PASSING, 1)
    desk.answer("a", PASS, FAIL, FAIL, PASS)
    assert (desk.verdict("a"), desk.changes.qsize()) == (PASSING, 1)
    desk.answer("a", FAIL, FAIL, FAIL)
    assert (desk.verdict("a"), desk.changes.qsize()) == (FAILING, 2)
    assert desk.prober.health()["a"].reason == "answered 503"


def test_a_replica_that_is_slow_delays_no_other(desk: Desk) -> None:
    desk.prober.watch(CHECK, {"a": "10.0.0.1", "b": "10.0.0.2"})
    desk.begun("a")
    desk.begun("b")
    desk.answer("b", *[PASS] * 5)
    assert (desk.verdict("a"), desk.verdict("b")) == (UNKNOWN, PASSING)


def test_who_stays_is_not_asked_anew(desk: Desk) -> None:
    desk.prober.watch(CHECK, {"a": "10.0.0.1", "b": "10.0.0.2"})
    desk.begun("a")
    desk.answer("a", PASS, PASS)
    desk.prober.watch(CHECK, {"a": "10.0.0.1", "c": "10.0.0.3"})
    desk.begun("c")
    assert sorted(desk.prober.health()) == ["a", "c"]
    assert desk.verdict("a") == PASSING


@pytest.mark.parametrize(
    ("check", "address"),
    [(CHECK, "10.0.0.9"), (HealthCheck(8000, "/up", interval=0.0), "10.0.0.1")],
    ids=["another address", "another check"],
)
def test_what_was_known_of_something_else_does_not_count(
    desk: Desk, check: HealthCheck, address: str
) -> None:
    desk.prober.watch(CHECK, {"a": "10.0.0.1"})
    desk.begun("a")
    desk.answer("a", PASS, PASS)
    desk.prober.watch(check, {"a": address})
    assert desk.verdict("a") == UNKNOWN
    assert desk.begun("a") == ("a", address, check)


def test_who_has_no_address_is_not_asked(desk: Desk) -> None:
    desk.prober.watch(CHECK, {"a": "", "b": "10.0.0.2"})
    desk.begun("b")
    assert sorted(desk.prober.health()) == ["b"]
    assert desk.asked["a"].empty()


@pytest.mark.parametrize("how", ["unwatched", "closed"])
def test_a_probe_under_way_changes_nothing_any_more(desk: Desk, how: str) -> None:
    desk.prober.watch(HealthCheck(8000, "/health", interval=0.0, fall=1), {"a": "10.0.0.77"})
    desk.begun("a")
    (thread,) = [one for one in threading.enumerate() if one.name == "probe 10.0.0.77"]
    if how == "closed":
        desk.prober.close()
    else:
        desk.prober.watch(CHECK, {})
    desk.answers["a"].put(FAIL)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert desk.prober.health() == {}
    assert desk.asked["a"].empty(), "no further probe has begun"
    assert desk.changes.empty()


def test_a_probe_that_goes_wrong_is_one_that_failed(desk: Desk) -> None:
    """A thread that ended here would leave the last verdict standing for ever."""
    desk.prober.watch(CHECK, {"a": "10.0.0.1"})
    desk.begun("a")
    desk.answer("a", PASS, PASS)
    error = PermissionError(13, "Permission denied", "/opt/shop/state/drill.json")
    desk.answer("a", error, error, ValueError("unexpected"))
    assert desk.verdict("a") == FAILING
    health = desk.prober.health()["a"]
    assert (health.reason, health.answered) == ("ValueError: unexpected", False)
    desk.answer("a", PASS, PASS)
    assert desk.verdict("a") == PASSING


def test_one_probe_asks_as_the_check_says(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []

    def probe(*arguments: Any) -> Probe:
        seen.append(arguments)
        return PASS

    monkeypatch.setattr(module, "probe", probe)
    check = HealthCheck(8000, "/up", timeout=0.5, statuses=((204, 204),))
    assert ask("id", "10.0.0.1", check) is PASS
    assert seen == [("10.0.0.1", 8000, "/up", 0.5, ((204, 204),))]


def pauses(
    monkeypatch: pytest.MonkeyPatch,
    check: HealthCheck,
    probes: list[Probe],
    delays: list[float] | None = None,
) -> list[float]:
    """The pauses between these probes, which take as long as they say; ``delays`` receives those of
    probes that overlap.
    """
    clock, left = Clock(), list(probes)
    noted = [] if delays is None else delays
    found: list[float] = []

    class Wake:
        """Takes the place of ``threading.Event``; ends the thread when all probes were made."""

        def wait(self, pause: float) -> None:
            found.append(round(pause, 6))
            clock.sleep(pause)
            if not left:
                raise Killed

        def clear(self) -> None:
            """Nobody has set it."""

    class Inline:
        """Takes the place of ``threading.Thread``."""

        def __init__(
            self, target: Callable[..., None], args: tuple[Any, ...], **_options: object
        ) -> None:
            self.start = functools.partial(target, *args)

    class AtOnce:
        """Takes the place of ``threading.Timer``: the delays of overlapping probes are noted."""

        def __init__(self, pause: float, function: Callable[[], None]) -> None:
            noted.append(round(pause, 6))
            self.start = function

    def slow(*_unused: object) -> Probe:
        clock.sleep(left[0].seconds)
        return left.pop(0)

    monkeypatch.setattr(
        module, "threading", SimpleNamespace(Event=Wake, Thread=Inline, Timer=AtOnce)
    )
    monkeypatch.setattr(module, "time", clock)
    with pytest.raises(Killed):
        Prober(lambda: None, slow).watch(check, {"a": "10.0.0.1"})
    return found


def passes(seconds: float) -> Probe:
    return Probe(True, seconds, "", 200)


def fails(seconds: float, status: int = 0) -> Probe:
    return Probe(False, seconds, "", status)


EACH_SECOND = HealthCheck(8000, "/health", interval=1.0)


def test_probes_begin_an_interval_apart_however_long_they_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = pauses(monkeypatch, EACH_SECOND, [passes(0.0), passes(0.25), passes(0.999), passes(7)])
    assert found == [1.0, 0.75, 0.05, 0.05]


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_one_that_was_well_and_gives_no_answer_is_asked_by_probes_that_overlap(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    probes = [passes(0.0), passes(0.0), fails(seconds), fails(0.0), fails(0.0), fails(0.0)]
    delays: list[float] = []
    found = pauses(monkeypatch, EACH_SECOND, probes, delays)
    assert delays == [module.FAST, 2 * module.FAST], "as many as make it ill"
    assert found == [1.0, 1.0, 1.0 - seconds, 1.0]
    often, delays = HealthCheck(8000, "/health", interval=0.1, rise=1), []
    pauses(monkeypatch, often, [passes(0.0), *[fails(0.0)] * 3], delays)
    assert delays == [0.1, 0.2], "no slower than told"


@pytest.mark.parametrize(
    "probes",
    [
        [fails(0.0)] * 4,
        [passes(0.0), passes(0.0), *[fails(0.0, 503)] * 4],
    ],
    ids=["one that starts", "one that answers"],
)
def test_others_get_the_time_that_the_check_gives_them(
    monkeypatch: pytest.MonkeyPatch, probes: list[Probe]
) -> None:
    found = pauses(monkeypatch, EACH_SECOND, probes)
    assert found == [1.0 - one.seconds for one in probes]


def test_a_probe_can_be_hurried_and_others_follow_it_closely(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAST", 0.0)
    monkeypatch.setattr(module, "CLOSELY", 3600.0)
    desk.prober.watch(HealthCheck(8000, "/health", interval=86_400.0), {"a": "10.0.0.1"})
    desk.begun("a")
    desk.prober.hurry("a")
    desk.prober.hurry("somebody else")
    desk.answer("a", *[PASS] * 10)
    assert desk.verdict("a") == PASSING


def test_who_has_ended_is_ill_at_once_and_may_pass_again(desk: Desk) -> None:
    desk.prober.watch(CHECK, {"a": "10.0.0.1"})
    desk.begun("a")
    desk.answer("a", PASS, PASS)
    desk.prober.fail("a", "it ended")
    desk.prober.fail("somebody else", "it ended")
    health = desk.prober.health()["a"]
    assert (health.verdict, health.reason, health.answered) == (FAILING, "it ended", False)
    desk.answer("a", PASS)
    assert desk.verdict("a") == FAILING, "a probe that was under way does not make it well again"
    desk.answer("a", PASS)
    assert desk.verdict("a") == PASSING


def test_one_good_answer_ends_the_doubt(desk: Desk) -> None:
    """Of the probes that overlap, the one that fails last counts as the first of a new row."""
    desk.prober.watch(CHECK, {"a": "10.0.0.1"})
    desk.begun("a")
    desk.answer("a", PASS, PASS)
    silent = Probe(False, 1.0, "timed out")
    desk.answers["a"].put(silent)
    desk.begun("a")
    desk.begun("a")
    desk.answers["a"].put(PASS)
    desk.answers["a"].put(silent)
    desk.begun("a")
    assert desk.verdict("a") == PASSING
