# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data to YAML text: block style, one right spelling, standard library only.

Hosts need no YAML library for it. Whatever could be read as another type (`yes`, `1:30`, `0o7`,
`1e3`, `null`) is put into double quotes, whose escapes are the same in YAML 1.1 and 1.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)

# A first letter or slash rules out every number, date and indicator of YAML.
_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./:@+-]*[A-Za-z0-9_./@+-])?")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Readers must accept implicit keys of 1024 characters; quoting can lengthen a character sixfold.
_LONGEST_IMPLICIT_KEY = 128
_LAST_LATIN1_CONTROL = 0x9F
_BEYOND_16_BITS = 0xFFFF


def dump(data: object) -> str:
    """Return `data` as one YAML document that ends with a newline.

    `data` is made of dict (keys are str), list, tuple, str, int, float, bool and None.
    Raises LoadBalancingError for any other type.
    """
    return "---\n" + "".join(f"{line}\n" for line in _lines(data))


def _lines(data: object) -> Iterator[str]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _entry(key, value)
    elif isinstance(data, (list, tuple)) and data:
        for item in data:
            for number, line in enumerate(_lines(item)):
                yield f"{'  ' if number else '- '}{line}"
    else:
        yield _inline(data)


def _entry(key: object, value: object) -> Iterator[str]:
    if not isinstance(key, str):
        raise LoadBalancingError(f"YAML: the key {key!r} is not allowed: a text. Quote it.")
    head = f"{_text(key)}:"
    if len(key) > _LONGEST_IMPLICIT_KEY:
        yield f"? {_text(key)}"
        head = ":"
    if isinstance(value, (Mapping, list, tuple)) and value:
        yield head
        for line in _lines(value):
            yield f"  {line}"
    else:
        yield f"{head} {_inline(value)}"


def _inline(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    kind = type(value).__name__
    raise LoadBalancingError(
        f"YAML: a value of type {kind} is not allowed: mappings, lists, texts, numbers, true, "
        f"false and null. Change it."
    )


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(float(value))
    # YAML 1.1 wants the point: it reads 1e+16 as a text.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return str(value)
    return '"' + "".join(map(_escape, value)) + '"'


def _escape(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    # isprintable() is false for controls, separators other than space, surrogates, the byte order
    # mark and what Unicode has not assigned: all of them are unsafe to stand in YAML as they are.
    if char.isprintable():
        return char
    code = ord(char)
    if code <= _LAST_LATIN1_CONTROL:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _BEYOND_16_BITS else f"\\U{code:08x}"
