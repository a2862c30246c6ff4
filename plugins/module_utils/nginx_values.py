# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that reach an nginx configuration, checked with errors that name the variable to change.

Every function takes the value and `where` it stands (`rate_limits[0].rate`), and returns it in its
plain type or raises LoadBalancingError:
`<where>: <value> is not allowed: <what is>. Set the variable <front>.`
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_PATH_MARKS = frozenset("._~!&()*+,=:@/-")
_SIZE = re.compile(r"[1-9][0-9]{0,9}[kmgKMG]?")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,39}")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_SHOWN = 80
# No client has it, and nginx takes it for a host name.
_BROADCAST = "255.255.255.255/32"
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def not_allowed(where: str, value: object, allowed: str) -> LoadBalancingError:
    """The error for `value` at `where`; its variable is `where` up to the first `[` or `.`."""
    shown = repr(str(value)) if isinstance(value, str) else repr(value)
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 3] + "..."
    front = re.split(r"[\[.]", where, maxsplit=1)[0]
    return LoadBalancingError(
        f"{where}: {shown} is not allowed: {allowed}. Set the variable {front}."
    )


def whole(value: object, where: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`; its digits as a string do too."""
    # str() of a whole number is its digits; that of True, of 2.5 or of a list is something else.
    if isinstance(value, (int, str)) and _WHOLE.fullmatch(str(value)):
        number = int(value)
        if low <= number <= high:
            return number
    raise not_allowed(where, value, f"a whole number from {low} to {high}")


def truth(value: object, where: str) -> bool:
    """True or false; the usual words for them as a string do too."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in ("true", "yes", "on"):
        return True
    if word in ("false", "no", "off"):
        return False
    raise not_allowed(where, value, "true or false")


def items(value: object, where: str, of: str) -> list[Any]:
    """A list, as a new one; a string or a mapping is none."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise not_allowed(where, value, f"a list of {of}")
    return list(value)


def mapping(value: object, where: str, known: Iterable[str]) -> dict[str, Any]:
    """A mapping with no other keys than `known`."""
    keys = tuple(known)
    if not isinstance(value, Mapping):
        raise not_allowed(where, value, f"a mapping with keys of {', '.join(keys)}")
    for key in value:
        if key not in keys:
            raise not_allowed(where, key, f"the keys are {', '.join(keys)}")
    return {str(key): content for key, content in value.items()}


def path(value: object, where: str) -> str:
    """The beginning of a URL's path as nginx compares it: decoded, normalised, without a query."""
    allowed = "a path that begins with /, of letters, digits and ._~!&()*+,=:@/-"
    if not isinstance(value, str) or not value.startswith("/"):
        raise not_allowed(where, value, allowed)
    if not all(character.isalnum() or character in _PATH_MARKS for character in value):
        raise not_allowed(where, value, allowed)
    # nginx merges slashes and resolves dots before it compares: such a path would never match.
    if "//" in value or any(part in (".", "..") for part in value.split("/")):
        raise not_allowed(where, value, "a path without //, . and .. between slashes")
    return str(value)


def network(value: object, where: str) -> str:
    """An address or a CIDR, in its canonical text; host bits must be zero. An IPv4 network that is
    written as a part of ::ffff:0:0/96 is what nginx takes it for: an IPv4 network.
    """
    try:
        found = ipaddress.ip_network(_without_zone(str(value)))
        if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(_MAPPED):
            last_32_bits = int(found.network_address) & 0xFFFFFFFF
            found = ipaddress.IPv4Network((last_32_bits, found.prefixlen - _MAPPED.prefixlen))
        if str(found) == _BROADCAST:
            raise ValueError(found)
        return str(found)
    except ValueError:
        raise not_allowed(
            where,
            value,
            "an address such as 203.0.113.7 or a network such as 10.0.0.0/8 or 2001:db8::/32",
        ) from None


def networks(value: object, where: str) -> tuple[str, ...]:
    """A list of networks, each once, in a fixed order."""
    listed = items(value, where, "addresses or networks")
    texts = {network(one, f"{where}[{index}]") for index, one in enumerate(listed)}
    return tuple(sorted(texts, key=lambda text: (":" in text, ipaddress.ip_network(text))))


def host(value: object, where: str) -> str:
    """An IPv4 or IPv6 address (brackets are taken off) or a host name."""
    text = str(value) if isinstance(value, str) else ""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        return str(ipaddress.ip_address(_without_zone(text)))
    except ValueError:
        # Digits and dots alone are a mistyped address, not a name.
        if _HOST.fullmatch(text) and not re.fullmatch(r"[0-9.]+", text):
            return text
    raise not_allowed(where, value, "an IPv4 address, an IPv6 address or a host name")


def _without_zone(text: str) -> str:
    """Python reads fe80::1%eth0, nginx doesn't."""
    if "%" in text:
        raise ValueError(text)
    return text


def size(value: object, where: str) -> str:
    """A number of bytes with k, m or g, as nginx writes it: 25m."""
    text = str(value) if not isinstance(value, bool) else ""
    if not _SIZE.fullmatch(text):
        raise not_allowed(where, value, "a size such as 512k, 25m or 1g")
    return text.lower()


def identifier(value: object, where: str) -> str:
    """A name that is safe in a variable and a zone of nginx."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise not_allowed(
            where, value, "1 to 40 lower-case letters, digits and _, beginning with a letter"
        )
    return str(value)
