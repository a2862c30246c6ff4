#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: capacity_info
short_description: How many replicas and how large a server carry a load
version_added: 0.1.0
description:
  - Reckons the requests that are in progress at once from their rate and their mean time
    (Little's law), and how many replicas take them at the target utilisation, with one to spare
    for a failure.
  - With a target for the mean wait it also takes as many as keep it (Erlang C).
  - Gives not fewer than 2 in production, nor than the starting points for so many requests
    a minute, which are 2 below 100, 3 below 500, 5 up to 1000 and 8 above.
  - Adds the size of a server, what it costs, and the cheapest one of each provider of a price list.
  - Only reckons. It looks at no stack and no host.
author:
  - digiz.load_balancing contributors (@digiz-tech)
attributes:
  check_mode:
    description: Runs the same in check mode.
    support: full
  diff_mode:
    description: Nothing changes, so there is no difference to show.
    support: N/A
  idempotent:
    description: Nothing changes, however often it runs.
    support: full
options:
  requests_per_minute:
    description:
      - Requests a minute in the busiest minutes, 0 to 600000. Those that open a stream are not
        meant.
      - V(60) by default. Not together with O(requests_per_second).
    type: float
  requests_per_second:
    description: The same a second, 0 to 10000.
    type: float
  mean_seconds:
    description: Seconds that a replica works on a request on average, 0.001 to 3600.
    type: float
    default: 1.0
  p95_seconds:
    description:
      - Seconds that 95 of 100 requests do not exceed, not less than O(mean_seconds). It says how
        much the times vary, which counts with O(waiting_seconds).
      - Without it the times are taken as exponential.
    type: float
  concurrent_streams:
    description: Streams (server-sent events, WebSockets) that are open at once, 0 to 1000000.
    type: int
    default: 0
  stream_seconds:
    description: Seconds that a stream stays open on average, 0.1 to 86400.
    type: float
    default: 30.0
  safe_concurrency:
    description: Requests and streams that one replica takes at once without harm, 1 to 100000.
    type: int
    default: 100
  target_utilisation:
    description: Share of the safe concurrency that is planned to be in use, 0.1 to 0.95.
    type: float
    default: 0.7
  waiting_seconds:
    description:
      - Seconds that a request may wait for a free place on average, 0.001 to 3600.
      - Without it waiting is not looked at.
    type: float
  replica_memory:
    description: Memory that one replica needs.
    type: str
    default: 512m
  replica_cpus:
    description: vCPUs that one replica needs, 0.01 to 512.
    type: float
    default: 1.0
  rollout_surge:
    description: Replicas that a rollout starts before it stops others, 1 to 100.
    type: int
    default: 1
  mode:
    description: With V(development) there is always one replica.
    type: str
    choices: [production, development]
    default: production
  providers:
    description:
      - Providers in addition to those of the price list. One with the same name takes the place of
        one of these.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The provider's name.
        type: str
        required: true
      plans:
        description: The servers that it rents out.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: The server's name.
            type: str
            required: true
          vcpus:
            description: Its vCPUs.
            type: float
            required: true
          memory_gb:
            description: Its memory in gigabytes.
            type: float
            required: true
          monthly_cost:
            description: What it costs a month.
            type: float
            required: true
      currency:
        description: The three letters of the currency.
        type: str
        default: USD
      source:
        description: Where the prices stand.
        type: str
        default: ""
      date:
        description: Of when they are.
        type: str
        default: ""
seealso:
  - plugin: digiz.load_balancing.replica_count
    plugin_type: filter
  - plugin: digiz.load_balancing.server_size
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Reckon for 300 requests a minute of 2 s each and 40 open streams
  digiz.load_balancing.capacity_info:
    requests_per_minute: 300
    mean_seconds: 2
    concurrent_streams: 40
  delegate_to: localhost
  register: capacity

- name: Show how
  ansible.builtin.debug:
    msg: "{{ capacity.report }}"
"""

RETURN = r"""
replicas:
  description: The number of replicas.
  returned: success
  type: int
  sample: 3
size:
  description: The server, as P(digiz.load_balancing.server_size#filter) gives it.
  returned: success
  type: dict
  sample:
    replicas_min: 3
    replicas_max: 5
    vcpus: {min: 4, max: 6}
    memory_gb: {min: 8, max: 8}
    monthly_cost: {min: 50, max: 100}
report:
  description: The advice and how it was reckoned, as lines of text.
  returned: success
  type: list
  elements: str
traffic_class:
  description: The line of the starting points for so many requests a minute.
  returned: success
  type: str
  sample: 100-500
offered_concurrency:
  description: Requests and streams in progress at once, on average.
  returned: success
  type: float
  sample: 10.0
replicas_needed:
  description: Replicas that the load and the target for waiting ask for, without one to spare.
  returned: success
  type: int
  sample: 1
utilisation:
  description: Share of the replicas' safe concurrency that is in use, 0 to 1.
  returned: success
  type: float
  sample: 0.0333
utilisation_without_one:
  description: The same with one replica lost. Null where there is only one.
  returned: success
  type: float
  sample: 0.05
waiting_seconds:
  description: Seconds that a request waits for a free place on average. Null without end.
  returned: success
  type: float
  sample: 0.0
offers:
  description: The cheapest server of each provider that has the size's least vCPUs and memory.
  returned: success
  type: list
  elements: dict
  contains:
    provider:
      description: The provider's name.
      type: str
    currency:
      description: The currency of the price.
      type: str
    source:
      description: Where the prices stand.
      type: str
    date:
      description: Of when they are.
      type: str
    plan:
      description:
        - C(name), C(vcpus), C(memory_gb) and C(monthly_cost). Null if none is large enough.
      type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity import advise
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_report import report
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

PLAN_SPEC = {
    "name": {"type": "str", "required": True},
    "vcpus": {"type": "float", "required": True},
    "memory_gb": {"type": "float", "required": True},
    "monthly_cost": {"type": "float", "required": True},
}
PROVIDER_SPEC = {
    "name": {"type": "str", "required": True},
    "plans": {"type": "list", "elements": "dict", "required": True, "options": PLAN_SPEC},
    "currency": {"type": "str", "default": "USD"},
    "source": {"type": "str", "default": ""},
    "date": {"type": "str", "default": ""},
}


def main() -> None:
    """Read the options, reckon, tell."""
    module = AnsibleModule(
        argument_spec={
            "requests_per_minute": {"type": "float"},
            "requests_per_second": {"type": "float"},
            "mean_seconds": {"type": "float", "default": 1.0},
            "p95_seconds": {"type": "float"},
            "concurrent_streams": {"type": "int", "default": 0},
            "stream_seconds": {"type": "float", "default": 30.0},
            "safe_concurrency": {"type": "int", "default": 100},
            "target_utilisation": {"type": "float", "default": 0.7},
            "waiting_seconds": {"type": "float"},
            "replica_memory": {"type": "str", "default": "512m"},
            "replica_cpus": {"type": "float", "default": 1.0},
            "rollout_surge": {"type": "int", "default": 1},
            "mode": {
                "type": "str",
                "choices": ["production", "development"],
                "default": "production",
            },
            "providers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": PROVIDER_SPEC,
            },
        },
        supports_check_mode=True,
    )
    given = dict(module.params)
    try:
        capacity = advise(given, providers=given.pop("providers"))
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, report=report(capacity), **capacity.as_dict())


if __name__ == "__main__":
    main()
