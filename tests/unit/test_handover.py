# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which balancer is started, told to quit or removed next: properties over every situation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.handover import (
    ADD,
    DONE,
    DRAIN,
    QUIT,
    REMOVE,
    START,
    WAIT,
    Action,
    Seen,
    next_action,
)

SERVES = Seen("", "", 0.0)
KINDS = {
    "serves": SERVES,
    "behind": replace(SERVES, serving=False),
    "starts": replace(SERVES, accepting=False, serving=False),
    "quits": replace(SERVES, accepting=False, serving=False, quitting=True),
    "ended": replace(SERVES, alive=False, accepting=False, serving=False),
}


def see(words: str) -> list[Seen]:
    """Balancers, the oldest first: ``old/serves new/starts``."""
    found = []
    for number, word in enumerate(words.split(), start=1):
        revision, _slash, kind = word.partition("/")
        found.append(replace(KINDS[kind], id=f"b{number}", revision=revision, born=float(number)))
    return found


@st.composite
def situations(draw: st.DrawFn) -> list[Seen]:
    word = st.tuples(st.sampled_from(("old", "new")), st.sampled_from(sorted(KINDS)))
    words = draw(st.lists(word.map("/".join), max_size=5))
    return see(" ".join(words))


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ("", Action(START)),
        ("old/ended", Action(START)),
        ("old/serves", Action(ADD)),
        ("old/serves new/ended", Action(REMOVE, "b2")),
        ("old/serves new/starts", Action(WAIT, "b2")),
        ("old/serves new/behind", Action(WAIT, "b2")),
        ("old/serves new/serves", Action(QUIT, "b1")),
        ("old/quits new/serves", Action(DRAIN, "b1")),
        ("old/ended new/serves", Action(REMOVE, "b1")),
        ("new/quits", Action(ADD)),
        ("new/serves new/serves", Action(QUIT, "b1")),
        ("new/serves old/starts", Action(REMOVE, "b2")),
        ("new/serves", Action(DONE)),
    ],
)
def test_what_is_next(words: str, action: Action) -> None:
    assert next_action(see(words), "new") == action


@given(situations(), st.sampled_from(("new", "")))
def test_nobody_goes_unless_another_one_serves(seen: list[Seen], wanted: str) -> None:
    action = next_action(seen, wanted)
    if action.kind in (QUIT, REMOVE):
        target = next(one for one in seen if one.id == action.container)
        others = [one for one in seen if one.id != target.id and one.serving]
        assert not target.alive or any(not wanted or o.revision == wanted for o in others)
        assert action.kind == QUIT or not target.accepting
        assert not target.quitting


@given(situations(), st.sampled_from(("new", "")))
def test_it_comes_to_an_end_with_one_that_serves(seen: list[Seen], wanted: str) -> None:
    """Whatever a killed run has left: always somebody accepts who did before, and one is left."""
    accepted = any(one.accepting for one in seen)
    for _step in range(30):
        action = next_action(seen, wanted)
        if action.kind == DONE:
            break
        seen = after(seen, action)
        assert not accepted or any(one.accepting for one in seen)
        accepted = any(one.accepting for one in seen)
    (left,) = seen
    assert left.serving
    assert wanted in ("", left.revision)


def after(seen: list[Seen], action: Action) -> list[Seen]:
    """What is there when it is done, everything going well."""
    born = 1 + max((one.born for one in seen), default=0)
    new = replace(KINDS["starts"], id=f"n{born:g}", revision="new", born=born)
    if action.kind == START:
        return [replace(new, accepting=True, serving=True)]
    if action.kind == ADD:
        return [*seen, new]
    change = {
        WAIT: {"accepting": True, "serving": True},
        QUIT: {"accepting": False, "serving": False, "quitting": True},
        DRAIN: {"alive": False, "quitting": False},
    }
    if action.kind == REMOVE:
        return [one for one in seen if one.id != action.container]
    fields = change[action.kind]
    return [replace(one, **fields) if one.id == action.container else one for one in seen]
