# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The YAML emitter: what is written reads back as the very same data."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.yaml_text import dump

TRAPS = [
    "yes", "No", "ON", "off", "y", "N", "true", "False", "null", "Null", "~", "", " ", "1", "-1",
    "1.5", "1e3", "1:30", "190:20:30", "0o7", "0x1F", "0b1", "017", "1_000", ".inf", ".nan",
    "-.INF", "2024-01-01", "2024-01-01T00:00:00Z", "=", "<<", "---", "...", "- a", "a: b", "a:",
    "a #b", "#a", "&a", "*a", "!a", "%a", "@a", "`a", "|", ">", "?", "? a", ":", "-", "[a]",
    "{a}", ",", "'", "\"", "\\", "a\nb", "a\r\nb", "\n", "a\n", "\t", " a", "a ", "\x00", "\x07",
    "\x1b[0m", "\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "😀",
    "\ue000", "tiếng Việt", "a" * 2000, "$HOME", "a$$b",
]  # fmt: skip

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(TRAPS)
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(TRAPS), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(DATA)
def test_what_is_written_reads_back(data: object) -> None:
    assert yaml.safe_load(dump(data)) == data


@pytest.mark.parametrize("text", TRAPS)
def test_a_text_stays_a_text(text: str) -> None:
    assert yaml.safe_load(dump({text: [text, {text: text}]})) == {text: [text, {text: text}]}


def test_the_output_is_pleasant_to_read() -> None:
    data = {
        "name": "chatbot",
        "services": {
            "app": {
                "image": "digiz/chatbot:1",
                "command": ["serve", "--port", "8000"],
                "deploy": {"replicas": 3, "resources": {"limits": {"cpus": "0.5"}}},
                "networks": [{"name": "edge", "internal": False}, []],
                "environment": {},
                "nothing": None,
            }
        },
    }
    assert dump(data) == (
        "---\n"
        "name: chatbot\n"
        "services:\n"
        "  app:\n"
        "    image: digiz/chatbot:1\n"
        "    command:\n"
        "      - serve\n"
        '      - "--port"\n'
        '      - "8000"\n'
        "    deploy:\n"
        "      replicas: 3\n"
        "      resources:\n"
        "        limits:\n"
        '          cpus: "0.5"\n'
        "    networks:\n"
        "      - name: edge\n"
        "        internal: false\n"
        "      - []\n"
        "    environment: {}\n"
        "    nothing: null\n"
    )


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), 1e16, 1e-7, 0.1, -0.0])
def test_numbers_keep_their_type(number: float) -> None:
    assert repr(yaml.safe_load(dump(number))) == repr(number)


def test_not_a_number() -> None:
    assert dump([float("nan")]) == "---\n- .nan\n"


def test_other_types_are_refused() -> None:
    with pytest.raises(LoadBalancingError) as error:
        dump({"a": {1, 2}})
    assert str(error.value) == (
        "YAML: a value of type set is not allowed: mappings, lists, texts, numbers, true, false "
        "and null. Change it."
    )
    with pytest.raises(LoadBalancingError, match="the key 1 is not allowed"):
        dump({1: "a"})
