# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hand does one thing at a time, in a thread of its own, and survives all of them."""

from __future__ import annotations

import queue
import threading

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_hand import Done, Hand

PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""


class Working:
    """A hand, and a job that ends when the test says how."""

    def __init__(self) -> None:
        self.finished: queue.Queue[bool] = queue.Queue()
        self.ends: queue.Queue[str | Exception] = queue.Queue()
        self.threads: list[str] = []
        self.hand: Hand[str] = Hand("repair", lambda: self.finished.put(self.hand.busy))

    def job(self) -> str:
        self.threads.append(threading.current_thread().name)
        end = self.ends.get(timeout=PATIENCE)
        if isinstance(end, Exception):
            raise end
        return end

    def end(self, how: str | Exception) -> bool:
        """Let the job end so; gives whether the hand was busy when it told that."""
        self.ends.put(how)
        return self.finished.get(timeout=PATIENCE)


@pytest.fixture(name="working")
def working_fixture() -> Working:
    """A hand that has done nothing yet."""
    return Working()


def test_a_job_is_done_in_the_background(working: Working) -> None:
    assert (working.hand.busy, working.hand.take()) == (False, None)
    working.hand.begin(working.job)
    assert (working.hand.busy, working.hand.take()) == (True, None)
    busy = working.end("done")
    assert busy, "the result is there when its end is told, and nobody took it yet"
    assert working.hand.busy
    assert working.hand.take() == Done("done", None)
    assert (working.hand.busy, working.hand.take()) == (False, None)
    assert working.threads == ["repair"]


def test_an_error_is_a_result(working: Working) -> None:
    error = LoadBalancingError("The engine refused.")
    working.hand.begin(working.job)
    working.end(error)
    assert working.hand.take() == Done(None, error)


def test_an_unexpected_error_is_one_too(working: Working) -> None:
    working.hand.begin(working.job)
    working.end(ZeroDivisionError("division by zero"))
    done = working.hand.take()
    assert done
    assert str(done.error) == "ZeroDivisionError: division by zero"
    working.hand.begin(working.job)
    working.end("and goes on")
    assert working.hand.take() == Done("and goes on", None)


def test_a_job_without_a_result_keeps_the_hand_busy_until_it_is_taken(working: Working) -> None:
    working.hand.begin(working.job)
    working.end("")
    assert working.hand.busy
    assert working.hand.take() == Done("", None)
    assert not working.hand.busy
