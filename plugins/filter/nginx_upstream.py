# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members to an nginx upstream."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_upstream
short_description: Render an nginx upstream from its members
version_added: 0.1.0
author:
  - digiz.load_balancing contributors (@digiz-tech)
description:
  - Gives the text of an C(upstream) block for the C(http) level of an nginx configuration.
  - Requests go to the member with the fewest of them (C(least_conn)). Members are never ejected
    because of failed requests (C(max_fails=0)); health is for active probes to decide.
  - The text does not depend on the order of the members. Without members it holds a placeholder
    that is down, so that the configuration stays valid.
positional: name
options:
  _input:
    description:
      - The members, each as C(host:port) or as a mapping with C(address) and C(port), and
        optionally C(name), C(weight), C(max_conns), C(backup), C(drain) and C(slot), which the
        cookie of a sticky session names.
    type: list
    elements: raw
    required: true
  name:
    description: Name of the upstream, as used in C(proxy_pass).
    type: str
    default: app
  keepalive:
    description: How many idle connections to members each worker keeps; V(0) for none.
    type: int
    default: 64
  keepalive_timeout:
    description:
      - After how many seconds an idle connection is closed.
      - It must be less than the application's own.
    type: int
    default: 60
  keepalive_requests:
    description: After how many requests a connection to a member is closed.
    type: int
    default: 100000
  zone_size:
    description: Size of the memory in which the workers share the state of the upstream.
    type: str
    default: 256k
seealso:
  - plugin: digiz.load_balancing.nginx_rate_limit
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show an upstream of two members
  ansible.builtin.debug:
    msg: >-
      {{ [{'address': '172.18.0.3', 'port': 8000, 'name': 'chatbot-app-1'}, '172.18.0.4:8000']
         | digiz.load_balancing.nginx_upstream(name='chatbot') }}
"""

RETURN = r"""
_value:
  description: The C(upstream) block, ending with a newline.
  type: str
  sample: |
    upstream chatbot {
        zone chatbot 256k;
        least_conn;
        server 172.18.0.3:8000 max_fails=0;  # chatbot-app-1
        server 172.18.0.4:8000 max_fails=0;
        keepalive 64;
        keepalive_requests 100000;
        keepalive_timeout 60s;
    }
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import render
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_upstream import upstream


def nginx_upstream(members: object, name: str = "app", **options: object) -> str:
    """The text of the upstream; raises AnsibleFilterError."""
    try:
        return render([upstream(members, name, **options)])
    except (LoadBalancingError, TypeError) as error:
        raise AnsibleFilterError(f"nginx_upstream: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"nginx_upstream": nginx_upstream}
