# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps slow, oversized and malformed requests from hurting others, and security headers.

docs/security.md says of each header why it is there, and which ones are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    not_allowed,
    size,
    truth,
    whole,
)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
"""Headers of the answer that can't break an application which sends its types right. What can
(X-Frame-Options and an embedded chat, Permissions-Policy and a microphone, a
Content-Security-Policy) is left to the application.
"""

_HIDDEN = "X-Powered-By"
_HOUR = 3_600
# nginx keeps four buffers of this size for each connection whose header needs them.
_SMALLEST_HEADER, _LARGEST_HEADER = 4 * 1024, 256 * 1024
_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}
# Between two writes of an answer. Longer than for a request: the client of a stream may sleep.
_SEND_TIMEOUT = 60


@dataclass(frozen=True)
class Hardening:
    """`client_timeout` in seconds: for a request's header, and between two pieces of its body;
    `header_size` of the largest header line.
    """

    client_timeout: int = 30
    header_size: str = "16k"
    security_headers: bool = True

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Hardening:
        """From the mapping of BalancerSpec: `client_timeout`, `header_size`, `security_headers`.

        Raises LoadBalancingError that names the variable.
        """
        return cls(
            whole(given.get("client_timeout", 30), "balancer_client_timeout", 1, _HOUR),
            _header_size(given.get("header_size", "16k")),
            truth(given.get("security_headers", True), "balancer_security_headers"),
        )

    def http(self) -> tuple[Directive, ...]:
        """Directives of the `http` level."""
        return (
            simple(
                "client_header_timeout",
                f"{self.client_timeout}s",
                comment="Slow, oversized and malformed requests. A connection that is given up is\n"
                "reset, which frees its memory at once.",
            ),
            simple("client_body_timeout", f"{self.client_timeout}s"),
            simple("send_timeout", f"{max(self.client_timeout, _SEND_TIMEOUT)}s"),
            simple("reset_timedout_connection", "on"),
            simple("large_client_header_buffers", 4, self.header_size),
            simple("ignore_invalid_headers", "on"),
            simple("underscores_in_headers", "off"),
            simple("merge_slashes", "on"),
            *_hostless(),
            *(self._headers() if self.security_headers else ()),
        )

    def server(self) -> tuple[Directive, ...]:
        """Directives of the application's server: who is refused, headers of its answers."""
        if not self.security_headers:
            return refused_requests()
        headers = [simple("add_header", name, Expr(_variable(name)), "always") for name in HEADERS]
        return (*refused_requests(), *headers, simple("proxy_hide_header", _HIDDEN))

    def _headers(self) -> list[Directive]:
        """Each is empty, and so not added, where the application has sent its own."""
        return [
            block(
                "map",
                Expr(f"$upstream_http_{_snake(name)}"),
                Expr(_variable(name)),
                children=[simple("default", ""), simple("", value)],
            )
            for name, value in HEADERS.items()
        ]


def refused_requests() -> tuple[Directive, ...]:
    """Directives of a server: a request that names no host is refused. HTTP/1.1 and later refuse
    it by themselves.
    """
    return (block("if", Expr("($balancer_hostless)"), children=[simple("return", 400)]),)


def _hostless() -> tuple[Directive, ...]:
    entries = [simple("default", ""), simple("HTTP/1.0:", 1), simple("~^HTTP/0", 1)]
    source = Expr("$server_protocol:$http_host")
    return (block("map", source, Expr("$balancer_hostless"), children=entries),)


def _header_size(value: object) -> str:
    text = size(value, "balancer_header_size")
    digits, unit = (text[:-1], text[-1]) if text[-1] in _UNITS else (text, "")
    if not _SMALLEST_HEADER <= int(digits) * _UNITS.get(unit, 1) <= _LARGEST_HEADER:
        raise not_allowed("balancer_header_size", value, "a size from 4k to 256k")
    return text


def _snake(name: str) -> str:
    return name.lower().replace("-", "_")


def _variable(name: str) -> str:
    return f"$balancer_{_snake(name)}"
