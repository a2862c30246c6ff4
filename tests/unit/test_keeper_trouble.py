# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole rounds of the keeper when something stands in its way: a deploy, a full disk, an engine
that is silent, files that are damaged.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import keeper_work
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import PENDING
from tests.unit.fakes.engine import HUNG, SICK, WELL, Behaviour
from tests.unit.fakes.host import as_member
from tests.unit.fakes.kept import KeptHost, fill_disk


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptHost:
    """A host with three replicas that are well, and a keeper that has made its first rounds."""
    there = KeptHost(tmp_path, monkeypatch)
    there.run(3)
    return there


# a deploy


def test_a_deploy_is_not_disturbed(there: KeptHost) -> None:
    there.lock()
    there.app(1).fault = HUNG
    there.engine.end(there.app(2))
    there.run(120)
    assert there.repairs == []
    assert there.serving() == ["shop-app-3"]
    assert there.sight.deploy == "deploy by ana from laptop"
    there.unlock()
    assert there.until(there.is_whole, limit=60) <= 20
    assert there.lines("deploy") == [
        "deploy by ana from laptop has begun: it decides who joins",
        "deploy by ana from laptop has ended",
    ]


def test_the_locks_of_a_deploy_are_not_touched(
    there: KeptHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(keeper_work, "repair", lambda *arguments: begun.append(arguments))
    there.lock()
    there.engine.end(there.app(2))
    there.run(30)
    assert begun == []


def test_a_member_that_is_ill_under_a_deploy_is_put_back(there: KeptHost) -> None:
    there.lock()
    there.app(2).fault = SICK
    there.until(lambda: len(there.nginx.members) == 2)
    there.run(30)
    there.app(2).fault = ""
    assert there.until(lambda: len(there.serving()) == 3) <= 4
    assert there.lines("members") == [
        "out: shop-app-2; 2 members, generation 2",
        "in: shop-app-2; 3 members, generation 3",
    ]


def test_who_a_deploy_takes_out_stays_out(there: KeptHost) -> None:
    """It is drained, and will be stopped."""
    there.lock()
    there.run(2)
    there.balancer().publish([as_member(there.app(n)) for n in (1, 3)])
    there.run(60)
    assert there.serving() == ["shop-app-1", "shop-app-3"]
    there.engine.stop(there.app(2), 30)
    there.run(60)
    assert there.serving() == ["shop-app-1", "shop-app-3"]
    assert there.repairs == []


def test_who_joins_is_the_deploys_business(there: KeptHost) -> None:
    there.lock()
    there.replica(age=0.0)
    there.run(60)
    assert there.serving() == ["shop-app-1", "shop-app-2", "shop-app-3"]
    there.balancer().publish([as_member(one) for one in there.engine.of("app")])
    there.run(60)
    assert len(there.nginx.members) == 4


def test_who_joins_before_the_keeper_has_seen_it_pass_stays(there: KeptHost) -> None:
    """Taken out and put back, it would be missing when the deploy verifies."""
    there.lock()
    there.replica(Behaviour(ready_after=9.0), age=0.0)
    there.run(8)
    there.balancer().publish([as_member(one) for one in there.engine.of("app")])
    there.run(30)
    assert len(there.serving()) == 4
    assert there.lines("members") == []


def test_who_joins_and_ends_is_taken_out(there: KeptHost) -> None:
    there.lock()
    new = there.replica(Behaviour(ready_after=9.0), age=0.0)
    there.run(8)
    there.balancer().publish([as_member(one) for one in there.engine.of("app")])
    there.run(1)
    there.engine.end(new)
    there.run(2)
    assert there.serving() == ["shop-app-1", "shop-app-2", "shop-app-3"]


def test_a_keeper_that_starts_under_a_deploy_puts_nobody_back(there: KeptHost) -> None:
    """It does not know who took a replica out, and the deploy will join who is well."""
    there.lock()
    there.app(2).fault = SICK
    there.until(lambda: len(there.nginx.members) == 2)
    there.begin()
    there.app(2).fault = ""
    there.run(30)
    assert there.serving() == ["shop-app-1", "shop-app-3"]
    there.unlock()
    assert there.until(there.is_whole) <= 3


def test_a_deploy_that_was_killed_is_waited_for_no_longer_than_its_lock(there: KeptHost) -> None:
    there.lock()
    there.run(5)
    there.abandon()
    there.app(2).fault = HUNG
    passed = there.until(lambda: bool(there.repairs), limit=60)
    assert 29 <= passed <= 32
    assert there.until(there.is_whole) <= 5


def test_a_rollout_that_was_interrupted_is_kept_alive_as_it_is(there: KeptHost) -> None:
    """Two old replicas and a new one are members; the release is pending."""
    stack = dataclasses.replace(there.stack, revision="newer")
    there.deploy_release(stack, PENDING)
    there.replica(revision="newer")
    there.balancer().publish([as_member(there.app(n)) for n in (1, 2, 4)])
    there.run(60)
    assert there.serving() == ["shop-app-1", "shop-app-2", "shop-app-4"]
    assert there.repairs == []
    there.engine.end(there.app(1))
    there.engine.end(there.app(4))
    there.until(lambda: len(there.serving()) == 3)
    assert there.repairs[:1] == [("start", "shop-app-1")]
    assert ("compose", "app=4 app") not in there.repairs, "nobody knows if the new one is any good"


def test_more_replicas_that_a_scale_wants_are_created_by_it(there: KeptHost) -> None:
    there.lock()
    there.deploy_release(dataclasses.replace(there.stack, count=5), PENDING)
    there.run(60)
    there.unlock()
    there.run(60)
    assert there.repairs == [], "the scale has failed: it is still pending"
    assert there.sight.text == "3 of 5 replicas are healthy"


# a full disk


def test_a_full_disk_hinders_no_repair(there: KeptHost, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_disk(there, monkeypatch)
    there.app(2).fault = HUNG
    assert there.until(lambda: bool(there.repairs), limit=20) <= 13
    assert len(there.nginx.members) == 3, "nobody could be taken out"
    assert there.until(there.is_whole) <= 4
    assert there.lines("publish_failed") == [
        "the members stay as they are, the new ones could not be published: "
        f"{there.paths.nginx}/2/nginx.conf cannot be written: No space left on device. "
        "What was there is untouched."
    ]


def test_a_full_disk_is_told_once_a_minute_and_tried_less_and_less(there: KeptHost) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fill_disk(there, patch)
        del there.engine.containers[there.app(2).id]
        tries = []
        for _unused in range(130):
            before = there.sight.counters["publish_failures"]
            there.run()
            if there.sight.counters["publish_failures"] > before:
                tries.append(there.clock.now)
        waited = [round(later - earlier) for earlier, later in zip(tries, tries[1:])]
        assert waited == [2, 3, 5, 9, 17, 31, 31, 31], "1, 2, 4, … 30 s, and the time of a try"
        assert there.nginx.reloads == 0
        assert there.sight.text == "3 of 3 replicas are healthy; 2 of them get traffic"
        told = there.lines("publish_failed")
        assert len(told) == 3
        assert told[1] == f"{told[0]} (6 times in 67 s)"
    assert there.until(there.is_whole, limit=40) <= 31
    assert there.serving() == ["shop-app-1", "shop-app-3", "shop-app-4"]


def test_nginx_that_rejects_what_is_published_serves_on(there: KeptHost) -> None:
    there.engine.on_exec = lambda command: (1, b"nginx: [emerg] no memory\n")
    there.engine.end(there.app(2))
    there.run(5)
    assert len(there.nginx.members) == 3
    assert there.lines("publish_failed") == [
        "the members stay as they are, the new ones could not be published: nginx rejects the "
        "configuration, nothing was changed: nginx: [emerg] no memory"
    ]
    there.engine.on_exec = there.nginx.test
    assert there.until(there.is_whole, limit=40) <= 31


# what others publish meanwhile


def test_a_publication_that_was_overtaken_is_decided_again(
    there: KeptHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = there.keeper._lookout.look
    interfered: list[object] = []

    def look_and_be_overtaken() -> object:
        view = look()
        if not interfered and any(one.state == "stopped" for one in view.observed.replicas):
            interfered.append(there.balancer().publish([as_member(there.app(3))]))
        return view

    monkeypatch.setattr(there.keeper._lookout, "look", look_and_be_overtaken)
    there.engine.end(there.app(2))
    assert there.until(there.is_whole) <= 5
    assert interfered
    assert there.lines("publish_failed") == []


def test_what_was_published_but_not_taken_over_is_published_again(there: KeptHost) -> None:
    """A run was killed between the swap and the reload: nginx serves another generation."""
    there.nginx.generation = 7
    there.run(2)
    assert there.nginx.generation == there.sight.generation == 2
    assert there.is_whole()
    assert "3 of 3 replicas are healthy; nginx does not serve what is published" in there.lines()


# the engine


def test_an_engine_that_is_silent_blinds_the_keeper_and_nobody_else(there: KeptHost) -> None:
    there.engine.failing["containers"] = docker.errors.APIError("server error")
    there.run(30)
    assert (there.sight.state, there.sight.text) == (
        "blind",
        "nothing can be seen: Docker's engine refused: server error.",
    )
    assert [one.state for one in there.sight.replicas] == ["healthy"] * 3, "as it was seen last"
    assert (len(there.nginx.members), there.repairs) == (3, [])
    there.engine.end(there.app(2))
    there.run(5)
    del there.engine.failing["containers"]
    assert there.until(there.is_whole) <= 5
    assert there.lines("engine") == [
        "nothing can be seen: Docker's engine refused: server error.",
        "the engine answers again",
    ]


def test_an_engine_that_refuses_a_repair_is_asked_again_later(there: KeptHost) -> None:
    there.engine.failing["start"] = docker.errors.APIError("no space left on device")
    there.engine.end(there.app(2))
    there.run(25)
    assert there.lines("repair", "error") == [
        "start shop-app-2: it is exited. That failed: Docker's engine refused: "
        "no space left on device."
    ]
    del there.engine.failing["start"]
    assert there.until(there.is_whole, limit=40) <= 15


def test_a_restart_of_which_only_the_first_half_went_well(there: KeptHost) -> None:
    there.app(2).fault = HUNG
    there.engine.failing["start"] = docker.errors.APIError("server error")
    there.until(lambda: there.app(2).status == "exited")
    del there.engine.failing["start"]
    assert there.until(there.is_whole, limit=40) <= 16


# damaged files


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"generation": 1}', '{"members": 3}'])
def test_a_damaged_list_of_members_is_written_anew(there: KeptHost, damage: str) -> None:
    Path(there.paths.current, "members.json").write_text(damage, encoding="utf-8")
    assert there.until(lambda: bool(there.lines("members"))) <= 2
    assert there.until(there.is_whole) <= 1
    assert there.nginx.generation == 2
    names = ["shop-app-1", "shop-app-2", "shop-app-3"]
    assert [one.name for one in there.balancer().published().members] == names


def test_what_is_published_was_deleted(there: KeptHost) -> None:
    """The link, too: the static part comes from the release."""
    os.unlink(there.paths.current)
    assert there.until(lambda: bool(there.lines("members"))) <= 2
    assert there.until(there.is_whole) <= 1


def test_a_keeper_that_starts_with_a_damaged_list_lets_nobody_in_unproven(
    there: KeptHost,
) -> None:
    Path(there.paths.current, "members.json").unlink()
    there.app(3).fault = HUNG
    there.begin()
    there.run(4)
    assert there.serving() == ["shop-app-1", "shop-app-2"]
    assert len(there.nginx.members) == 2


def test_a_release_that_is_damaged_blinds_the_keeper(there: KeptHost) -> None:
    there.deploy_release(there.stack)
    Path(there.paths.release, "stack.json").write_text("{", encoding="utf-8")
    there.run(3)
    assert there.sight.state == "blind"
    assert there.sight.text.startswith("nothing can be seen: There is no stack shop in ")
    Path(there.paths.release, "stack.json").write_text(
        json.dumps(there.stack.as_dict()), encoding="utf-8"
    )
    there.run(2)
    assert there.sight.state == "ok"


# drills, other containers


def test_a_drill_makes_one_replica_ill(there: KeptHost) -> None:
    mark = {"replica": there.app(2).id, "until": there.clock.now + 8}
    path = Path(there.paths.state, "drill.json")
    path.write_text(json.dumps(mark), encoding="utf-8")
    assert there.until(lambda: len(there.nginx.members) == 2) <= 4
    assert "shop-app-2 is ill: a drill says that it is ill" in there.lines("state")
    assert there.until(there.is_whole, limit=40) <= 8
    assert there.repairs == []


def test_another_stack_is_none_of_its_business(there: KeptHost) -> None:
    other = there.engine.create("balancer", WELL, labels={"digiz.load_balancing.stack": "shop2"})
    there.engine.end(other)
    there.run(60)
    assert there.repairs == []
