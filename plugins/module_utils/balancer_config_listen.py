# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses and ports that the balancer's servers listen on."""

from __future__ import annotations

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_spec import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_clients import LOOPBACK
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import Directive, simple

STATUS_SOCKET = "/run/status.sock"
"""Where a balancer tells its own status, in the file system of its container."""

# Connections that wait to be accepted. `reuseport`: a second balancer can take the port over
# before the first one lets it go.
_SOCKET = ("reuseport", "backlog=4096")


def listen(spec: BalancerSpec, default: bool) -> list[Directive]:
    """The `listen` lines of a server; a port's options may stand once only, with its default
    server.
    """
    directives = []
    for address in _addresses(spec):
        directives += _ports(spec, address, default)
    return directives


def listen_status(spec: BalancerSpec) -> list[Directive]:
    """The `listen` lines of the status server: loopback, which several balancers may share, and a
    socket of each balancer's own.
    """
    return [
        simple("listen", f"127.0.0.1:{spec.status_port}", "reuseport"),
        simple("listen", f"unix:{STATUS_SOCKET}"),
    ]


def _addresses(spec: BalancerSpec) -> list[str]:
    """All addresses; with the PROXY protocol, loopback apart from them, where nobody speaks it."""
    every = ["0.0.0.0", "[::]"] if spec.ipv6 else ["0.0.0.0"]
    own = list(LOOPBACK[: len(every)]) if spec.proxy_protocol else []
    return [*every, *own]


def _ports(spec: BalancerSpec, address: str, default: bool) -> list[Directive]:
    options = ["default_server"] if default else []
    if default and ":" in address:
        options.append("ipv6only=on")
    socket = [*options, *_SOCKET] if default else options
    if spec.proxy_protocol and address not in LOOPBACK:
        socket = ["proxy_protocol", *socket]
    found = [simple("listen", f"{address}:{spec.http_port}", *socket)]
    if spec.tls:
        found.append(simple("listen", f"{address}:{spec.https_port}", "ssl", *socket))
    if spec.tls and spec.tls.http3:
        quic = [*options, "reuseport"] if default else options
        found.append(simple("listen", f"{address}:{spec.https_port}", "quic", *quic))
    return found
