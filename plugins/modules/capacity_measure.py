#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: capacity_measure
short_description: Measure how many requests one replica takes at once
version_added: 0.1.0
description:
  - Loads one replica of a running stack, past the balancer, with a growing number of GET requests
    in flight, until their 95th percentile or their failures break a limit, and tells the greatest
    number that held. The replica is the last one of those that have traffic.
  - The number is doubled first, then the place between is halved until it is known to a tenth.
    A step that does not hold is repeated once. It ends when the keeper has taken the replica out of
    the traffic.
  - Clients run on the managed host and share its CPUs with the replica. They wait 5 s for
    an answer.
attributes:
  check_mode:
    description: Says what would be loaded, without a request.
    support: full
    details: Looks whether it could begin. Without a stack it only says that there is none.
  diff_mode:
    description: Shows what changes.
    support: none
    details: Nothing changes beyond two lines in the audit log.
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
    details: It reports no change, though each run loads the replica anew.
options:
  stack:
    description: Name of the stack. Everything of it lies in C(/opt/<stack>).
    type: str
    required: true
  path:
    description:
      - What the requests ask for; any status from 200 to 399 is good.
      - The stack's health path by default, with the statuses that are healthy there. A path that
        does what users ask for tells more.
    type: str
  p95_seconds:
    description: Seconds that 95 of 100 requests may take, 0.001 to 60.
    type: float
    default: 1.0
  error_percent:
    description: Share of the requests that may fail, 0 to 50.
    type: float
    default: 1.0
  most:
    description: Requests that are in flight at most, 1 to 500.
    type: int
    default: 200
  step_seconds:
    description: Seconds of each step, 1 to 60.
    type: float
    default: 5.0
  mode:
    description: The stack's mode. In production the replica serves real users meanwhile.
    type: str
    choices: [production, development]
    default: production
  confirm:
    description: Needed with O(mode=production), or nothing is loaded.
    type: bool
    default: false
  who:
    description: Who runs this, for the audit log.
    type: str
    default: unknown
  where:
    description: The machine that runs this, for the audit log.
    type: str
    default: unknown
author:
  - digiz.load_balancing contributors (@digiz-tech)
seealso:
  - module: digiz.load_balancing.capacity_info
"""

EXAMPLES = r"""
- name: Measure a replica
  digiz.load_balancing.capacity_measure:
    stack: chatbot
    path: /
    confirm: true
  register: measured

- name: Reckon with what was measured
  digiz.load_balancing.capacity_info:
    requests_per_minute: 300
    safe_concurrency: "{{ measured.safe_concurrency }}"
"""

RETURN = r"""
msg:
  description: The result in one sentence, or why there is none.
  returned: always
  type: str
report:
  description: The same as lines of text, one for each step.
  returned: when it was measured
  type: list
  elements: str
safe_concurrency:
  description: The greatest number of requests in flight that held the limits.
  returned: when it was measured
  type: int
limit_found:
  description: Whether a greater number did not hold. If not, O(most) held.
  returned: when it was measured
  type: bool
replica:
  description: Name of the replica.
  returned: when it was measured
  type: str
steps:
  description: What each step saw.
  returned: when it was measured
  type: list
  elements: dict
  contains:
    concurrency:
      description: Requests in flight.
      type: int
    broke:
      description: Why it did not hold, empty if it did.
      type: str
    requests:
      description: How many were sent.
      type: int
    failed:
      description: How many failed.
      type: int
    p95:
      description: Seconds that 95 of 100 good answers did not exceed.
      type: float
    rate:
      description: Good answers a second.
      type: float
    left:
      description: Whether the keeper took the replica out of the traffic.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_load import (
    Order,
    Site,
    plan,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.capacity_measure import (
    Limits,
    report,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths


def main() -> None:
    """Read the options, measure, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "path": {"type": "str"},
            "p95_seconds": {"type": "float", "default": 1.0},
            "error_percent": {"type": "float", "default": 1.0},
            "most": {"type": "int", "default": 200},
            "step_seconds": {"type": "float", "default": 5.0},
            "mode": {
                "type": "str",
                "choices": ["production", "development"],
                "default": "production",
            },
            "confirm": {"type": "bool", "default": False},
            "who": {"type": "str", "default": "unknown"},
            "where": {"type": "str", "default": "unknown"},
        },
        supports_check_mode=True,
    )
    given = module.params
    paths = StackPaths(given["stack"])
    try:
        names = ("p95_seconds", "error_percent", "most", "step_seconds")
        order = Order(
            limits=Limits(**{name: given[name] for name in names}),
            path=given["path"] or "",
            mode=given["mode"],
            confirmed=given["confirm"],
            who=given["who"],
            where=given["where"],
        )
        if module.check_mode:
            text, _possible = plan(paths, order)
            module.exit_json(changed=False, msg=text)
        site = Site(paths, order)
        found = site.measure()
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        msg=found.text,
        report=report(found, order.limits),
        replica=site.member.name,
        **found.as_dict(),
    )


if __name__ == "__main__":
    main()
