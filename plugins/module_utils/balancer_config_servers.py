# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balancer's servers: the application, names that aren't served, and the status on loopback."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_http import (
    ERROR_TEXTS,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_listen import (
    listen,
    listen_status,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_paths import (
    RETRIED,
    detours,
    locations,
    named_locations,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_spec import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_hardening import (
    refused_requests,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    WAIT,
    checked_requests,
    pages,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)

# Requests of this machine itself are always served: verification and monitoring come by loopback.
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")

_HTML_PAGE = Expr(
    "<!doctype html><title>$status</title><h1>$balancer_error</h1><p>Request $request_id</p>"
)
_JSON_PAGE = Expr('{"error":"$balancer_error","request_id":"$request_id"}')


def http_servers(spec: BalancerSpec) -> tuple[Directive, ...]:
    """All `server` blocks."""
    if spec.any_name:
        return (_application(spec), _status(spec))
    return (_application(spec), _unknown_names(spec), _status(spec))


def _application(spec: BalancerSpec) -> Directive:
    names = spec.server_names if not spec.any_name else ("_",)
    own = () if spec.any_name else tuple(name for name in _OWN_NAMES if name not in names)
    return block(
        "server",
        comment="The application.",
        children=[
            *listen(spec, default=spec.any_name),
            simple("server_name", *names, *own),
            *spec.tls.server(),
            *_enforced_limits(spec),
            *_response_headers(),
            *spec.hardening.server(),
            *checked_requests(),
            *_request_headers(spec),
            *_transport(spec),
            *_retries(),
            *_error_pages(spec),
            *_locations(spec),
        ],
    )


def _enforced_limits(spec: BalancerSpec) -> tuple[Directive, ...]:
    enforced = spec.limits.enforcement()
    if not enforced:
        return ()
    first = replace(enforced[0], comment="Limits; the request's key decides which of them holds.")
    return (first, *enforced[1:])


def _response_headers() -> tuple[Directive, ...]:
    return (
        simple(
            "add_header",
            "Retry-After",
            WAIT,
            "always",
            comment="Headers of the answer.",
        ),
        simple("add_header", "X-Request-ID", Expr("$request_id"), "always"),
        simple("proxy_hide_header", "X-Request-ID"),
    )


def _request_headers(spec: BalancerSpec) -> tuple[Directive, ...]:
    """Whatever a client claims about itself in these headers is replaced by what is known."""
    host = Expr("$host$is_request_port$request_port")
    scheme = Expr("$balancer_forwarded_proto" if spec.trusted_proxies else "$scheme")
    headers = (
        ("Host", host),
        ("Connection", Expr("$balancer_connection")),
        ("Upgrade", Expr("$balancer_upgrade")),
        ("X-Request-ID", Expr("$request_id")),
        ("X-Real-IP", Expr("$remote_addr")),
        ("X-Forwarded-For", Expr("$remote_addr")),
        ("X-Forwarded-Proto", scheme),
        ("X-Forwarded-Host", host),
        ("Forwarded", ""),
    )
    first = simple(
        "proxy_http_version",
        "1.1",
        comment="Requests to a replica: what a client claims to be is replaced.",
    )
    return (first, *(simple("proxy_set_header", name, value) for name, value in headers))


def _transport(spec: BalancerSpec) -> tuple[Directive, ...]:
    return (
        simple(
            "proxy_read_timeout",
            f"{spec.read_timeout}s",
            comment="Answers of a replica: room for large headers, never a file: /tmp is memory.",
        ),
        simple("proxy_buffer_size", "16k"),
        simple("proxy_buffers", 16, "16k"),
        simple("proxy_max_temp_file_size", 0),
    )


def _retries() -> tuple[Directive, ...]:
    return (
        simple(
            "proxy_next_upstream",
            *RETRIED,
            comment="Another replica is tried when one fails, but never with a request that was\n"
            "sent and may have had an effect (POST, PATCH), unless it has an Idempotency-Key.",
        ),
        simple("proxy_connect_timeout", "1s"),
        simple("proxy_next_upstream_tries", 3),
        simple("proxy_next_upstream_timeout", "30s"),
    )


def _error_pages(spec: BalancerSpec) -> tuple[Directive, ...]:
    page = Expr("@error_$balancer_error_format")
    return (
        simple(
            "error_page",
            *ERROR_TEXTS,
            page,
            comment="Errors of the balancer itself. The application's own pass as they are.",
        ),
        simple("proxy_intercept_errors", "off"),
        *detours(spec),
        simple("recursive_error_pages", "on"),
    )


def _locations(spec: BalancerSpec) -> tuple[Directive, ...]:
    return (
        *locations(spec),
        *spec.tls.locations(),
        *named_locations(spec),
        _error_location(
            "json",
            "application/json",
            _JSON_PAGE,
            comment="The status of these answers stays that of the error.",
        ),
        _error_location("html", "text/html", _HTML_PAGE),
        *pages(),
    )


def _error_location(kind: str, content_type: str, page: Expr, comment: str = "") -> Directive:
    return block(
        "location",
        f"@error_{kind}",
        comment=comment,
        children=[simple("default_type", content_type), simple("return", 200, page)],
    )


def _unknown_names(spec: BalancerSpec) -> Directive:
    return block(
        "server",
        comment="Requests for any other host name.",
        children=[
            *listen(spec, default=True),
            simple("server_name", "_"),
            *refused_requests(),
            *spec.tls.unknown_names(),
        ],
    )


def _status(spec: BalancerSpec) -> Directive:
    status = (
        f'{{"stack":"{spec.stack_name}","generation":$balancer_generation,"worker":$pid,'
        '"connections":{"active":$connections_active,"reading":$connections_reading,'
        '"writing":$connections_writing,"waiting":$connections_waiting}}'
    )
    return block(
        "server",
        comment="The balancer's own state, for this machine only.",
        children=[
            *listen_status(spec),
            simple("access_log", "off"),
            block(
                "location",
                "=",
                "/status",
                children=[
                    simple("default_type", "application/json"),
                    simple("return", 200, Expr(status)),
                ],
            ),
            block(
                "location",
                "=",
                "/stub_status",
                children=[
                    simple("allow", "127.0.0.1"),
                    simple("deny", "all"),
                    simple("stub_status"),
                ],
            ),
            block("location", "/", children=[simple("return", 404)]),
        ],
    )
