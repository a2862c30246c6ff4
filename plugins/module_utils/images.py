# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which images are wanted, which are there, and what to do for those that are not. Pure.

An image is there (under its pullable name or under the name that it is built under), or it is
loaded from an archive, pulled, or built from a recipe. :func:`decide` chooses, with nothing but
data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

SOURCES = ("auto", "pull", "build", "archive")
KINDS = ("none", "debian", "dockerfile")
SOURCE_LABEL = "digiz.load_balancing.source"

#: What a registry that cannot be reached looks like in the engine's words (moby, Go's net package).
_UNREACHABLE = (
    "no such host",
    "connection refused",
    "i/o timeout",
    "timed out",
    "client.timeout exceeded",
    "context deadline exceeded",
    "tls handshake timeout",
    "network is unreachable",
    "no route to host",
    "server misbehaving",
    "temporary failure in name resolution",
    "proxyconnect",
    "connection reset",
    "eof",
)


@dataclass(frozen=True)
class Wanted:
    """One image that is wanted: its names, and how to build it."""

    purpose: str
    image: str
    official: str = ""
    kind: str = "none"
    digest: str = ""
    base: str = ""
    support: bool = False
    variable: str = "images_wanted"

    @property
    def buildable(self) -> bool:
        """There is a recipe."""
        return self.kind != "none"

    @property
    def pullable(self) -> str:
        """The name to ask a registry for, "" when only a recipe makes it."""
        return self.official or ("" if self.buildable else self.image)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Wanted:
        """From an entry as the filter ``image_entries`` gives it; other keys are the recipe's."""
        names = ("purpose", "image", "official", "kind", "digest", "base", "variable")
        texts = {name: str(data[name]) for name in names if data.get(name)}
        return cls(support=bool(data.get("support", False)), **texts)


@dataclass(frozen=True)
class Found:
    """An image on the host: its id, and the digest of the source that it was built from."""

    id: str
    source: str = ""


@dataclass(frozen=True)
class Decision:
    """What to do for one image; ``action`` is present, load, pull, build or idle (not needed)."""

    purpose: str
    action: str
    reference: str
    image_id: str = ""
    reason: str = ""
    base: str = ""
    registry_error: str = field(default="")


def registry_of(reference: str) -> str:
    """The registry's host in an image reference; Docker Hub when it names none.

    A first component is a host when it has a dot or a port, or is ``localhost``
    (distribution/reference).
    """
    head, slash, _rest = reference.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return head
    return "docker.io"


def unreachable(message: str) -> bool:
    """Whether the engine's error text says that no registry answered (not that it said no)."""
    lowered = message.lower()
    return any(sign in lowered for sign in _UNREACHABLE)


def _present(want: Wanted, found: Mapping[str, Found], source: str) -> Decision | None:
    """The image that is on the host already and may be used, if any.

    What was built stays in use although an official image turns up later: to change the image of a
    running database or balancer takes a decision of the operator's.
    """
    built = found.get(want.image)
    if built and (not want.buildable or source == "archive"):
        return Decision(want.purpose, "present", want.image, built.id)
    current = built and want.buildable and built.source == want.digest
    if built and current and (source != "pull" or not want.official):
        return Decision(want.purpose, "present", want.image, built.id)
    official = found.get(want.official)
    if official and source != "build" and not (built and source == "auto"):
        return Decision(want.purpose, "present", want.official, official.id)
    return None


def _provide(
    want: Wanted,
    found: Mapping[str, Found],
    source: str,
    registries: Mapping[str, str],
    refresh: bool,
) -> Decision:
    """How an image that is not there, or is there in an older form, gets there."""
    if source == "archive":
        return Decision(want.purpose, "load", want.official or want.image, reason="not on the host")
    there = want.image in found or want.official in found
    reason = "its source has changed" if there else "not on the host"
    reason = "refresh" if there and refresh else reason
    silent = registries.get(registry_of(want.pullable), "") if want.pullable else ""
    pull = Decision(
        want.purpose, "pull", want.pullable, reason=reason, base=want.base, registry_error=silent
    )
    if not want.buildable:
        return pull
    build = Decision(want.purpose, "build", want.image, reason=reason, base=want.base)
    outdated = want.image in found and source == "auto"
    if source == "build" or not want.official or outdated:
        return build
    return build if source == "auto" and silent else pull


def decide(
    wanted: Sequence[Wanted],
    found: Mapping[str, Found],
    source: str,
    registries: Mapping[str, str],
    refresh: bool = False,
) -> list[Decision]:
    """What to do for each image, bases first.

    :param found: image reference -> what is on the host under it.
    :param source: one of :data:`SOURCES`.
    :param registries: registry host -> why it cannot be reached; one that answers is not in it.
    :param refresh: pull or build again what is there.
    :raises LoadBalancingError: for an unknown source, or a purpose or a base that is not known.
    """
    if source not in SOURCES:
        raise LoadBalancingError(
            f"images_source: {source} is not allowed: one of {', '.join(SOURCES)}. "
            "Set the variable images_source."
        )
    decisions = {}
    for want in wanted:
        if want.purpose in decisions:
            raise LoadBalancingError(
                f"images_wanted: {want.purpose} is not allowed twice: each purpose has one image. "
                "Remove one of the entries."
            )
        there = None if refresh else _present(want, found, source)
        decisions[want.purpose] = there or _provide(want, found, source, registries, refresh)
    _check_bases(wanted, decisions)
    in_use = {item.base for item in decisions.values() if item.action == "build"}
    for want in wanted:
        idle = want.support and want.purpose not in in_use
        if idle and decisions[want.purpose].action != "present":
            decisions[want.purpose] = Decision(want.purpose, "idle", "")
    order = sorted(wanted, key=lambda want: not want.support)
    return [decisions[want.purpose] for want in order]


def _check_bases(wanted: Sequence[Wanted], decisions: Mapping[str, Decision]) -> None:
    for want in wanted:
        if want.base and want.base not in decisions:
            raise LoadBalancingError(
                f"images_wanted: base {want.base} of {want.purpose} is not allowed: "
                f"one of {', '.join(sorted(decisions))}. Add an entry of that purpose."
            )


def resolved(decisions: Sequence[Decision]) -> dict[str, str]:
    """Purpose -> image reference to use, once the decisions are carried out."""
    return {item.purpose: item.reference for item in decisions if item.action != "idle"}
