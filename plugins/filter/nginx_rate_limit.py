# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits to nginx's zones and limits."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_rate_limit
short_description: Render nginx rate and connection limits
version_added: 0.1.0
author:
  - digiz.load_balancing contributors (@digiz-tech)
description:
  - Gives text for the C(http) level of an nginx configuration that limits requests for each
    client address. It is complete; nothing has to be added to a server or location.
  - A request falls under the limit with the longest path that its own path begins with,
    and under no other.
  - A request too many is answered with status 429 and a C(Retry-After) header.
options:
  _input:
    description:
      - The limits, each a mapping with C(rate) (V(10r/s), V(90r/m), or a number of requests a
        second), and optionally C(path) (default V(/)), C(burst) (default V(20)), C(delay)
        (V(nodelay), the default, or how many excess requests are answered without delay),
        C(name) and C(zone_size).
    type: list
    elements: dict
    required: true
  connection_limit:
    description: How many requests of one address may be in progress at a time; V(0) for any number.
    type: int
    default: 20
  exempt:
    description: Addresses and networks without limits.
    type: list
    elements: str
    default: []
  exempt_paths:
    description: Exact paths without limits, such as that of the health check.
    type: list
    elements: str
    default: []
  dry_run:
    description: Only log what the limits would refuse.
    type: bool
    default: false
seealso:
  - plugin: digiz.load_balancing.nginx_upstream
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the limits for a site with an API
  ansible.builtin.debug:
    msg: "{{ limits | digiz.load_balancing.nginx_rate_limit(exempt_paths=['/health']) }}"
  vars:
    limits:
      - {path: /, rate: 10r/s, burst: 20}
      - {path: /api/, rate: 30r/s, burst: 50}
"""

RETURN = r"""
_value:
  description: Maps, zones, limits and the C(Retry-After) header, for the C(http) level.
  type: str
  sample: |
    limit_req_zone $balancer_limit_general zone=general:10m rate=10r/s;
    limit_req zone=general burst=20 nodelay;
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import render
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import rate_limit


def nginx_rate_limit(limits: object, **options: object) -> str:
    """The text of all limits; raises AnsibleFilterError."""
    try:
        return render(rate_limit(limits, **options))
    except (LoadBalancingError, TypeError) as error:
        raise AnsibleFilterError(f"nginx_rate_limit: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"nginx_rate_limit": nginx_rate_limit}
