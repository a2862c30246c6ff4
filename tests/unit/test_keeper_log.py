# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper's journal: what is written, what is only counted, what is kept."""

from __future__ import annotations

import io
import json
import threading
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_log import (
    KEPT,
    LONGEST,
    Journal,
    printable,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_snapshot import Change

NOON = 1_795_000_000.25
ILL = "app-1 is ill: answered 503."


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Log:
    """A journal, its clock and what it wrote."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.stream = io.StringIO()
        self.journal = Journal("chatbot", self.stream, self.clock)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    @property
    def texts(self) -> list[str]:
        return [line["text"] for line in self.lines]


def test_a_change_is_a_json_line_and_is_kept() -> None:
    log = Log()
    log.journal.tell("state", ILL, "warning", "app-1")
    assert log.journal.changes() == (Change(NOON, "state", ILL, "warning", "app-1"),)
    (line,) = log.lines
    assert list(line) == ["time", "level", "stack", "event", "replica", "text"]
    moment = datetime.fromisoformat(line.pop("time"))
    assert moment.utcoffset() is not None
    assert moment.timestamp() == NOON
    assert line == {
        "level": "warning",
        "stack": "chatbot",
        "event": "state",
        "replica": "app-1",
        "text": ILL,
    }


def test_the_time_names_its_zone() -> None:
    log = Log()
    log.journal.tell("keeper", "The keeper starts.")
    time = log.lines[0]["time"]
    assert time == datetime.fromtimestamp(NOON).astimezone().isoformat(timespec="milliseconds")
    assert ".250" in time


def test_a_line_goes_to_standard_output_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    Journal("chatbot").tell("keeper", "The keeper starts.")
    assert json.loads(capsys.readouterr().out)["text"] == "The keeper starts."


def test_what_is_told_again_and_again_is_written_once_a_minute_with_its_number() -> None:
    log = Log()
    for _round in range(13):  # 0, 5, …, 60 s
        log.journal.tell("engine", "Docker's engine does not answer.", "error")
        log.clock.now += 5
    assert log.texts == [
        "Docker's engine does not answer.",
        "Docker's engine does not answer. (12 times in 60 s)",
    ]
    assert [change.text for change in log.journal.changes()] == log.texts
    assert [change.time for change in log.journal.changes()] == [NOON, NOON + 60]


def test_the_number_begins_anew_each_time_it_is_written() -> None:
    log = Log()
    for _round in range(200):
        log.journal.tell("publish_failed", "nginx -t failed.", "error")
        log.clock.now += 1
    assert log.texts[1:] == ["nginx -t failed. (60 times in 60 s)"] * 3


def test_what_comes_again_later_was_not_told_in_between() -> None:
    log = Log()
    log.journal.tell("engine", "Docker's engine does not answer.")
    log.clock.now += 300
    log.journal.tell("engine", "Docker's engine does not answer.")
    assert log.texts == ["Docker's engine does not answer."] * 2


def test_the_time_is_that_in_which_it_was_told() -> None:
    log = Log()
    for pause in (0, 10, 290):
        log.clock.now += pause
        log.journal.tell("engine", "Docker's engine does not answer.")
    assert log.texts[-1] == "Docker's engine does not answer. (2 times in 300 s)"


def test_another_replica_or_event_is_another_story() -> None:
    log = Log()
    log.journal.tell("state", "ill", replica="app-1")
    log.journal.tell("state", "ill", replica="app-2")
    log.journal.tell("repair", "ill", replica="app-1")
    log.journal.tell("state", "ill", replica="app-1")
    assert [(line["event"], line["replica"]) for line in log.lines] == [
        ("state", "app-1"),
        ("state", "app-2"),
        ("repair", "app-1"),
    ]


def test_a_replica_that_flaps_is_told_each_time() -> None:
    """Else the last line about it would be wrong."""
    log = Log()
    for state in ("ill", "healthy", "ill", "healthy", "ill"):
        log.journal.tell("state", f"app-1 is {state}.", replica="app-1")
        log.clock.now += 1
    assert log.texts == [
        "app-1 is ill.",
        "app-1 is healthy.",
        "app-1 is ill.",
        "app-1 is healthy.",
        "app-1 is ill.",
    ]


def test_a_clock_that_is_set_back_does_not_silence_the_journal() -> None:
    log = Log()
    log.journal.tell("engine", "Docker's engine does not answer.")
    log.clock.now += 1
    log.journal.tell("engine", "Docker's engine does not answer.")
    log.clock.now -= 3600
    log.journal.tell("engine", "Docker's engine does not answer.")
    assert log.texts == ["Docker's engine does not answer."] * 2


def test_the_quiet_time_can_be_set() -> None:
    log = Log()
    journal = Journal("chatbot", log.stream, log.clock, quiet=2)
    for _round in range(4):
        journal.tell("engine", "late")
        log.clock.now += 1
    assert log.texts == ["late", "late (2 times in 2 s)"]


def test_the_last_hundred_are_kept_and_all_are_written() -> None:
    log = Log()
    for number in range(KEPT + 20):
        log.journal.tell("repair", f"restart {number}")
    assert len(log.lines) == KEPT + 20
    kept = [change.text for change in log.journal.changes()]
    assert kept == [f"restart {number}" for number in range(20, KEPT + 20)]


def test_many_replicas_come_and_go() -> None:
    log = Log()
    for number in range(3000):
        log.journal.tell("state", "gone", replica=f"app-{number}")
    assert len(log.lines) == 3000
    assert len(log.journal._told) == 1000


def test_control_characters_are_taken_out() -> None:
    log = Log()
    log.journal.tell(
        "repair",
        "app-1 ended:\n\x1b[31mTraceback\x1b[0m\r\n\tValueError: a\x00b\x85c\u2028d ",
        replica="app\n1",
    )
    (change,) = log.journal.changes()
    assert change.text == "app-1 ended: [31mTraceback [0m ValueError: a b c d"
    assert change.replica == "app 1"
    assert len(log.stream.getvalue().splitlines()) == 1


def test_texts_that_differ_in_white_space_only_are_the_same() -> None:
    log = Log()
    log.journal.tell("engine", "no answer")
    log.journal.tell("engine", " no\tanswer\n")
    assert log.texts == ["no answer"]


def test_a_long_text_is_cut() -> None:
    assert printable("x" * LONGEST) == "x" * LONGEST
    assert printable("x" * (LONGEST + 1)) == "x" * (LONGEST - 2) + " …"


@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    line = printable(text)
    assert line.isprintable()
    assert line == printable(line)
    assert "".join(c for c in text if c.isprintable() and c != " ") == line.replace(" ", "")


@given(st.text(st.characters()), st.text())
def test_any_change_is_one_line_of_json_in_ascii(text: str, replica: str) -> None:
    log = Log()
    log.journal.tell("state", text, replica=replica)
    written = log.stream.getvalue()
    assert written.isascii()
    assert written.count("\n") == 1
    (change,) = log.journal.changes()
    assert (log.lines[0]["text"], log.lines[0]["replica"]) == (change.text, change.replica)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 90)), max_size=60))
def test_nothing_is_lost_between_two_lines(told: list[tuple[str, int]]) -> None:
    """The same text is never written twice within the quiet time without another one between."""
    log = Log()
    for text, pause in told:
        log.clock.now += pause
        log.journal.tell("state", text)
    kept = log.journal.changes()
    for first, second in zip(kept, kept[1:]):
        if first.text[0] == second.text[0]:
            assert second.time - first.time >= 60
    if told:
        assert kept[-1].text[0] == told[-1][0]


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "No space left on device")])
def test_a_log_that_cannot_be_written_does_not_stop_the_keeper(error: OSError) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise error

    journal = Journal("chatbot", Full(), Clock())
    journal.tell("keeper", "The keeper starts.")
    assert [change.text for change in journal.changes()] == ["The keeper starts."]


def test_a_closed_log_does_not_either() -> None:
    stream = io.StringIO()
    stream.close()
    journal = Journal("chatbot", stream, Clock())
    journal.tell("keeper", "The keeper starts.")
    assert len(journal.changes()) == 1


def test_many_threads_write_whole_lines() -> None:
    log = Log()
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for count in range(50):
            log.journal.tell("state", f"{number} {count}", replica=f"app-{number}")
            log.journal.tell("engine", "the same from all")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.lines) == 8 * 50 + 1
    assert len(log.journal.changes()) == KEPT
    assert [line["text"] for line in log.lines[-KEPT:]] == [c.text for c in log.journal.changes()]
