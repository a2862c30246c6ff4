# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balancer's `http` block, apart from its servers: sections, each begun by a comment."""

from __future__ import annotations

import re
from dataclasses import replace

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_spec import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_clients import (
    client_sections,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_keys import LOG_FIELDS
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_upstream import (
    upstream_block,
)

UPSTREAM = "app"

ERROR_TEXTS = {
    413: "The request is too large",
    429: "Too many requests, please try again in a moment",
    502: "No replica could answer, please try again in a moment",
    503: "The service is busy, please try again in a moment",
    504: "The answer took too long",
}

# Words that are JSON strings, and those that are JSON numbers, of one line in the access log.
_LOG_TEXTS = {
    "ts": "$time_iso8601",
    "request_id": "$request_id",
    "client": "$remote_addr",
    "method": "$request_method",
    "protocol": "$server_protocol",
    "host": "$host",
    "uri": "$uri",
    "upstream_addr": "$upstream_addr",
    "upstream_status": "$upstream_status",
    "upstream_connect_time": "$upstream_connect_time",
    "upstream_header_time": "$upstream_header_time",
    "upstream_response_time": "$upstream_response_time",
    "version": "$upstream_http_x_app_version",
    "user_agent": "$http_user_agent",
    "limit_req": "$limit_req_status",
    "limit_conn": "$limit_conn_status",
}
_LOG_NUMBERS = {
    "msec": "$msec",
    "status": "$balancer_status",
    "bytes": "$bytes_sent",
    "request_time": "$request_time",
    "generation": "$balancer_generation",
}


def http_sections(spec: BalancerSpec) -> tuple[Directive, ...]:
    """Everything in `http` that comes before the servers."""
    return (
        *_files(),
        *_access_log(spec),
        *_clients(spec),
        *client_sections(spec.trusted_proxies, spec.proxy_protocol),
        *_requests(),
        *_errors(spec),
        *_limits(spec),
        *spec.tls.http(),
        *spec.hardening.http(),
        *_upstream(spec),
        *_includes(),
    )


def path_pattern(prefix: str) -> str:
    """The key in a map that fits every path that begins with `prefix`."""
    return f"~^{re.escape(prefix)}"


def _titled(title: str, directives: tuple[Directive, ...]) -> tuple[Directive, ...]:
    return (replace(directives[0], comment=title), *directives[1:])


def _files() -> tuple[Directive, ...]:
    """All folders are named, since nginx makes each of them at start and its image is read-only."""
    kinds = ("proxy", "fastcgi", "uwsgi", "scgi")
    return (
        simple("server_tokens", "off"),
        simple(
            "client_body_temp_path",
            "/tmp/client_body",
            comment="Nothing is served from files, so no ending of a path has a type of its own.\n"
            "What must be written goes to /tmp.",
        ),
        *(simple(f"{kind}_temp_path", f"/tmp/{kind}") for kind in kinds),
        block("types", children=()),
    )


def _access_log(spec: BalancerSpec) -> tuple[Directive, ...]:
    texts = {**_LOG_TEXTS, **(LOG_FIELDS if spec.limits.keys else {})}
    pairs = {key: f'"{key}":"{value}"' for key, value in texts.items()}
    pairs.update({key: f'"{key}":{value}' for key, value in _LOG_NUMBERS.items()})
    order = ("ts", "msec", "request_id", "client", "method", "host", "uri", "status", "bytes")
    keys = [*order, *(key for key in pairs if key not in order)]
    words = [Expr(pairs[key] + ",") for key in keys]
    words[0] = Expr("{" + words[0])
    words[-1] = Expr(words[-1][:-1] + "}")
    return (
        block(
            "map",
            Expr("$status"),
            Expr("$balancer_status"),
            children=[simple("default", Expr("$status")), simple("~^0", 0)],
            comment="One JSON line per request. `uri` has no query string: that can hold secrets.\n"
            "A connection that ended before there was a status has 000: no number in JSON.",
        ),
        simple("log_format", "balancer", "escape=json", *words),
        simple("access_log", "/var/log/balancer/access.log", "balancer", "buffer=64k", "flush=1s"),
        *(_readable_log() if spec.readable_log else ()),
    )


def _readable_log() -> tuple[Directive, ...]:
    """For people who develop: the same on the container's output, as a sentence."""
    words = "$time_iso8601 $remote_addr $request_method $uri $status in $request_time s"
    return (
        simple("log_format", "readable", Expr(f"{words} from $upstream_addr")),
        simple("access_log", "/dev/stdout", "readable"),
    )


def _clients(spec: BalancerSpec) -> tuple[Directive, ...]:
    # Without this, nginx refuses to start with a long host name.
    longest = () if spec.any_name else (simple("server_names_hash_bucket_size", 512),)
    return (
        simple(
            "keepalive_timeout",
            f"{spec.keepalive_timeout}s",
            comment="Connections of clients. A reload leaves young idle ones open for the\n"
            "minimum, so that a request already on its way meets no reset.",
        ),
        simple("keepalive_min_timeout", f"{spec.keepalive_min_timeout}s"),
        simple("keepalive_requests", 10_000),
        simple("client_max_body_size", spec.body_size),
        simple("client_body_buffer_size", "128k"),
        *longest,
    )


def _requests() -> tuple[Directive, ...]:
    upgrade = Expr("$http_upgrade")
    stream = Expr("$balancer_stream")
    replayable = Expr("$balancer_replayable")
    return (
        block(
            "map",
            upgrade,
            Expr("$balancer_upgrade"),
            children=[simple("default", ""), simple("websocket", "websocket")],
            comment="A WebSocket is upgraded on every path. Any other request has an empty\n"
            "Connection header, which keeps the connection to the replica alive.",
        ),
        block(
            "map",
            upgrade,
            Expr("$balancer_connection"),
            children=[simple("default", ""), simple("websocket", "upgrade")],
        ),
        block(
            "map",
            Expr("$balancer_upgrade:$http_accept"),
            stream,
            children=[
                simple("default", ""),
                simple("~^websocket:", 1),
                simple("~*text/event-stream", 1),
            ],
            comment="Requests for a stream, on whatever path: WebSockets and server-sent events.",
        ),
        block(
            "map",
            Expr("$http_idempotency_key"),
            replayable,
            children=[simple("default", 1), simple("", "")],
            comment="With this header a client says that a request may be sent again.",
        ),
        block(
            "map",
            Expr(f"{stream}:{replayable}"),
            Expr("$balancer_detour"),
            children=[
                simple("default", ""),
                simple("1:", "stream"),
                simple(":1", "replay"),
                simple("1:1", "replay_stream"),
            ],
            comment="The named location for what is out of the ordinary.",
        ),
    )


def _errors(spec: BalancerSpec) -> tuple[Directive, ...]:
    accepted = Expr("$balancer_accepted_format")
    formats = [simple("default", accepted)]
    formats += [simple(path_pattern(prefix), "json") for prefix in spec.api_paths]
    texts = [simple("default", "The request could not be answered")]
    texts += [simple(str(code), text) for code, text in ERROR_TEXTS.items()]
    return (
        block(
            "map",
            Expr("$uri"),
            Expr("$balancer_error_format"),
            children=formats,
            comment="What the balancer says when it has no answer of the application.",
        ),
        block(
            "map",
            Expr("$status:$http_accept"),
            accepted,
            children=[
                simple("default", "html"),
                simple("~*^429:.*text/html", "html"),
                simple("~^429:", "json"),
                simple("~*^[0-9]*:application/([a-z.+-]+[+])?json", "json"),
            ],
            comment="Who is refused by a limit is a program, unless it asks for a page.",
        ),
        block("map", Expr("$status"), Expr("$balancer_error"), children=texts),
    )


def _limits(spec: BalancerSpec) -> tuple[Directive, ...]:
    limits = _titled(
        "Who has to wait is told for how long, unless the application has said so itself.",
        spec.limits.retry_after(),
    )
    if not spec.limits:
        return limits
    return (
        *_titled(
            "Limits for each client. Where the key is empty there is no limit.",
            spec.limits.definitions(),
        ),
        # Each limit is a variable; nginx's own sizes would not take many, nor long names.
        simple("variables_hash_max_size", 4096),
        simple("variables_hash_bucket_size", 128),
        *limits,
    )


def _upstream(spec: BalancerSpec) -> tuple[Directive, ...]:
    return _titled(
        "The replicas. Who gets requests stands in a file of its own.",
        (
            upstream_block(
                [simple("include", "upstream.conf"), *spec.sticky.upstream()],
                UPSTREAM,
                keepalive=spec.upstream_keepalive,
                keepalive_timeout=spec.upstream_keepalive_timeout,
            ),
        ),
    )


def _includes() -> tuple[Directive, ...]:
    return _titled(
        "What changes without a deploy: maintenance, and the number of this configuration.",
        (simple("include", "maintenance.conf"), simple("include", "generation.conf")),
    )
