# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper does takes seconds, what it sees must not wait for that: a hand does one thing at
a time in a thread of its own.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Callable, Generic, TypeVar

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Result]):
    """How a job ended: with a result, or with an error."""

    result: Result | None = None
    error: LoadBalancingError | None = None


class Hand(Generic[Result]):
    """Does one job at a time; ``finished`` is called, from its thread, at the end of each."""

    def __init__(self, name: str, finished: Callable[[], None]) -> None:
        self._name = name
        self._finished = finished
        self._busy = False
        self._done: Done[Result] | None = None

    @property
    def busy(self) -> bool:
        """Whether it is at work, or has a result that nobody took yet."""
        return self._busy or self._done is not None

    def begin(self, job: Callable[[], Result]) -> None:
        """Begin a job. The hand must not be busy."""
        self._busy = True
        threading.Thread(target=self._run, args=(job,), name=self._name, daemon=True).start()

    def take(self) -> Done[Result] | None:
        """How the last job ended; None while it goes on, or when that was taken already."""
        done, self._done = self._done, None
        return done

    def _run(self, job: Callable[[], Result]) -> None:
        try:
            done = Done(job())
        except LoadBalancingError as error:
            done = Done(error=error)
        except Exception as error:  # whatever it is, the keeper keeps on
            done = Done(error=LoadBalancingError(f"{type(error).__name__}: {error}"))
        self._done, self._busy = done, False
        self._finished()
