# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that the stack knows how to make, and the full form of what is wanted.

A wanted image is ``{purpose, image?, build?}``. A purpose of the catalogue brings its names and its
recipe; another image for it is taken as it is: present or pulled, never built.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.build_context import (
    context_digest,
    data_digest,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

#: A reference of at most 255 characters: [host[:port]/]path[:tag][@digest]
#: (distribution/reference).
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_MAX_REFERENCE = 255
_KEYS = ("purpose", "image", "official", "build", "variable")
_BUILD_KEYS = ("context", "args", "base")

CATALOGUE: dict[str, dict[str, Any]] = {
    "balancer": {
        "image": "digiz/nginx:1.30",
        "official": "nginx:1.30",
        "variable": "balancer_image",
        "recipe": {
            "suite": "forky",
            "packages": ["nginx"],
            # forky is in preparation: its mirrors may lag behind the few days that its index is
            # valid. The signature is checked all the same.
            "allow_expired": True,
            "at_least": {"nginx": "1.30.5"},
            "config": [
                'CMD ["nginx", "-g", "daemon off;"]',
                "EXPOSE 80",
                "STOPSIGNAL SIGQUIT",
            ],
        },
    },
    "database": {
        "image": "digiz/postgres:17",
        "official": "postgres:17",
        "build": {"context": "postgres", "base": "base"},
    },
    "base": {
        "image": "digiz/debian:trixie",
        "official": "debian:trixie-slim",
        "support": True,
        "recipe": {"suite": "trixie", "packages": [], "config": ['CMD ["bash"]']},
    },
}


def check_reference(reference: object, variable: str) -> str:
    """An image reference that the engine and a command line can take.

    :raises LoadBalancingError: naming ``variable``.
    """
    text = str(reference)
    if len(text) > _MAX_REFERENCE or not _REFERENCE.fullmatch(text):
        raise LoadBalancingError(
            f"{variable}: {text!r} is not allowed: an image reference such as "
            f"registry.example.com/team/app:1.2. Set the variable {variable}."
        )
    return text


def complete(wanted: Sequence[Mapping[str, Any]], files: str) -> list[dict[str, Any]]:
    """Wanted images with names, recipe and source digest; bases that a build needs are added.

    :param wanted: entries ``{purpose, image?, official?, build?: {context, base?, args?},
        variable?}``.
    :param files: folder on the controller that relative contexts are in.
    :raises LoadBalancingError: for a wrong entry.
    """
    entries = [_complete_entry(item, files) for item in wanted]
    known = {item["purpose"] for item in entries}
    for base in sorted({item["base"] for item in entries if item["base"]} - known):
        if base in CATALOGUE:
            entries.append(_complete_entry({"purpose": base}, files))
    return entries


def _complete_entry(item: Mapping[str, Any], files: str) -> dict[str, Any]:
    if not isinstance(item, Mapping) or not item.get("purpose"):
        raise LoadBalancingError(
            f"images_wanted: {item!r} is not allowed: a mapping with a purpose. Set images_wanted."
        )
    _check_keys(item, _KEYS, "images_wanted")
    purpose = str(item["purpose"])
    known = CATALOGUE.get(purpose, {})
    asked = str(item.get("image") or known.get("image", ""))
    if asked not in (known.get("image"), known.get("official")):
        known = {"support": known.get("support", False), "variable": known.get("variable")}
    variable = str(item.get("variable") or known.get("variable") or "images_wanted")
    official = str(item.get("official") or known.get("official", ""))
    entry: dict[str, Any] = {
        "purpose": purpose,
        "image": check_reference(known.get("image", asked), variable),
        "official": check_reference(official, variable) if official else "",
        "support": bool(known.get("support", False)),
        "variable": variable,
    }
    build = item.get("build") or known.get("build")
    return {**entry, **_recipe(build, known.get("recipe"), files)}


def _recipe(build: Any, recipe: Mapping[str, Any] | None, files: str) -> dict[str, Any]:
    """The keys of an entry that say how to build it."""
    if build:
        _check_keys(build, _BUILD_KEYS, "images_wanted: build")
        context = os.path.join(files, str(build.get("context", "")))
        arguments = {str(key): str(value) for key, value in (build.get("args") or {}).items()}
        return {
            "kind": "dockerfile",
            "base": str(build.get("base") or ""),
            "context": context,
            "args": arguments,
            "digest": context_digest(context, arguments),
        }
    if recipe:
        return {"kind": "debian", "base": "", "recipe": dict(recipe), "digest": data_digest(recipe)}
    return {"kind": "none", "base": "", "digest": ""}


def _check_keys(given: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise LoadBalancingError(
            f"{where}: {', '.join(unknown)} is not allowed: the keys are {', '.join(allowed)}. "
            "Correct the entry."
        )
