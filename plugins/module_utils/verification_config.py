# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nginx really runs with, read back from the text of its configuration.

A verification must not trust what was meant to be rendered, so it reads what was published. Only
text that balancer_config.py rendered is understood; a property test keeps the two together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import (
    BY_ADDRESS,
    BY_KEY,
    KNOWN,
    NO_KEYS,
    KeyLimits,
    Tier,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import (
    CONNECTIONS_ZONE,
    NO_LIMITS,
    Limit,
    RateLimits,
)

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<mark>[;{}])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'"""
    r"""|(?P<bare>[^\s;{}"']+)"""
)
_ESCAPED = re.compile(r"\\(.)")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Statement:
    """One directive: its words, and the directives in its block."""

    words: tuple[str, ...]
    children: tuple[Statement, ...] = ()

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0]


@dataclass(frozen=True)
class Served:
    """What a balancer serves: the Host header to ask with, the limits that are in force, and
    whether there is TLS.
    """

    host: str
    limits: RateLimits
    tls: bool = False


def parse(text: str) -> tuple[Statement, ...]:
    """The directives of a rendered configuration file."""
    return tuple(_block(_tokens(text)))


def read_served(text: str) -> Served:
    """What a published nginx.conf serves; nothing is limited in an empty text."""
    http = next((one.children for one in parse(text) if one.name == "http"), ())
    server = next((one.children for one in http if one.name == "server"), ())
    names = [
        word for one in server if one.name == "server_name" for word in one.words[1:] if word != "_"
    ]
    return Served(
        _host([name for name in names if name not in _LOCAL_NAMES]),
        _limits(http, server),
        any(one.name == "listen" and "ssl" in one.words for one in server),
    )


def _host(names: list[str]) -> str:
    """The first name without a wildcard, else a name under the first wildcard, else loopback."""
    plain = [name for name in names if not name.startswith("*.")]
    if plain or not names:
        return (plain or ["127.0.0.1"])[0]
    return f"verify{names[0][1:]}"


def _limits(http: tuple[Statement, ...], server: tuple[Statement, ...]) -> RateLimits:
    exempt: tuple[str, ...] = ()
    paths: dict[str, str] = {}
    exempt_paths = []
    for one in http:
        if one.words[:2] == ("geo", "$balancer_exempt"):
            exempt = tuple(c.words[0] for c in one.children if c.words[1] == "exempt")
        if one.name == "map" and one.words[2] == "$balancer_limit":
            for pattern, name in (child.words for child in one.children):
                if name:
                    paths[name] = _ESCAPED.sub(r"\1", pattern[2:])
                elif pattern.startswith("~"):
                    exempt_paths.append(_ESCAPED.sub(r"\1", pattern[2:-1]))
    zones = {
        one.words[2].split(":")[0][5:]: one.words for one in http if _is(one, "limit_req_zone")
    }
    rates = [one.words for one in server if _is(one, "limit_req")]
    found = [_limit(one, zones, paths) for one in rates if not _of_tier(one)]
    opens = {one.words[1]: int(one.words[2]) for one in server if _is(one, "limit_conn")}
    tiers = [_tier(one, zones, opens) for one in rates if one[1].startswith(f"zone={BY_KEY}-")]
    if not rates and not opens:
        return NO_LIMITS
    return RateLimits(
        tuple(sorted(found, key=lambda limit: (limit.path, limit.name))),
        opens.get(CONNECTIONS_ZONE, 0),
        exempt,
        tuple(sorted(exempt_paths)),
        any(one.name.endswith("_dry_run") for one in server),
        _keys(http, tiers) if tiers else NO_KEYS,
    )


def _of_tier(words: tuple[str, ...]) -> bool:
    """Whether a `limit_req` is a tier's; the names of other limits have no hyphen."""
    return words[1].startswith((f"zone={BY_KEY}-", f"zone={BY_ADDRESS}-"))


def _tier(words: tuple[str, ...], zones: dict[str, tuple[str, ...]], opens: dict[str, int]) -> Tier:
    """A tier from its `limit_req` by key."""
    given = _options(words)
    name = given["zone"][len(BY_KEY) + 1 :]
    return Tier(
        name,
        _options(zones[given["zone"]])["rate"],
        int(given.get("burst", 0)),
        None if "nodelay" in given else int(given.get("delay", 0)),
        opens.get(f"{BY_KEY}-open-{name}", 0),
    )


def _keys(http: tuple[Statement, ...], tiers: list[Tier]) -> KeyLimits:
    """The tiers with the header and the file of known keys."""
    known = next(one for one in http if one.name == "map" and one.words[2] == KNOWN)
    header = known.words[1][len("$http_") :].replace("_", "-")
    files = [one.words[1] for one in known.children if one.name == "include"]
    return KeyLimits(header, tuple(tiers), "".join(files))


def _is(statement: Statement, name: str) -> bool:
    return statement.name == name


def _limit(
    words: tuple[str, ...], zones: dict[str, tuple[str, ...]], paths: dict[str, str]
) -> Limit:
    """A limit from `limit_req zone=NAME [burst=N] [nodelay|delay=N]` and its `limit_req_zone`."""
    given = _options(words)
    zone = _options(zones[given["zone"]])
    return Limit(
        name=given["zone"],
        path=paths[given["zone"]],
        rate=zone["rate"],
        burst=int(given.get("burst", 0)),
        delay=None if "nodelay" in given else int(given.get("delay", 0)),
        zone_size=zone["zone"].split(":")[1],
    )


def _options(words: tuple[str, ...]) -> dict[str, str]:
    """Words such as `burst=20` and `nodelay` as a mapping."""
    return {name: value for name, _equals, value in (word.partition("=") for word in words)}


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token; quotes are taken off."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in ("double", "single"):
            yield "word", _ESCAPED.sub(r"\1", match.group(kind))
        elif kind:
            yield kind if kind == "mark" else "word", match.group(kind)


def _block(tokens: Iterator[tuple[str, str]]) -> Iterator[Statement]:
    words: list[str] = []
    for kind, text in tokens:
        if kind == "word":
            words.append(text)
        elif text == "}":
            return
        else:
            children = tuple(_block(tokens)) if text == "{" else ()
            yield Statement(tuple(words), children)
            words = []
