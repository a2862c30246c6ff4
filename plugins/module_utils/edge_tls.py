# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS at the balancer: what nginx is told of protocols, certificates and redirects.

Protocols, ciphers and curves are those of Mozilla's guidelines, version 6.0, profile
"intermediate" (https://ssl-config.mozilla.org/guidelines/6.0.json), which serves every client since
about 2015. One thing is left out: OCSP stapling, since Let's Encrypt has ended OCSP in 2025 and
certificates that live for 90 days or less need none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.digiz.load_balancing.plugins.module_utils import nginx
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import (
    not_allowed,
    truth,
    whole,
)

MODES = ("none", "self_signed", "provided", "acme")
ACME_PATH = "/.well-known/acme-challenge/"

PROTOCOLS = ("TLSv1.2", "TLSv1.3")
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
"""For TLS 1.2; those of 1.3 are OpenSSL's own three, which are the guideline's."""

CURVES = ("X25519MLKEM768", "X25519", "prime256v1", "secp384r1")

_FOLDER = "/etc/balancer"
_HTTPS = 443
_LAST_PORT = 65_535
_LONGEST_HSTS = 10 * 366 * 86_400
_ALT_SVC_SECONDS = 86_400
_NAME = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Tls:
    """TLS of one balancer; `hsts` in seconds, 0 for none. `proxied`: there are trusted proxies in
    front, whose word counts on how a client came.
    """

    mode: str = "none"
    redirect: bool = True
    hsts: int = 0
    http3: bool = False
    port: int = _HTTPS
    proxied: bool = False

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> Tls:
        """From the mapping of BalancerSpec: `tls_mode`, `tls_redirect`, `tls_hsts`, `tls_http3`,
        `https_port`, `trusted_proxies`.

        Raises LoadBalancingError that names the variable.
        """
        mode = given.get("tls_mode", "none")
        if mode not in MODES:
            raise not_allowed("tls_mode", mode, f"one of {', '.join(MODES)}")
        return cls(
            mode=str(mode),
            redirect=truth(given.get("tls_redirect", True), "tls_redirect"),
            hsts=whole(given.get("tls_hsts", 0), "tls_hsts", 0, _LONGEST_HSTS),
            http3=truth(given.get("tls_http3", False), "tls_http3"),
            port=whole(given.get("https_port", _HTTPS), "balancer_https_port", 1, _LAST_PORT),
            proxied=bool(given.get("trusted_proxies")),
        )

    def __bool__(self) -> bool:
        return self.mode != "none"

    @property
    def acme(self) -> bool:
        """Whether an ACME server must be able to ask for its challenges."""
        return self.mode == "acme"

    def http(self) -> tuple[Directive, ...]:
        """Directives of the `http` level."""
        if not self:
            return ()
        return (
            simple(
                "ssl_protocols",
                *PROTOCOLS,
                comment="TLS as Mozilla's guidelines 6.0 have it, profile intermediate.",
            ),
            simple("ssl_ciphers", ":".join(CIPHERS)),
            simple("ssl_prefer_server_ciphers", "off"),
            simple("ssl_ecdh_curve", ":".join(CURVES)),
            simple("ssl_session_timeout", "1d"),
            simple("ssl_session_cache", "shared:tls:10m"),
            simple("ssl_session_tickets", "off"),
            simple("http2", "on"),
            *self._redirected(),
            *self._hsts_header(),
            *self._unlimited(),
        )

    def server(self) -> tuple[Directive, ...]:
        """Directives of the application's server."""
        if not self:
            return ()
        directives = [
            simple("include", "certificate.conf", comment="The certificate stands in its own file.")
        ]
        if self.redirect:
            target = f"https://$host{self._shown_port()}$request_uri"
            redirect = simple("return", 308, Expr(target))
            directives.append(block("if", Expr("($balancer_redirect)"), children=[redirect]))
        if self.http3:
            offer = Expr(f'h3=":{self.port}"; ma={_ALT_SVC_SECONDS}')
            directives += [simple("http3", "on"), simple("add_header", "Alt-Svc", offer, "always")]
        if self.hsts:
            name = "Strict-Transport-Security"
            directives.append(simple("add_header", name, Expr("$balancer_hsts"), "always"))
            directives.append(simple("proxy_hide_header", name))
        return tuple(directives)

    def locations(self) -> tuple[Directive, ...]:
        """Locations of the application's server."""
        return (self._challenges(),) if self.acme else ()

    def unknown_names(self) -> tuple[Directive, ...]:
        """Directives of the server for all other names, which answers status 421: an ACME server
        may ask by a name that is served no more, or not yet.
        """
        refused = simple("return", 421)
        if not self:
            return (refused,)
        reject = simple(
            "ssl_reject_handshake", "on", comment="Without a certificate for such a name."
        )
        if not self.acme:
            return (reject, refused)
        return (reject, self._challenges(), block("location", "/", children=[refused]))

    def _shown_port(self) -> str:
        return "" if self.port == _HTTPS else f":{self.port}"

    @property
    def _scheme(self) -> str:
        return "$balancer_forwarded_proto" if self.proxied else "$scheme"

    def _redirected(self) -> tuple[Directive, ...]:
        """Whether a request has to come again by HTTPS."""
        if not self.redirect:
            return ()
        own = block(
            "geo",
            Expr("$realip_remote_addr"),
            Expr("$balancer_own_host"),
            children=[simple("default", ""), simple("127.0.0.0/8", "own"), simple("::1", "own")],
            comment="Requests by HTTP come again by HTTPS, except for those of this machine\n"
            "itself and the challenges of ACME.",
        )
        entries = [
            simple("default", ""),
            simple(f"~^http::{re.escape(ACME_PATH)}", ""),
            simple("~^http::", 1),
        ]
        source = Expr(f"{self._scheme}:$balancer_own_host:$uri")
        return (own, block("map", source, Expr("$balancer_redirect"), children=entries))

    def _hsts_header(self) -> tuple[Directive, ...]:
        """Browsers must not read it on plain HTTP, where anybody can write it."""
        if not self.hsts:
            return ()
        entries = [simple("default", ""), simple("https", f"max-age={self.hsts}")]
        return (block("map", Expr(self._scheme), Expr("$balancer_hsts"), children=entries),)

    def _unlimited(self) -> tuple[Directive, ...]:
        """Zones without keys: a location of its own limits inherits no others."""
        if not self.acme:
            return ()
        key = Expr("$balancer_unlimited")
        return (
            block(
                "map",
                Expr("$pid"),
                key,
                children=[simple("default", "")],
                comment="No limit holds where these do.",
            ),
            simple("limit_req_zone", key, "zone=unlimited:32k", "rate=1r/s"),
            simple("limit_conn_zone", key, "zone=unlimited_connections:32k"),
        )

    def _challenges(self) -> Directive:
        """The files by which an ACME server sees that a name is ours."""
        return block(
            "location",
            "^~",
            ACME_PATH,
            comment="Challenges of ACME: always by HTTP, too, and without limits.",
            children=[
                simple("alias", f"{_FOLDER}/acme/"),
                simple("default_type", "text/plain"),
                simple("limit_req", "zone=unlimited"),
                simple("limit_conn", "unlimited_connections", 1),
            ],
        )


def certificate_file(certificate: str) -> str:
    """The text of `certificate.conf`, included by servers with TLS; empty without one.

    `certificate` is the name of a folder in `nginx/tls/`: hexadecimal digits and nothing else.
    Raises LoadBalancingError.
    """
    if not certificate:
        return ""
    if not _NAME.fullmatch(certificate):
        raise LoadBalancingError(
            f"The certificate {certificate!r} is not allowed: the name of a folder in nginx/tls, "
            "8 to 64 hexadecimal digits. Run the playbook deploy."
        )
    folder = f"{_FOLDER}/tls/{certificate}"
    return nginx.render(
        [
            simple("ssl_certificate", f"{folder}/certificate.pem"),
            simple("ssl_certificate_key", f"{folder}/key.pem"),
        ]
    )
