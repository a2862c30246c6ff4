# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nginx text to a tree of words, read by a parser that isn't ours (crossplane)."""

from __future__ import annotations

import tempfile
from typing import Any

import crossplane

# name, arguments, children or None
Tree = tuple[str, list[str], Any]


def parse(text: str) -> list[Tree]:
    """The tree of `text`; fails on text that can't be parsed."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        payload = crossplane.parse(
            file.name, single=True, strict=False, check_ctx=False, check_args=False
        )
    assert payload["status"] == "ok", payload["errors"]
    return [_tree(statement) for statement in payload["config"][0]["parsed"]]


def names(trees: list[Tree]) -> list[Any]:
    """The names alone, nested: what a value must never change."""
    return [
        (name, None if children is None else names(children)) for name, _args, children in trees
    ]


def find(trees: list[Tree], *path: str) -> list[Tree]:
    """All directives at a path of names: `find(trees, "http", "server", "listen")`."""
    found = [tree for tree in trees if tree[0] == path[0]]
    if len(path) == 1:
        return found
    return [hit for tree in found for hit in find(tree[2] or [], *path[1:])]


def _tree(statement: dict[str, Any]) -> Tree:
    children = statement.get("block")
    return (
        _word(statement["directive"]),
        [_word(arg) for arg in statement["args"]],
        None if children is None else [_tree(child) for child in children],
    )


def _word(text: str) -> str:
    """crossplane leaves an escaped backslash as it stands; nginx makes one of two."""
    return text.replace("\\\\", "\\")
