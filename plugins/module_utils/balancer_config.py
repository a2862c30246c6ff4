# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balancer's configuration files.

`nginx.conf` is what a deploy decides. It includes, from the folder where it lies itself,
`upstream.conf` (the members), `generation.conf` (the number by which a publish is confirmed),
`certificate.conf` and `maintenance.conf`, which change without a deploy.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.digiz.load_balancing.plugins.module_utils import nginx
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_http import (
    http_sections,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_servers import (
    http_servers,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config_spec import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Directive,
    Expr,
    block,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_upstream import servers
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_values import whole

__all__ = ["BalancerSpec", "generation_file", "render", "upstream_file"]

NGINX_CONF = "nginx.conf"
UPSTREAM_CONF = "upstream.conf"
GENERATION_CONF = "generation.conf"

# A proxied request takes two connections: 4,000 at a time in each worker. Twice as many files are
# within the hard limit of every usual container; a worker can't go beyond that.
WORKER_CONNECTIONS = 8_192
OPEN_FILES = 16_384
LAST_GENERATION = 2**53

_WARNING = "Written by digiz.load_balancing: the next deploy replaces changes made here."


def render(spec: BalancerSpec) -> dict[str, str]:
    """The static part: `{"nginx.conf": text}`."""
    return {NGINX_CONF: _file(_main(spec), f"The balancer of the stack {spec.stack_name}.")}


def upstream_file(members: object) -> str:
    """The text of `upstream.conf`; `members` as in `nginx_upstream.upstream`.

    Raises LoadBalancingError if a member isn't valid. No members at all are: nginx answers 502.
    """
    return _file(servers(members), "The members: replicas that get requests.")


def generation_file(generation: int) -> str:
    """The text of `generation.conf`, by which nginx itself says which configuration it serves."""
    number = whole(generation, "generation", 0, LAST_GENERATION)
    # A map is the way to a constant at this level; its source is of no interest.
    constant = block(
        "map",
        Expr("$pid"),
        Expr("$balancer_generation"),
        children=[Directive("default", (str(number),))],
    )
    return _file([constant], "The generation of this configuration.")


def _file(directives: Iterable[Directive], title: str) -> str:
    return f"# {title}\n# {_WARNING}\n\n{nginx.render(directives)}"


def _main(spec: BalancerSpec) -> tuple[Directive, ...]:
    return (
        simple("user", "nobody", "nogroup"),
        simple("pid", "/run/nginx.pid"),
        simple("error_log", "stderr", "warn"),
        simple("worker_processes", "auto"),
        simple("worker_rlimit_nofile", OPEN_FILES),
        simple(
            "worker_shutdown_timeout",
            f"{spec.drain_timeout}s",
            comment="After a reload, old workers finish what is in flight, at most this long.",
        ),
        block("events", children=[simple("worker_connections", WORKER_CONNECTIONS)]),
        block("http", children=[*http_sections(spec), *http_servers(spec)]),
    )
