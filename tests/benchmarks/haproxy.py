# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HAProxy's configuration: the one with the balancer's duties, and a plain one.

Debian's package logs to /dev/log, which is a unix datagram socket; so do both of these. On request
they write to standard output instead.
"""

from __future__ import annotations

from collections.abc import Sequence

_BASE = """
global
  nbthread 1
  maxconn 8192
  log {log} local0
defaults
  mode http
  log global
  timeout connect 1s
  timeout client 60s
  timeout server 300s
  timeout http-keep-alive 60s
  retries 2
  http-reuse always
frontend balancer
  bind 127.0.0.1:{port}
{frontend}
  default_backend app
backend app
  balance leastconn
{servers}
"""

_PLAIN = """
  option httplog
  option forwardfor
"""

# A stick table in place of the two rates and the connections at a time; the client is exempt.
_SAME_DUTIES = """
  stick-table type ipv6 size 100k expire 60s store http_req_rate(1s),conn_cur
  acl exempt src 127.0.0.0/8
  http-request track-sc0 src unless exempt
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 30 }}
  http-request deny deny_status 429 if {{ sc_conn_cur(0) gt 20 }}
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request del-header Forwarded
  http-response set-header X-Request-ID %[unique-id]
  capture request header Host len 64
  capture request header User-Agent len 64
  capture response header X-App-Version len 16
  log-format '{{{log}}}'
"""

# As in the balancer's own log, as far as HAProxy knows it.
_LOG_TEXTS = {
    "ts": "%T",
    "request_id": "%ID",
    "client": "%ci",
    "method": "%HM",
    "host": "%[capture.req.hdr(0),json(utf8s)]",
    "uri": "%HP",
    "upstream_addr": "%si:%sp",
    "version": "%[capture.res.hdr(0),json(utf8s)]",
    "user_agent": "%[capture.req.hdr(1),json(utf8s)]",
    "termination": "%ts",
}
_LOG_NUMBERS = {
    "msec": "%Ts.%ms",
    "status": "%ST",
    "bytes": "%B",
    "upstream_connect_time": "%Tc",
    "upstream_header_time": "%Tr",
    "upstream_response_time": "%Ta",
    "request_time": "%Tt",
}


def configuration(
    port: int, members: Sequence[dict[str, object]], plain: bool, socket: str = ""
) -> str:
    """The file, for members as the balancer takes them; without a socket, logs go to stdout."""
    target = f"{socket} len 4096" if socket else "stdout format raw"
    pairs = [f'"{key}":"{value}"' for key, value in _LOG_TEXTS.items()]
    pairs += [f'"{key}":{value}' for key, value in _LOG_NUMBERS.items()]
    lines = [f"  server {one['name']} {one['address']}:{one['port']}" for one in members]
    frontend = _PLAIN if plain else _SAME_DUTIES.format(log=",".join(pairs))
    return _BASE.format(
        log=target, port=port, frontend=frontend.strip("\n"), servers="\n".join(lines)
    )
