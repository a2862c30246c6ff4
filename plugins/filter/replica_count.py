# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter C(replica_count): how many replicas carry a load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

DOCUMENTATION = r"""
name: replica_count
short_description: How many replicas carry a load
version_added: 0.1.0
description:
  - Reckons the requests that are in progress at once from their rate and their mean time
    (Little's law), and how many replicas take them at the target utilisation, with one to spare.
  - With a target for the mean wait it also takes as many as keep it (Erlang C).
  - Gives not fewer than 2 in production, nor than the starting points for so many requests
    a minute, which are 2 below 100, 3 below 500, 5 up to 1000 and 8 above.
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
  - plugin: digiz.load_balancing.server_size
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Tell how many replicas the traffic needs
  ansible.builtin.debug:
    msg: "{{ traffic | digiz.load_balancing.replica_count }}"
  vars:
    traffic: {requests_per_minute: 300, mean_seconds: 2}
"""

RETURN = r"""
_value:
  description: The number of replicas.
  type: int
  sample: 3
"""


def replica_count(demand: Mapping[str, Any]) -> int:
    """The number of replicas; raises AnsibleFilterError."""
    try:
        return advise(demand).replicas
    except LoadBalancingError as error:
        raise AnsibleFilterError(f"replica_count: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"replica_count": replica_count}
