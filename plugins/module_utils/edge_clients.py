# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who the client is, and by which scheme it came, where proxies stand in front of the balancer.

Nobody's word counts but that of the trusted proxies: limits, log and application see the address
from which a connection comes, unless that is such a proxy's. It names the client in the header
X-Forwarded-For or, with the PROXY protocol, before the request.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import geo
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import not_allowed

LOOPBACK = ("127.0.0.1", "[::1]")
"""Where the host itself asks, without a PROXY header: these have listeners of their own."""


def check_proxies(trusted: tuple[str, ...], proxy_protocol: bool) -> None:
    """Raise LoadBalancingError if the PROXY protocol is on and nobody's header would count."""
    if proxy_protocol and not trusted:
        raise not_allowed(
            "proxy_protocol", "true", "false while trusted_proxies is empty, since no header counts"
        )


def client_sections(trusted: tuple[str, ...], proxy_protocol: bool) -> tuple[Directive, ...]:
    """Directives of the `http` level; none without trusted proxies.

    They define `$balancer_forwarded_proto`, the scheme by which a client came.
    """
    if not trusted:
        return ()
    origin = (Expr("$realip_remote_addr"), Expr("$balancer_trusted_proxy"))
    source = Expr("$balancer_trusted_proxy:$http_x_forwarded_proto")
    schemes = [
        simple("default", Expr("$scheme")),
        simple("trusted:http", "http"),
        simple("trusted:https", "https"),
    ]
    found = (
        *(simple("set_real_ip_from", cidr) for cidr in trusted),
        simple("real_ip_header", "proxy_protocol" if proxy_protocol else "X-Forwarded-For"),
        simple("real_ip_recursive", "on"),
        geo(*origin, networks=trusted, value="trusted"),
        block("map", source, Expr("$balancer_forwarded_proto"), children=schemes),
    )
    title = "Proxies in front of this balancer whose word on the client counts."
    return (replace(found[0], comment=title), *found[1:])
