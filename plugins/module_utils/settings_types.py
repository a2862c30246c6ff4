# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers of single values: what an operator may write, turned into one typed spelling.

A value comes from an inventory (typed YAML), from `-e` or from a survey (texts, JSON texts). Each
`Field` accepts all of these, says in words what is allowed, and refuses everything else.
"""

from __future__ import annotations

import ast
import ipaddress
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import (
    ALLOWED,
    parse_statuses,
    statuses_text,
)

_LONGEST_SHOWN = 60
_YES = frozenset({"yes", "y", "true", "on", "1"})
_NO = frozenset({"no", "n", "false", "off", "0"})
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class RefusedError(LoadBalancingError):
    """One value that is not allowed: `shown` is the value, `allowed` what may stand there."""

    def __init__(self, shown: str, allowed: str, advice: str = "") -> None:
        super().__init__(f"{shown} is not allowed: {allowed}. {advice}".rstrip())
        self.shown = shown
        self.allowed = allowed
        self.advice = advice


@dataclass(frozen=True)
class Field:
    """What one variable may hold.

    `kind` is the type as argument_specs.yml names it, `allowed` what may stand there, in words;
    `read` turns a plain value into the typed one or raises RefusedError. A number also tells its
    range, `low` to `high`, both included.
    """

    kind: str
    allowed: str
    read: Callable[[object], object]
    low: float | None = None
    high: float | None = None


def show(value: object) -> str:
    """Return `value` as an error text shows it: texts in quotes, on one line, not too long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def plain(value: object) -> object:
    """Return `value` as exact dict, list, str, int, float, bool or None.

    Ansible hands out subclasses that carry tags; dates (an unquoted `2026-01-31`) become texts.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    return str(value)


def whole_number(value: object) -> int | None:
    """Return 3 for 3, 3.0 and "3"; None for anything that is no whole number."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def whole(low: int, high: int, what: str = "a whole number") -> Field:
    """Return the field of a whole number from `low` to `high`."""
    allowed = f"{what} from {low} to {high}"

    def read(value: object) -> int:
        number = whole_number(value)
        if number is None or not low <= number <= high:
            raise RefusedError(show(value), allowed)
        return number

    return Field("int", allowed, read, low, high)


def seconds(low: int, high: int) -> Field:
    """Return the field of a time in whole seconds."""
    return whole(low, high, "a whole number of seconds")


def _as_float(value: object) -> float:
    """Return the number that `value` is or spells, not-a-number for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return math.nan


def number(low: float, high: float) -> Field:
    """Return the field of a number, whole or not, kept to thousandths."""
    allowed = f"a number from {low:g} to {high:g}"

    def read(value: object) -> float:
        found = _as_float(value)
        if not low <= found <= high:
            raise RefusedError(show(value), allowed)
        return round(found, 3)

    return Field("float", allowed, read, low, high)


def flag() -> Field:
    """Return the field of a yes or no."""
    allowed = "true or false"

    def read(value: object) -> bool:
        word = str(value).strip().lower()
        if isinstance(value, (bool, int, str)) and word in _YES | _NO:
            return word in _YES
        raise RefusedError(show(value), allowed)

    return Field("bool", allowed, read)


def choice(*words: str) -> Field:
    """Return the field of one word out of `words`."""
    allowed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"

    def read(value: object) -> str:
        if not isinstance(value, str) or value.strip() not in words:
            raise RefusedError(show(value), allowed)
        return value.strip()

    return Field("str", allowed, read)


def text(pattern: str, allowed: str) -> Field:
    """Return the field of a text that matches the whole of `pattern`; numbers count as texts."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        given = str(value) if isinstance(value, (int, float)) else value
        if (
            not isinstance(given, str)
            or isinstance(value, bool)
            or not compiled.fullmatch(given)
            or _CONTROL.search(given)
        ):
            raise RefusedError(show(value), allowed)
        return given

    return Field("str", allowed, read)


def statuses() -> Field:
    """Return the field of HTTP statuses; the typed value is a text in one spelling, 200-299,304."""

    def read(value: object) -> str:
        given = str(value) if isinstance(value, int) else value
        if isinstance(given, str):
            try:
                return statuses_text(parse_statuses(given))
            except LoadBalancingError:
                pass
        raise RefusedError(show(value), ALLOWED)

    return Field("str", ALLOWED, read)


def size_in_bytes(value: str) -> int:
    """Return the bytes of a size such as 512m, 1.5g or 6291456 (units of 1024).

    Raises LoadBalancingError when `value` is no such size.
    """
    match = _SIZE.fullmatch(value.strip())
    if not match:
        raise LoadBalancingError(f"{show(value)} is not allowed: a size such as 512m or 1g.")
    return round(float(match.group(1)) * _UNITS[match.group(2).lower()])


def size_text(count: int) -> str:
    """Return `count` bytes in the largest unit that needs no fraction, such as 1536m."""
    fitting = [unit for unit, factor in _UNITS.items() if factor <= count and count % factor == 0]
    unit = fitting[-1] if fitting else ""
    return f"{count // _UNITS[unit]}{unit}"


def size(low: str, high: str) -> Field:
    """Return the field of a size; the typed value is a text in one spelling, such as 1536m."""
    allowed = f"a size such as 512m or 1g, from {low} to {high}"

    def read(value: object) -> str:
        given = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(given, str) or not _SIZE.fullmatch(given.strip()):
            raise RefusedError(show(value), allowed)
        count = size_in_bytes(given)
        if not size_in_bytes(low) <= count <= size_in_bytes(high):
            raise RefusedError(show(value), allowed)
        return size_text(count)

    return Field("str", allowed, read)


def structure(value: object) -> object:
    """Return what a JSON or Python literal (from `-e`, a survey) stands for, else `value`."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    for parse in (json.loads, ast.literal_eval):
        try:
            return plain(parse(value))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value


def list_of(item: Field, allowed: str) -> Field:
    """Return the field of a list of `item`; "a, b" and JSON texts are lists, too."""

    def read(value: object) -> list[object]:
        given = structure(value)
        if isinstance(given, str):
            given = [part.strip() for part in given.split(",") if part.strip()]
        if not isinstance(given, list):
            raise RefusedError(show(value), allowed)
        return [item.read(part) for part in given]

    return Field("list", allowed, read)


def mapping_of(key: Field, item: Field, allowed: str, secret: bool = False) -> Field:
    """Return the field of a mapping; its errors name the key and never show a value.

    Values of `app_env` may be as confidential as those of `app_secrets`; with `secret` nothing of
    a value that is no mapping at all is shown either.
    """

    def read(value: object) -> dict[str, object]:
        given = structure(value)
        if not isinstance(given, dict):
            raise RefusedError("this value" if secret else show(value), allowed)
        result = {}
        for name, content in given.items():
            try:
                read_name = str(key.read(name))
            except RefusedError:
                raise RefusedError(f"the name {show(name)}", key.allowed) from None
            try:
                result[read_name] = item.read(content)
            except RefusedError:
                raise RefusedError(f"the value of {read_name}", item.allowed) from None
        return result

    return Field("dict", allowed, read)


def value_text() -> Field:
    """Return the field of one environment value or secret: text, number, true or false."""
    allowed = (
        "a text without control characters (other than newline and tab), a number, true or false"
    )

    def read(value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(value)
        if not isinstance(value, str) or _CONTROL.search(re.sub(r"[\n\t]", "", value)):
            raise RefusedError(show(value), allowed)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RefusedError(show(value), allowed) from None
        return value

    return Field("str", allowed, read)


def command() -> Field:
    """Return the field of a command: a list of texts, or one text that is split as a shell does.

    An empty list means: no command.
    """
    allowed = 'a list of texts, or one text with balanced quotes, such as "serve --port 8000"'
    word = value_text()

    def read(value: object) -> list[str]:
        given = structure(value)
        if isinstance(given, str):
            try:
                given = shlex.split(given)
            except ValueError:
                raise RefusedError(show(value), allowed) from None
        if not isinstance(given, list) or given[:1] == [""]:
            raise RefusedError(show(value), allowed)
        try:
            return [str(word.read(part)) for part in given]
        except RefusedError:
            raise RefusedError(show(value), allowed) from None

    return Field("raw", allowed, read)


def network() -> Field:
    """Return the field of an address or CIDR, IPv4 or IPv6."""
    allowed = "an address or a network such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"

    def read(value: object) -> str:
        if isinstance(value, str) and "%" not in value:
            try:
                if "/" not in value:
                    return str(ipaddress.ip_address(value.strip()))
                return str(ipaddress.ip_network(value.strip(), strict=False))
            except ValueError:
                pass
        raise RefusedError(show(value), allowed)

    return Field("str", allowed, read)
