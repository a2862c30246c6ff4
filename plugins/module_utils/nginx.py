# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nginx configuration as data, and the one place where it becomes text.

A directive is a name, arguments and, for a block, children. Every word passes through `quote`, so
a value that came from outside can never end its directive, open a block or read a variable:
characters that mean something to nginx are refused in plain strings, and whatever is left is
quoted when it has to be. Only words that this collection writes itself are marked as `Expr`, which
may hold variables.

Source for the quoting rules: ngx_conf_read_token() in nginx's src/core/ngx_conf_file.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

INDENT = "    "
WIDTH = 100

# nginx reads a word into a buffer of 4096 bytes and refuses a longer one.
LONGEST_WORD = 4000

_FORBIDDEN_IN_PLAIN = "$;{}"
# A plain word with $ never gets as far as here.
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=~^*()|?<>!&\[\]$-]+")


class Expr(str):
    """A word that nginx may evaluate: it can hold variables, braces and semicolons.

    For text that this collection wrote, never for a value from outside.
    """

    __slots__ = ()


@dataclass(frozen=True)
class Directive:
    """One directive.

    `children` is None for a simple directive and a tuple, perhaps empty, for a block. `comment`
    stands on lines of its own above the directive, `note` at the end of its line.
    """

    name: str
    args: tuple[str, ...] = ()
    children: tuple[Directive, ...] | None = None
    comment: str = ""
    note: str = ""


def simple(name: str, *args: str | int, comment: str = "", note: str = "") -> Directive:
    """A directive that ends with a semicolon; whole numbers may be given as such."""
    return Directive(name, _words(args), None, comment, note)


def block(
    name: str, *args: str | int, children: Iterable[Directive], comment: str = ""
) -> Directive:
    """A directive with children in braces."""
    return Directive(name, _words(args), tuple(children), comment)


def quote(word: str) -> str:
    """The text that nginx reads back as exactly `word`.

    Raises LoadBalancingError if a plain string holds `$`, `;`, `{` or `}` (nginx has no escape for
    the first, and no value of ours needs the others), or if any word holds a control character,
    another character that can't be seen, or is too long for nginx.
    """
    refuse_unprintable(word)
    if not isinstance(word, Expr):
        for character in _FORBIDDEN_IN_PLAIN:
            if character in word:
                raise LoadBalancingError(
                    f"{_shown(word)} is not allowed in an nginx configuration: it contains"
                    f" {character!r}. Use a value without {' '.join(_FORBIDDEN_IN_PLAIN)}."
                )
    if _BARE.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\")
    if '"' in word and "'" not in word:
        return f"'{escaped}'"
    return '"' + escaped.replace('"', '\\"') + '"'


def refuse_unprintable(word: str) -> None:
    """Raise LoadBalancingError unless every character can be seen, or is a space."""
    for character in word:
        if not character.isprintable():
            raise LoadBalancingError(
                f"{_shown(word)} is not allowed in an nginx configuration: it contains the"
                f" character U+{ord(character):04X}. Use one line of printable characters."
            )
    if len(word.encode()) > LONGEST_WORD:
        raise LoadBalancingError(
            f"{_shown(word)} is not allowed in an nginx configuration: it is"
            f" {len(word.encode())} bytes long. Use at most {LONGEST_WORD} bytes."
        )


def render(directives: Iterable[Directive]) -> str:
    """The text of a configuration file, ending with a newline; "" for no directives.

    Directives with a comment, and blocks, are set off by an empty line: a file reads in sections.
    """
    lines = list(_lines(tuple(directives), ""))
    return "\n".join(lines) + "\n" if lines else ""


def _words(args: Iterable[str | int]) -> tuple[str, ...]:
    return tuple(arg if isinstance(arg, str) else str(arg) for arg in args)


def _lines(directives: tuple[Directive, ...], margin: str) -> Iterator[str]:
    previous: Directive | None = None
    for directive in directives:
        if previous is not None and (
            directive.comment or directive.children is not None or previous.children is not None
        ):
            yield ""
        for line in directive.comment.splitlines():
            refuse_unprintable(line)
            yield f"{margin}# {line}".rstrip()
        yield from _statement(directive, margin)
        previous = directive


def _statement(directive: Directive, margin: str) -> Iterator[str]:
    end = ";"
    if directive.children is not None:
        end = " {" if directive.children else " {}"
    refuse_unprintable(directive.note)
    note = f"  # {directive.note}" if directive.note else ""
    words = [quote(word) for word in (directive.name, *directive.args)]
    yield from _wrapped(words, end + note, margin)
    if directive.children:
        yield from _lines(directive.children, margin + INDENT)
        yield f"{margin}}}"


def _wrapped(words: list[str], end: str, margin: str) -> Iterator[str]:
    """One line if it fits, else bare words first and every further word on its own line."""
    line = margin + " ".join(words) + end
    if len(line) <= WIDTH or len(words) == 1:
        yield line
        return
    head = margin + words[0]
    rest = words[1:]
    while len(rest) > 1 and rest[0][0] not in "\"'" and len(head) + len(rest[0]) < WIDTH:
        head += " " + rest.pop(0)
    yield head
    for word in rest[:-1]:
        yield margin + INDENT + word
    yield margin + INDENT + rest[-1] + end


def _shown(word: str) -> str:
    text = repr(str(word))
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
