# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance: its file, its message, and the module."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    MESSAGE,
    NO_MAINTENANCE,
    Maintenance,
    html_text,
    json_text,
    maintenance_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    replace_link,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.modules import maintenance as module
from tests.unit.balancer_inputs import NETWORKS
from tests.unit.fakes.host import STACK, SimulatedHost
from tests.unit.fakes.modules import Face
from tests.unit.nginx_tree import names, parse

MESSAGES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=500
).filter(str.strip)
ON = Maintenance.parse()


def constants(text: str) -> dict[str, str]:
    """Variables and their defaults."""
    return {words[1]: inside[0][1][0] for _name, words, inside in parse(text) if len(words) > 1}


def test_off_is_four_variables_without_a_meaning() -> None:
    found = constants(maintenance_file(NO_MAINTENANCE))
    assert found == {
        "$balancer_maintenance": "",
        "$balancer_maintenance_html": "",
        "$balancer_maintenance_json": "",
        "$balancer_wait": "$balancer_retry_after",
    }


def test_on_holds_for_all_but_those_allowed() -> None:
    text = maintenance_file(Maintenance.parse(["192.0.2.0/24", "::1"], retry_after=60))
    trees = parse(text)
    assert ("192.0.2.0/24", ["allowed"], None) in trees[0][2]
    assert ("::1/128", ["allowed"], None) in trees[0][2]
    assert constants(text)["$balancer_maintenance"] == "1"
    assert ("1:503", ["60"], None) in trees[-1][2]


@given(MESSAGES)
def test_any_message_is_read_back_as_it_is(message: str) -> None:
    assert html.unescape(html_text(message)) == message
    assert not set(html_text(message)) & set("<>\"'${}")
    assert json.loads(f'"{json_text(message)}"') == message
    found = constants(maintenance_file(Maintenance.parse(message=message)))
    assert json.loads(f'"{found["$balancer_maintenance_json"]}"') == message
    assert html.unescape(found["$balancer_maintenance_html"]) == message


@given(st.text(max_size=600))
def test_no_message_adds_a_directive(message: str) -> None:
    try:
        text = maintenance_file(Maintenance.parse(message=message))
    except LoadBalancingError:
        return
    assert names(parse(text)) == names(parse(maintenance_file(ON)))


@given(st.lists(NETWORKS), MESSAGES, st.integers(1, 86400))
def test_it_is_remembered_as_it_was(allow: list[str], message: str, retry_after: int) -> None:
    wanted = Maintenance.parse(allow, message, retry_after)
    assert Maintenance.from_mapping(json.loads(json.dumps(wanted.as_dict()))) == wanted


@pytest.mark.parametrize(
    ("given_values", "where", "message"),
    [
        ({"message": ""}, "maintenance_message", "'' is not allowed: one line of 1 to 500"),
        ({"message": "a\nb"}, "maintenance_message", "'a\\nb' is not allowed: one line of"),
        ({"message": "x" * 501}, "maintenance_message", ""),
        ({"message": None}, "maintenance_message", "None is not allowed"),
        ({"allow": ["office"]}, "maintenance_allow[0]", "'office' is not allowed: an address"),
        ({"allow": ["255.255.255.255"]}, "maintenance_allow[0]", "'255.255.255.255' is not"),
        ({"retry_after": 0}, "maintenance_retry_after", "0 is not allowed: a whole number from 1"),
    ],
)
def test_errors_name_the_variable(
    given_values: dict[str, object], where: str, message: str
) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        Maintenance.parse(**given_values)
    assert str(caught.value).startswith(f"{where}: {message}")


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with a release in force and a balancer."""
    there = SimulatedHost(tmp_path, monkeypatch)
    folder = Path(there.paths.releases, "1")
    folder.mkdir()
    write_text(str(folder / "stack.json"), json.dumps(STACK.as_dict()))
    replace_link(there.paths.release, "1")
    there.start_balancer()
    return there


@pytest.fixture(name="switch")
def switch_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module maintenance."""
    return Face(module, there, monkeypatch)


def test_the_module_switches_on_and_off(switch: Face) -> None:
    planned = switch.run(check=True, state="on", allow=["192.0.2.1"])
    done = switch.run(state="on", allow=["192.0.2.1"])
    assert (planned["changed"], done["changed"]) == (True, True)
    assert planned["diff"] == done["diff"]
    assert done["diff"]["before"] == "maintenance is off\n"
    assert done["diff"]["after"].splitlines() == [done["text"], f"message: {MESSAGE}"]
    assert done["generation"] == planned["generation"] + 1
    again = switch.run(state="on", allow=["192.0.2.1/32"])
    assert (again["changed"], again["generation"]) == (False, done["generation"])
    assert switch.run(check=True, state="off")["changed"]
    assert switch.run(state="off")["text"] == "maintenance is off"
    assert not switch.run(state="off")["changed"]


def test_the_module_refuses_what_is_wrong(switch: Face) -> None:
    assert switch.fail(state="on", allow=["x"]).startswith("maintenance_allow[0]: 'x'")
    assert switch.fail(state="on", stack="none").startswith("There is no stack none")
