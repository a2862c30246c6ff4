# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of commands: what systemd, and cron with its shell, read is what was given."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.unit_words import (
    cron_word,
    systemd_word,
)
from tests.unit.unit_readers import cron_reads, shell_reads, systemd_reads

# What has a meaning for one of the readers comes often.
ODD = st.sampled_from([*"\\\\%%$${}\"'; #~`!*?&|<>()=-nu1", "\\%", "%%", "$$", "$HOME"])
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=3)
WORD = st.lists(ODD | TEXT, max_size=12).map("".join)
WORDS = st.lists(WORD, min_size=1, max_size=4)
WORST = ["a b", "100%", "%h", "\\%", "\\\\%", "%\\", "it's", '"', "$HOME", "${x}", "$$", "", ";"]


@given(WORDS)
@example(WORST)
def test_systemd_reads_the_same_words(words: list[str]) -> None:
    assert systemd_reads(" ".join(map(systemd_word, words))) == words


@pytest.mark.parametrize("folds_backslashes", [False, True])
@settings(deadline=None)
@given(WORDS)
@example(WORST)
def test_cron_and_its_shell_read_the_same_words(folds_backslashes: bool, words: list[str]) -> None:
    command = " ".join(map(cron_word, words))
    assert shell_reads(cron_reads(command, folds_backslashes)) == words


@pytest.mark.parametrize("quote", [systemd_word, cron_word])
def test_plain_words_stay_as_they_are(quote: object) -> None:
    assert callable(quote)
    for word in ("/usr/bin/python3", "-i", "localhost,", "@/opt/shop/state/scaling-timer.json"):
        assert quote(word) == word


@pytest.mark.parametrize("quote", [systemd_word, cron_word])
@pytest.mark.parametrize("word", ["/srv/a\nb", "/srv/\x7f", "/srv/\udcff"])
def test_what_no_line_can_hold_is_refused(quote: object, word: str) -> None:
    assert callable(quote)
    with pytest.raises(LoadBalancingError) as refused:
        quote(word)
    assert str(refused.value) == (
        f"{word!r} is not allowed in the command of a timer: text without control characters, in "
        "UTF-8. Move the checkout to another folder, or set the variable that asks for the timer "
        "(scale_auto, acme_timer) to false."
    )


def test_the_readers_notice_what_is_not_quoted() -> None:
    for line in ("50%", "$HOME", "a ; b", '"a', "end\\"):
        with pytest.raises(AssertionError):
            systemd_reads(line)
    for command in ("50%", "'\\\\%'"):
        with pytest.raises(AssertionError):
            cron_reads(command, folds_backslashes=False)
