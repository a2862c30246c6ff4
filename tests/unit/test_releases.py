# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases on disk: written whole or not at all, found again, and removed when they are old."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import (
    DEPLOYED,
    FAILED,
    FILES,
    KEPT,
    PENDING,
    Release,
    Releases,
    digest,
)
from tests.unit.fakes import host as fakes

STACK = dataclasses.replace(fakes.STACK, revision="r1", image="shop:1", version="1")
LABEL = "digiz.load_balancing.revision"


@pytest.fixture(name="paths")
def paths_fixture(tmp_path: Path) -> StackPaths:
    """A stack's folder."""
    paths = StackPaths("shop", str(tmp_path))
    paths.create()
    return paths


@pytest.fixture(name="releases")
def releases_fixture(paths: StackPaths) -> Releases:
    """The releases of that stack; there are none yet."""
    return Releases(paths)


def release(revision: str = "r1", image: str = "shop:1", count: int = 3) -> Release:
    services: dict[str, Any] = {
        "app": {"deploy": {"replicas": count}, "labels": {LABEL: revision}},
        "balancer": {"labels": {LABEL: "b1"}},
        "pre-deploy": {"profiles": ["pre-deploy"], "labels": {LABEL: "p1"}},
        "cache": {"image": "cache"},
    }
    stack = dataclasses.replace(STACK, revision=revision, image=image, count=count)
    files = {"key": f"secrets/{revision}/key"}
    return Release({"name": "shop", "services": services}, "# nginx\n", stack, files)


def deploy(releases: Releases, *revisions: str) -> list[int]:
    """Releases that were carried out one after the other."""
    numbers = []
    for revision in revisions:
        number = releases.add(release(revision, f"shop:{revision}"), "ana")
        releases.take_into_force(number)
        releases.mark(number, DEPLOYED)
        numbers.append(number)
    return numbers


def damage(paths: StackPaths, number: int, name: str, data: bytes) -> None:
    Path(paths.releases, str(number), name).write_bytes(data)


# one release


def test_the_files_of_a_release() -> None:
    texts = release().texts()
    assert tuple(texts) == FILES
    assert yaml.safe_load(texts["compose.yaml"])["services"]["app"]["deploy"] == {"replicas": 3}
    assert json.loads(texts["stack.json"])["revision"] == "r1"
    assert json.loads(texts["project.json"])["secret_files"] == {"key": "secrets/r1/key"}


def test_services_that_always_run_and_are_not_replicated() -> None:
    assert release().services() == {"balancer": "b1", "cache": ""}


@given(count=st.integers(1, 100))
def test_scaled_is_the_same_but_for_the_number(count: int) -> None:
    before, after = release(), release().scaled(count)
    assert after.stack == dataclasses.replace(before.stack, count=count)
    assert (after.nginx, after.secret_files) == (before.nginx, before.secret_files)
    assert after.services() == before.services()
    project = json.loads(json.dumps(after.project))
    assert project["services"]["app"]["deploy"].pop("replicas") == count
    project["services"]["app"]["deploy"]["replicas"] = 3
    assert project == before.project == release().project, "the original is untouched"


def test_the_digest_is_of_the_static_part() -> None:
    assert release().nginx_digest == digest("# nginx\n")
    assert digest("ệ") == "b270ce5978f4"


# several


def test_before_the_first_there_is_none(releases: Releases, tmp_path: Path) -> None:
    assert (releases.numbers(), releases.current(), releases.last_deployed()) == ([], 0, 0)
    assert Releases(StackPaths("none", str(tmp_path))).numbers() == []


def test_a_new_release_is_pending_and_not_in_force(releases: Releases, paths: StackPaths) -> None:
    assert releases.add(release(), "ana") == 1
    assert (releases.status(1), releases.current(), releases.numbers()) == (PENDING, 0, [1])
    record = json.loads(Path(releases.file(1, "release.json")).read_text("utf-8"))
    assert record.pop("time")
    assert record == {"number": 1, "status": "pending", "who": "ana", "version": "1"}
    folder = Path(paths.releases, "1")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_taking_into_force_is_one_link(releases: Releases, paths: StackPaths) -> None:
    first, second = releases.add(release(), "ana"), releases.add(release("r2"), "ana")
    releases.take_into_force(first)
    assert os.readlink(paths.compose) == "releases/current/compose.yaml"
    assert Path(paths.compose).read_text("utf-8") == release().texts()["compose.yaml"]
    releases.take_into_force(second)
    assert releases.current() == 2
    assert Path(paths.compose).read_text("utf-8") == release("r2").texts()["compose.yaml"]


def test_a_kill_between_the_links_leaves_no_release_without_a_project(
    releases: Releases, paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = releases.add(release(), "ana")
    done: list[str] = []
    real = os.replace

    def replace(source: str, target: str) -> None:
        real(source, target)
        done.append(target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        releases.take_into_force(number)
    assert (done, releases.current()) == ([paths.compose], 0)
    monkeypatch.undo()
    releases.take_into_force(number)
    assert releases.current() == number


def test_a_release_reads_as_it_was_written(releases: Releases) -> None:
    releases.add(release("r7"), "ana")
    assert releases.read(1).texts() == release("r7").texts() == releases.texts(1)
    assert releases.read(1).stack == release("r7").stack


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("project.json", b""),
        ("project.json", b"{"),
        ("project.json", b"[]"),
        ("project.json", b"7"),
        ("project.json", b'{"project": {}}'),
        ("project.json", b"\xff\xfe"),
        ("stack.json", b"\x00"),
        ("stack.json", b"null"),
        ("stack.json", b'{"name": "shop"}'),
        ("stack.json", b"[]"),
    ],
)
def test_a_damaged_release_is_told(
    releases: Releases, paths: StackPaths, name: str, data: bytes
) -> None:
    deploy(releases, "r1")
    damage(paths, 1, name, data)
    with pytest.raises(LoadBalancingError) as caught:
        releases.read(1)
    assert str(caught.value) == (
        "Release 1 of the stack shop is missing or damaged. Run the playbook deploy."
    )
    assert set(releases.texts(1)) == set(FILES), "what can be read of it can be compared"


def test_a_missing_release_has_empty_texts_and_no_status(releases: Releases) -> None:
    assert set(releases.texts(9).values()) == {""}
    assert releases.status(9) == ""


@pytest.mark.parametrize("writes", range(5))
def test_a_run_killed_between_two_files_leaves_what_nobody_takes(
    releases: Releases, paths: StackPaths, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    deploy(releases, "r1", "r2")
    real, left = os.replace, iter(range(writes))

    def replace(source: str, target: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        releases.add(release("r3"), "ana")
    monkeypatch.undo()
    assert releases.numbers() == [1, 2, 3]
    assert (releases.current(), releases.last_deployed(), releases.previous()) == (2, 2, 1)
    assert releases.add(release("r3"), "ana") == 4
    releases.prune()
    assert releases.numbers() == [1, 2]


def test_a_full_disk_leaves_no_release(
    releases: Releases, paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_unused: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        releases.add(release(), "ana")
    assert str(caught.value) == (
        f"{paths.releases}/1/compose.yaml cannot be written: No space left on device. "
        "What was there is untouched."
    )
    assert releases.numbers() == []
    monkeypatch.setattr(os, "makedirs", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        releases.add(release(), "ana")
    assert str(caught.value) == (
        f"{paths.releases}/1 cannot be made: No space left on device. Nothing was changed."
    )


# which one


def test_the_last_that_was_carried_out(releases: Releases) -> None:
    deploy(releases, "r1", "r2", "r3")
    releases.mark(3, FAILED)
    releases.add(release("r4"), "ana")
    assert [releases.status(number) for number in releases.numbers()] == [
        DEPLOYED,
        DEPLOYED,
        FAILED,
        PENDING,
    ]
    assert releases.last_deployed() == 2


def test_a_mark_keeps_the_rest_of_the_record(releases: Releases) -> None:
    releases.add(release(), "ana")
    releases.mark(1, FAILED)
    record = json.loads(Path(releases.file(1, "release.json")).read_text("utf-8"))
    assert (record["who"], record["version"], record["status"]) == ("ana", "1", "failed")


def test_the_one_to_go_back_to_has_other_replicas(releases: Releases) -> None:
    deploy(releases, "r1", "r2")
    number = releases.add(release("r2", "shop:r2", count=7), "ana")
    releases.take_into_force(number)
    releases.mark(number, DEPLOYED)
    assert releases.previous() == 1, "a release that only scaled is no step back"


def test_a_failed_release_is_nothing_to_go_back_to(releases: Releases) -> None:
    deploy(releases, "r1", "r2", "r3")
    releases.mark(2, FAILED)
    assert releases.previous() == 1
    releases.mark(1, FAILED)
    assert releases.previous() == 0


def test_a_rebuilt_image_under_another_name_is_another_release(releases: Releases) -> None:
    deploy(releases, "r1")
    number = releases.add(release("r1", "shop:rebuilt"), "ana")
    releases.take_into_force(number)
    assert releases.previous() == 1


# removing


def test_five_versions_and_the_one_in_force_are_kept(releases: Releases) -> None:
    deploy(releases, *(f"r{number}" for number in range(1, 9)))
    releases.mark(7, FAILED)
    releases.add(release("r9"), "ana")
    assert releases.prune() == {"shop:r1", "shop:r2", "shop:r7", "shop:1"}
    assert releases.numbers() == [3, 4, 5, 6, 8]
    assert len(releases.numbers()) == KEPT


def test_the_one_in_force_is_kept_however_old(releases: Releases) -> None:
    deploy(releases, *(f"r{number}" for number in range(1, 8)))
    releases.take_into_force(1)
    assert releases.prune() == {"shop:r2"}
    assert releases.numbers() == [1, 3, 4, 5, 6, 7]


def test_scaling_pushes_out_nothing_that_one_may_want_to_go_back_to(releases: Releases) -> None:
    deploy(releases, "r1", "r2", *(["r3"] * 6))
    assert releases.prune() == set(), "images that a kept release names are kept"
    assert releases.numbers() == [1, 2, 8]
    assert releases.previous() == 2
