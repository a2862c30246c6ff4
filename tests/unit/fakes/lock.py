# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of the deploy lock need: a clock, a folder with a fast heart, two people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import lock
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths

ANA = ("ana", "laptop", "deploy")
BEN = ("ben", "awx", "scale")


class SetClock:
    """A clock that says what it was set to."""

    def __init__(self) -> None:
        self.now = 1_772_359_200.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def fast_heart(folder: Path) -> Iterator[StackPaths]:
    """A stack's folder; hearts beat fast meanwhile, and times are the same everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "HEARTBEAT", 0.02)
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield StackPaths("shop", str(folder))
    time.tzset()
