# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose word counts when several publish, and what is read of files that are damaged."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import SupersededError
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    Configuration,
    Member,
    assign_slots,
    generations,
    read_configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from tests.unit.fakes.host import STATIC, SimulatedHost, members_of, serving_three

DAMAGE = [
    "",
    "{",
    "[]",
    "{}",
    "\0",
    '{"generation": 1}',
    '{"generation": "x", "members": []}',
    '{"generation": null, "members": []}',
    '{"generation": Infinity, "members": []}',
    '{"generation": 1, "members": null}',
    '{"generation": 1, "members": 3}',
    '{"generation": 1, "members": ["shop-app-1"]}',
    '{"generation": 1, "members": [{"id": "a", "name": "b", "address": "10.0.0.1"}]}',
    '{"generation": 1, "members": [{"address": "10.0.0.1", "port": 80, "weight": 2}]}',
]


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with three replicas, published and served."""
    return serving_three(tmp_path, monkeypatch)


def damage(there: SimulatedHost, name: str, data: bytes) -> None:
    Path(there.paths.current, name).write_bytes(data)


# whose word counts


def test_a_decision_counts_while_nobody_else_has_published(there: SimulatedHost) -> None:
    done = there.balancer().publish(members_of(there)[:2], based_on=1)
    assert (done.changed, done.after.generation) == (True, 2)
    done = there.balancer().publish(members_of(there)[:1], based_on=2)
    assert done.changed
    assert there.nginx.members == {"10.0.0.1"}


def test_a_decision_that_was_overtaken_changes_nothing(there: SimulatedHost) -> None:
    there.balancer().publish(members_of(there)[:1])
    before = there.balancer().published()
    with pytest.raises(SupersededError) as caught:
        there.balancer().publish(members_of(there)[1:], based_on=1)
    assert str(caught.value) == "Generation 2 was published meanwhile, not 1. Look again."
    assert isinstance(caught.value, LoadBalancingError)
    assert there.balancer().published() == before
    assert sorted(os.listdir(there.paths.nginx)) == ["1", "2", "current"]


def test_whoever_published_what_is_wanted_has_overtaken_it_too(there: SimulatedHost) -> None:
    there.balancer().publish(members_of(there)[:2])
    with pytest.raises(SupersededError):
        there.balancer().publish(members_of(there)[:2], based_on=1)


def test_before_anything_was_published_a_decision_is_based_on_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = SimulatedHost(tmp_path, monkeypatch)
    assert there.balancer().publish([], STATIC, based_on=0).after.generation == 1
    with pytest.raises(SupersededError):
        there.balancer().publish([], STATIC, based_on=0)


def test_a_decision_may_also_be_that_nothing_has_to_change(there: SimulatedHost) -> None:
    done = there.balancer().publish(members_of(there), based_on=1)
    assert (done.changed, there.nginx.reloads) == (False, 0)


def test_members_of_an_older_release_get_slots_once(there: SimulatedHost) -> None:
    path = Path(there.paths.current, "members.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    for member in data["members"]:
        assert member.pop("slot") > 0
    path.write_text(json.dumps(data), encoding="utf-8")
    assert [one.slot for one in there.balancer().published().members] == [0, 0, 0]
    assert there.balancer().publish(members_of(there)).changed
    assert [one.slot for one in there.balancer().published().members] == [1, 2, 3]
    assert not there.balancer().publish(members_of(there)).changed


# files that are damaged


@pytest.mark.parametrize("data", DAMAGE)
def test_of_a_damaged_list_of_members_the_rest_is_known(there: SimulatedHost, data: str) -> None:
    damage(there, "members.json", data.encode())
    assert there.balancer().published() == Configuration(1, STATIC, "", ())


@pytest.mark.parametrize("data", DAMAGE)
def test_a_damaged_list_of_members_is_written_anew(there: SimulatedHost, data: str) -> None:
    damage(there, "members.json", data.encode())
    done = there.balancer().publish(members_of(there), based_on=1)
    assert (done.changed, done.after.generation) == (True, 2)
    assert there.balancer().published().members == assign_slots((), members_of(there))
    assert there.nginx.generation == 2


@pytest.mark.parametrize("name", ["nginx.conf", "upstream.conf", "members.json"])
def test_what_is_no_text_does_no_harm(there: SimulatedHost, name: str) -> None:
    damage(there, name, b"\xff\xfe\x00")
    found = there.balancer().published()
    assert found == Configuration(1, "" if name == "nginx.conf" else STATIC)
    assert there.balancer().publish(members_of(there), STATIC, based_on=1).changed
    assert there.balancer().published().members == assign_slots((), members_of(there))


def test_members_are_texts_and_a_number_whatever_the_file_says(there: SimulatedHost) -> None:
    one = {"id": ["a"], "name": 1, "address": None, "port": "80", "note": "by hand"}
    damage(there, "members.json", json.dumps({"generation": 1, "members": [one]}).encode())
    assert there.balancer().published().members == (Member("['a']", "1", "None", 80),)


def test_a_list_of_members_that_is_gone_does_no_harm(there: SimulatedHost) -> None:
    Path(there.paths.current, "members.json").unlink()
    assert there.balancer().published() == Configuration(1, STATIC)


def test_without_a_static_part_one_has_to_be_given(there: SimulatedHost) -> None:
    Path(there.paths.current, "nginx.conf").unlink()
    with pytest.raises(LoadBalancingError, match="has no balancer configuration yet"):
        there.balancer().publish(members_of(there)[:2], based_on=1)
    assert there.balancer().publish(members_of(there)[:2], STATIC, based_on=1).changed


def test_a_link_that_is_gone_is_made_anew(there: SimulatedHost) -> None:
    """The folders tell which numbers were used."""
    os.unlink(there.paths.current)
    assert there.balancer().published() == Configuration()
    done = there.balancer().publish(members_of(there), STATIC, based_on=0)
    assert (done.after.generation, there.nginx.generation) == (2, 2)


def test_a_link_to_nothing_is_made_anew(there: SimulatedHost) -> None:
    shutil.rmtree(os.path.join(there.paths.nginx, "1"))
    assert there.balancer().published() == Configuration(1)
    done = there.balancer().publish(members_of(there), STATIC, based_on=1)
    assert (done.after.generation, there.nginx.generation) == (2, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("generation", "members", "id", "name", "address", "port")), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_is_in_the_list_of_members_it_is_read(data: object) -> None:
    paths = StackPaths("shop", "/nowhere")
    with pytest.MonkeyPatch.context() as patch:
        texts = {"members.json": json.dumps(data), "nginx.conf": STATIC, "upstream.conf": ""}
        module = "ansible_collections.digiz.load_balancing.plugins.module_utils"

        def read(path: str) -> str:
            return texts[os.path.basename(path)]

        patch.setattr(f"{module}.configuration.read_text", read)
        patch.setattr(f"{module}.files.read_text", read)
        found = read_configuration(paths)
    assert found.static == STATIC
    assert isinstance(found.generation, int)


# other files


def test_generations_are_the_folders_with_a_number(tmp_path: Path) -> None:
    paths = StackPaths("shop", str(tmp_path))
    assert generations(paths) == []
    for name in ("3", "10", "current", "x1"):
        (tmp_path / "shop" / "nginx" / name).mkdir(parents=True)
    assert sorted(generations(paths)) == [3, 10]


def test_the_files_can_be_read_by_nginx_whatever_its_user_is(there: SimulatedHost) -> None:
    there.start_balancer(there.engine.of("app"))
    found = Path(there.paths.current).resolve()
    assert found.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in found.iterdir()} == {0o644}
