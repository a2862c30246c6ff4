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


@pytest.fixture(name="rendered")
def rendered_fixture() -> dict[str, str]:
    """What the code makes of the examples now; written, where that is wanted."""
    now = texts()
    if os.environ.get("TEST_WRITE") == "rendered":
        for name, text in now.items():
            FOLDER.joinpath(name).write_text(text, encoding="utf-8")
    return now


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_the_file_is_what_is_rendered(rendered: dict[str, str], name: str) -> None:
    assert rendered[name] == (FOLDER / name).read_text(encoding="utf-8")


def test_there_is_a_file_for_each(rendered: dict[str, str]) -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(rendered)


def test_between_them_the_examples_give_every_key() -> None:
    assert {key for values in EXAMPLES.values() for key in values} == set(VALID)
