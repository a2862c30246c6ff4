# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is decided for wanted images, and the full form of what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.digiz.load_balancing.plugins.module_utils import image_catalogue, images
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.images import (
    Decision,
    Found,
    Wanted,
)

FILES = str(Path(__file__).resolve().parent.parent.parent / "roles" / "images" / "files")
BALANCER = Wanted("balancer", "digiz/nginx:1.30", "nginx:1.30", "debian", "new")
APP = Wanted("app", "digiz/chatbot:1", kind="dockerfile", digest="new", base="base")
OTHER = Wanted("app", "ghcr.io/team/shop:2", variable="app_image")
BASE = Wanted("base", "digiz/debian:trixie", "debian:trixie-slim", "debian", "new", support=True)
SILENT = {"docker.io": "no such host"}


def only(
    want: Wanted,
    found: dict[str, Found],
    source: str = "auto",
    silent: dict[str, str] | None = None,
    refresh: bool = False,
) -> tuple[str, str]:
    """Action and reference for one image."""
    wanted = [want] if want is not APP else [want, BASE]
    decisions = images.decide(wanted, found, source, silent or {}, refresh)
    decision = next(item for item in decisions if item.purpose == want.purpose)
    return decision.action, decision.reference


BUILT = {"digiz/nginx:1.30": Found("b", "new")}
OLD = {"digiz/nginx:1.30": Found("b", "old")}
OFFICIAL = {"nginx:1.30": Found("o")}


@pytest.mark.parametrize(
    ("found", "source", "silent", "expected"),
    [
        ({}, "auto", {}, ("pull", "nginx:1.30")),
        ({}, "auto", SILENT, ("build", "digiz/nginx:1.30")),
        ({}, "pull", SILENT, ("pull", "nginx:1.30")),
        ({}, "build", {}, ("build", "digiz/nginx:1.30")),
        ({}, "archive", {}, ("load", "nginx:1.30")),
        (BUILT, "auto", {}, ("present", "digiz/nginx:1.30")),
        (OFFICIAL, "auto", SILENT, ("present", "nginx:1.30")),
        # What is in use stays in use, although the other turns up.
        ({**BUILT, **OFFICIAL}, "auto", {}, ("present", "digiz/nginx:1.30")),
        ({**BUILT, **OFFICIAL}, "pull", {}, ("present", "nginx:1.30")),
        (BUILT, "pull", {}, ("pull", "nginx:1.30")),
        (OFFICIAL, "build", {}, ("build", "digiz/nginx:1.30")),
        # A changed source is built again, also beside an official image.
        (OLD, "auto", {}, ("build", "digiz/nginx:1.30")),
        ({**OLD, **OFFICIAL}, "auto", {}, ("build", "digiz/nginx:1.30")),
        (OLD, "build", {}, ("build", "digiz/nginx:1.30")),
        # An archive brings what its maker wanted.
        (OLD, "archive", {}, ("present", "digiz/nginx:1.30")),
    ],
)
def test_an_image_with_a_recipe_and_an_official_name(
    found: dict[str, Found], source: str, silent: dict[str, str], expected: tuple[str, str]
) -> None:
    assert only(BALANCER, found, source, silent) == expected


@pytest.mark.parametrize("source", ["auto", "pull", "build"])
def test_an_image_without_a_recipe_is_present_or_pulled(source: str) -> None:
    assert only(OTHER, {OTHER.image: Found("a")}, source) == ("present", OTHER.image)
    assert only(OTHER, {}, source, {"ghcr.io": "refused"}) == ("pull", OTHER.image)


@pytest.mark.parametrize("source", ["auto", "pull", "build"])
def test_an_image_that_is_in_no_registry_is_built(source: str) -> None:
    assert only(APP, {}, source) == ("build", APP.image)
    assert only(APP, {APP.image: Found("a", "old")}, source) == ("build", APP.image)
    assert only(APP, {APP.image: Found("a", "new")}, source) == ("present", APP.image)


def test_refresh_provides_again_what_is_there() -> None:
    assert only(BALANCER, OFFICIAL, refresh=True) == ("pull", "nginx:1.30")
    assert only(BALANCER, BUILT, refresh=True) == ("build", "digiz/nginx:1.30")
    assert only(OTHER, {OTHER.image: Found("a")}, refresh=True) == ("pull", OTHER.image)


def test_a_base_comes_first_and_only_where_something_is_built_on_it() -> None:
    wanted = [APP, BALANCER, BASE]
    decisions = images.decide(wanted, BUILT, "auto", SILENT)
    assert [(item.purpose, item.action) for item in decisions] == [
        ("base", "build"),
        ("app", "build"),
        ("balancer", "present"),
    ]
    there = {**BUILT, APP.image: Found("a", "new")}
    decisions = images.decide(wanted, there, "auto", SILENT)
    assert decisions[0] == Decision("base", "idle", "")
    assert images.resolved(decisions) == {"app": APP.image, "balancer": "digiz/nginx:1.30"}


def test_the_reason_for_what_is_done_is_told() -> None:
    def reason(found: dict[str, Found], refresh: bool = False) -> str:
        return images.decide([BALANCER], found, "auto", {}, refresh)[0].reason

    assert reason({}) == "not on the host"
    assert reason(OLD) == "its source has changed"
    assert reason(BUILT, refresh=True) == "refresh"


def test_a_silent_registry_is_told_with_the_image_that_needs_it() -> None:
    decision = images.decide([OTHER], {}, "auto", {"ghcr.io": "connection refused"})[0]
    assert decision.registry_error == "connection refused"


@pytest.mark.parametrize(
    ("wanted", "source", "text"),
    [
        (
            [BALANCER],
            "hub",
            "images_source: hub is not allowed: one of auto, pull, build, archive. "
            "Set the variable images_source.",
        ),
        (
            [BALANCER, BALANCER],
            "auto",
            "images_wanted: balancer is not allowed twice: each purpose has one image. "
            "Remove one of the entries.",
        ),
        (
            [APP],
            "auto",
            "images_wanted: base base of app is not allowed: one of app. "
            "Add an entry of that purpose.",
        ),
    ],
)
def test_wrong_wishes_are_told(wanted: list[Wanted], source: str, text: str) -> None:
    with pytest.raises(LoadBalancingError) as error:
        images.decide(wanted, {}, source, {})
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("nginx", "docker.io"),
        ("digiz/nginx:1.30", "docker.io"),
        ("ghcr.io/team/shop:2", "ghcr.io"),
        ("registry:5000/shop", "registry:5000"),
        ("localhost/shop", "localhost"),
    ],
)
def test_the_registry_of_a_reference(reference: str, registry: str) -> None:
    assert images.registry_of(reference) == registry


@pytest.mark.parametrize(
    ("message", "silent"),
    [
        ('Get "https://registry-1.docker.io/v2/": dial tcp: lookup x on y: no such host', True),
        ("dial tcp 192.0.2.1:443: i/o timeout", True),
        ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", True),
        ("manifest for nginx:9.99 not found: manifest unknown", False),
        ("pull access denied for digiz/shop, repository does not exist", False),
        ("toomanyrequests: You have reached your pull rate limit", False),
    ],
)
def test_a_registry_that_says_no_is_not_silent(message: str, silent: bool) -> None:
    assert images.unreachable(message) is silent


FOUND = st.dictionaries(
    st.sampled_from([BALANCER.image, BALANCER.official, APP.image, BASE.image, BASE.official]),
    st.builds(Found, st.just("id"), st.sampled_from(["", "old", "new"])),
)


@given(FOUND, st.sampled_from(images.SOURCES), st.sampled_from([{}, SILENT]), st.booleans())
def test_carrying_out_the_decisions_leaves_nothing_to_do(
    found: dict[str, Found], source: str, silent: dict[str, str], refresh: bool
) -> None:
    wanted = [BALANCER, APP, BASE]
    digests = {want.image: want.digest for want in wanted}
    decisions = images.decide(wanted, found, source, silent, refresh)
    after = dict(found)
    for item in decisions:
        if item.action in ("pull", "build", "load"):
            after[item.reference] = Found("made", digests.get(item.reference, ""))
    again = images.decide(wanted, after, source, silent)
    assert {item.action for item in again} <= {"present", "idle"}
    if source == "archive":
        return  # which of its names an image has in the archive is known when it is loaded
    chosen = images.resolved(decisions)
    assert {key: images.resolved(again)[key] for key in chosen} == chosen


def test_the_catalogue_knows_its_purposes() -> None:
    entries = image_catalogue.complete([{"purpose": "balancer"}, {"purpose": "database"}], FILES)
    assert [(item["purpose"], item["image"], item["official"]) for item in entries] == [
        ("balancer", "digiz/nginx:1.30", "nginx:1.30"),
        ("database", "digiz/postgres:17", "postgres:17"),
        ("base", "digiz/debian:trixie", "debian:trixie-slim"),
    ]
    assert all(item["digest"] for item in entries)


@pytest.mark.parametrize("own", ["digiz/nginx:1.30", "nginx:1.30"])
def test_a_purposes_own_image_keeps_its_recipe(own: str) -> None:
    entry = image_catalogue.complete([{"purpose": "balancer", "image": own}], FILES)[0]
    assert entry["kind"] == "debian"


def test_another_image_for_a_purpose_is_taken_as_it_is() -> None:
    entry = image_catalogue.complete([{"purpose": "balancer", "image": "nginx:1.31"}], FILES)[0]
    assert (entry["image"], entry["official"], entry["kind"]) == ("nginx:1.31", "", "none")


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"image": "x"}, "images_wanted: {'image': 'x'} is not allowed: a mapping with a purpose"),
        ({"purpose": "app", "imgae": "x"}, "images_wanted: imgae is not allowed: the keys are"),
        (
            {"purpose": "app", "image": "x; rm -rf /", "variable": "app_image"},
            "app_image: 'x; rm -rf /' is not allowed: an image reference",
        ),
        ({"purpose": "app"}, "images_wanted: '' is not allowed: an image reference"),
        (
            {"purpose": "app", "image": "x", "build": {"context": "/nowhere"}},
            "build.context: /nowhere is not allowed: a folder on the controller",
        ),
    ],
)
def test_wrong_entries_are_told(item: dict[str, object], text: str) -> None:
    with pytest.raises(LoadBalancingError) as error:
        image_catalogue.complete([item], FILES)
    assert str(error.value).startswith(text)


@given(st.text(max_size=60))
def test_a_reference_never_is_an_option_or_more_than_a_word(text: str) -> None:
    try:
        reference = image_catalogue.check_reference(text, "app_image")
    except LoadBalancingError:
        return
    assert reference == text
    assert not text.startswith("-")
    assert text.isprintable()
    assert not set(text) & set(" ;|&$`'\"\\\n")
