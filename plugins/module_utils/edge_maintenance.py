# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance: everybody but some gets status 503 with a page, until it is switched off.

`maintenance.conf` defines what nginx.conf reads: whether a request meets maintenance, what it is
told, and how long it is to wait. The message is an operator's text; what could mean something to
nginx, HTML or JSON in it is written in the escapes of HTML and JSON.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import nginx
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_tls import ACME_PATH
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import geo
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    networks,
    not_allowed,
    whole,
)

MESSAGE = "The service is being maintained and will be back soon"
RETRY_AFTER = 300
LONGEST_MESSAGE = 500

MAINTENANCE = Expr("$balancer_maintenance")
WAIT = Expr("$balancer_wait")

_DAY = 86_400
_LOOPBACK = ("127.0.0.0/8", "::1/128")
# Characters that mean something to nginx, HTML or JSON; backslashes are doubled by nginx' quotes.
_SPECIAL = frozenset("$;{}<>&\"'\\#`")
# Controls, halves of characters, separators of lines and of paragraphs.
_REFUSED = ("Cc", "Cs", "Zl", "Zp")
# Status of no meaning outside: the way to the page.
_DETOUR = 479


@dataclass(frozen=True)
class Maintenance:
    """Whether the service is in maintenance, who passes all the same, and what the others read."""

    on: bool = False
    allow: tuple[str, ...] = ()
    message: str = ""
    retry_after: int = RETRY_AFTER

    @classmethod
    def parse(
        cls, allow: object = (), message: object = MESSAGE, retry_after: object = RETRY_AFTER
    ) -> Maintenance:
        """Maintenance that is on. Raises LoadBalancingError that names the variable."""
        return cls(
            True,
            networks(allow, "maintenance_allow"),
            _message(message),
            whole(retry_after, "maintenance_retry_after", 1, _DAY),
        )

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Maintenance:
        """What :meth:`as_dict` gave. Raises TypeError or ValueError for something else."""
        return cls(
            bool(data.get("on", False)),
            tuple(str(one) for one in data.get("allow", ())),
            str(data.get("message", "")),
            int(data.get("retry_after", RETRY_AFTER)),
        )

    def as_dict(self) -> dict[str, Any]:
        """A mapping that JSON can hold."""
        return {**vars(self), "allow": list(self.allow)}

    @property
    def text(self) -> str:
        """One line for operators."""
        if not self.on:
            return "maintenance is off"
        allowed = f", {', '.join(self.allow)} served" if self.allow else ""
        return f"maintenance is on: status 503, Retry-After {self.retry_after} s{allowed}"

    @property
    def described(self) -> str:
        """Lines for a diff."""
        return f"{self.text}\n" + (f"message: {self.message}\n" if self.on else "")


NO_MAINTENANCE = Maintenance()


def maintenance_file(maintenance: Maintenance) -> str:
    """The text of `maintenance.conf`, included in `http`."""
    on = maintenance.on
    message = maintenance.message or MESSAGE
    return nginx.render(
        [
            *(_met(maintenance.allow) if on else (_constant(MAINTENANCE, ""),)),
            _constant(Expr("$balancer_maintenance_html"), html_text(message) if on else ""),
            _constant(Expr("$balancer_maintenance_json"), json_text(message) if on else ""),
            block(
                "map",
                Expr("$balancer_maintenance:$status"),
                WAIT,
                children=[
                    simple("default", Expr("$balancer_retry_after")),
                    *([simple("1:503", maintenance.retry_after)] if on else []),
                ],
            ),
        ]
    )


def checked_requests() -> tuple[Directive, ...]:
    """Directives of the application's server: who meets maintenance leaves before any location."""
    page = Expr("@maintenance_$balancer_error_format")
    return (
        block(
            "if",
            Expr(f"({MAINTENANCE})"),
            children=[simple("return", _DETOUR)],
            comment="Maintenance: who is told so stands in maintenance.conf.",
        ),
        simple("error_page", _DETOUR, "=503", page),
    )


def pages() -> tuple[Directive, ...]:
    """The locations of the application's server that answer in maintenance."""
    html = (
        '<!doctype html><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        "<title>503</title><h1>$balancer_maintenance_html</h1><p>Request $request_id</p>"
    )
    json = '{"error":"$balancer_maintenance_json","request_id":"$request_id"}'
    return (
        _page("html", "text/html", html),
        _page("json", "application/json", json),
    )


def html_text(message: str) -> Expr:
    """The message as text of HTML: no mark-up, no quote, no `$`, `{` or `}` is left in it."""
    return Expr("".join(f"&#{ord(one)};" if _escaped(one) else one for one in message))


def json_text(message: str) -> str:
    """The message as the inside of a JSON string, without a character that means something to
    nginx but the backslash.
    """
    return "".join(_json(one) if _escaped(one) else one for one in message)


def _json(character: str) -> str:
    units = character.encode("utf-16-be")
    pairs = zip(units[::2], units[1::2])
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs)


def _escaped(character: str) -> bool:
    return character in _SPECIAL or not character.isprintable()


def _message(value: object) -> str:
    allowed = f"one line of 1 to {LONGEST_MESSAGE} characters"
    if not isinstance(value, str) or not 0 < len(value.strip()) <= len(value) <= LONGEST_MESSAGE:
        raise not_allowed("maintenance_message", value, allowed)
    if any(unicodedata.category(one) in _REFUSED for one in value):
        raise not_allowed("maintenance_message", value, allowed)
    return str(value)


def _met(allow: tuple[str, ...]) -> tuple[Directive, ...]:
    """`$balancer_maintenance` is 1 for requests that are not served, else empty.

    This machine itself is served: it connects from loopback, and no proxy on loopback names another
    client. So is the path at which an ACME server sees that a name is ours.
    """
    allowed = Expr("$balancer_maintenance_allowed")
    peer, client = Expr("$balancer_maintenance_peer"), Expr("$balancer_maintenance_client")
    entries = [
        simple("default", 1),
        simple("~^allowed:", ""),
        simple("~^:own:own:", ""),
        simple(f"~^[a-z:]*:{re.escape(ACME_PATH)}", ""),
    ]
    return (
        geo(Expr("$remote_addr"), allowed, networks=allow, value="allowed"),
        geo(Expr("$realip_remote_addr"), peer, networks=_LOOPBACK, value="own"),
        geo(Expr("$remote_addr"), client, networks=_LOOPBACK, value="own"),
        block("map", Expr(f"{allowed}:{peer}:{client}:$uri"), MAINTENANCE, children=entries),
    )


def _constant(name: Expr, value: str) -> Directive:
    return block("map", Expr("$pid"), name, children=[simple("default", value)])


def _page(kind: str, content_type: str, page: str) -> Directive:
    children = [simple("default_type", content_type), simple("return", 200, Expr(page))]
    return block("location", f"@maintenance_{kind}", children=children)
