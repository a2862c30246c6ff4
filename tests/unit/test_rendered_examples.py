# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nginx gets, word for word and line for line: a change of it has to be looked at.

Where it is wanted, ``TEST_WRITE=rendered`` has the files written anew.
"""

from __future__ import annotations

import os

import pytest

from tests.unit.balancer_inputs import VALID
from tests.unit.rendered_examples import EXAMPLES, FOLDER, texts

PRESENT = texts()


@pytest.mark.parametrize("name", PRESENT)
def test_the_file_is_what_is_rendered(name: str) -> None:
    path = FOLDER / name
    if os.environ.get("TEST_WRITE") == "rendered":
        path.write_text(PRESENT[name], encoding="utf-8")
    assert path.read_text(encoding="utf-8") == PRESENT[name]


def test_there_is_no_file_too_many() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PRESENT)


def test_between_them_the_examples_give_every_key() -> None:
    assert {key for values in EXAMPLES.values() for key in values} == set(VALID)
