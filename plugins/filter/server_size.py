# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter C(server_size): how large a server carries a load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

DOCUMENTATION = r"""
name: server_size
short_description: How large a server carries a load
version_added: 0.1.0
description:
  - Reckons the replicas as P(digiz.load_balancing.replica_count#filter) does, and gives the line of
    the starting points that has room for them, raised where they need more.
  - Memory has to suffice for the surge of a rollout and for 2 GB besides.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  _input:
    description:
      - A mapping with any of the inputs, which are the options of
        P(digiz.load_balancing.capacity_info#module) except C(providers). There are defaults for the
        rest.
    type: dict
    required: true
seealso:
  - module: digiz.load_balancing.capacity_info
  - plugin: digiz.load_balancing.replica_count
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Tell what a server has to have
  ansible.builtin.debug:
    msg: "{{ size.vcpus.min }} vCPUs and {{ size.memory_gb.min }} GB at least"
  vars:
    traffic: {requests_per_minute: 300, mean_seconds: 2}
    size: "{{ traffic | digiz.load_balancing.server_size }}"
"""

RETURN = r"""
_value:
  description:
    - C(replicas_min) is what P(digiz.load_balancing.replica_count#filter) gives, C(replicas_max)
      how many such a server is for.
    - C(vcpus), C(memory_gb) and C(monthly_cost) in US dollars are each a mapping with C(min) and
      C(max).
    - An end that is open is null.
  type: dict
  sample:
    replicas_min: 3
    replicas_max: 5
    vcpus: {min: 4, max: 6}
    memory_gb: {min: 8, max: 8}
    monthly_cost: {min: 50, max: 100}
"""


def server_size(demand: Mapping[str, Any]) -> dict[str, Any]:
    """The size of a server; raises AnsibleFilterError."""
    try:
        return advise(demand).size.as_dict()
    except LoadBalancingError as error:
        raise AnsibleFilterError(f"server_size: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"server_size": server_size}
