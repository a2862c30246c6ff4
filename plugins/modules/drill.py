#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: drill
short_description: Break a part of a running stack and see it heal
version_added: 0.1.0
description:
  - Injects one fault into a stack while it answers requests, waits until the keeper has mended it,
    and tells how many requests failed, and for how long there was no good answer.
  - A drill begins only with a stack that is whole, that has a keeper, and that no deploy changes.
    Faults of a replica need two of them, so that another one serves meanwhile. The victim is
    a replica that the keeper has not repaired lately, the one with the lowest number first.
  - Sends GET requests to the balancer on 127.0.0.1 at a steady rate, half of them on new
    connections, half on kept-alive ones. None is sent twice. A client waits 5 s. After 300 s it
    ends by itself.
  - What the keeper has not mended is undone at the end, also when the module is ended by a signal.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would be broken, without breaking it.
    support: full
    details: Looks whether the drill could begin. Without a stack it only says that there is none.
  diff_mode:
    description: Shows what changes.
    support: none
    details: A drill that goes well leaves nothing changed.
  idempotent:
    description: A second run with the same input changes nothing.
    support: none
    details: Each run breaks the stack once, and reports a change.
options:
  fault:
    description:
      - V(crash) kills a replica. The engine does not start it again, since it did the killing.
      - V(stop) stops a replica, as C(docker stop) does.
      - V(hang) freezes the processes of a replica. It accepts connections and answers nothing.
      - V(sick) lets the health path of a replica fail while the rest of it works. No application
        can be brought to that from outside, so the keeper is told to count its probes as failed, by
        the file C(/opt/<stack>/state/drill.json), which also says until when.
      - V(network) disconnects a replica from the network on which the balancer reaches it.
      - V(balancer) kills nginx.
      - V(keeper) kills the keeper. Traffic does not depend on it.
      - V(engine) restarts Docker's engine, for all containers of the host. Needs live-restore.
    type: str
    required: true
    choices: [crash, stop, hang, sick, network, balancer, keeper, engine]
  rate:
    description: Requests a second, 1 to 200.
    type: int
    default: 50
  path:
    description:
      - What the requests ask for; any status from 200 to 399 is good.
      - The stack's health path by default, with the statuses that are healthy there. It has no rate
        limit. Where the path has one, refused requests count as failed.
    type: str
  mode:
    description: The stack's mode. In production a drill meets real users.
    type: str
    choices: [production, development]
    default: production
  confirm:
    description: Needed with O(mode=production), or nothing is broken.
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
"""

EXAMPLES = r"""
- name: See whether a replica that hangs is noticed
  digiz.load_balancing.drill:
    stack: chatbot
    fault: hang
    confirm: true
  register: drilled

- name: Nobody may have noticed
  ansible.builtin.assert:
    that: drilled.requests.failed == 0
"""

RETURN = r"""
msg:
  description: All of it in one sentence, or why there was no drill.
  returned: always
  type: str
report:
  description: The same as lines of text, with more figures.
  returned: when a fault was injected and watched to the end
  type: list
  elements: str
fault:
  description: The fault.
  returned: when a fault was injected and watched to the end
  type: str
victim:
  description: Name of what was broken.
  returned: when a fault was injected and watched to the end
  type: str
mended:
  description: Whether the stack was whole again in time. The module fails if not.
  returned: when a fault was injected and watched to the end
  type: bool
out_seconds:
  description: Seconds from the fault until the balancer sent nothing more to the victim. Null where
    it is no replica, and when that did not happen.
  returned: when a fault was injected and watched to the end
  type: float
whole_seconds:
  description: Seconds from the fault until all wanted replicas were healthy and had traffic again.
    Null when that did not happen in time.
  returned: when a fault was injected and watched to the end
  type: float
fault_at:
  description: Seconds from the first request to the fault.
  returned: when a fault was injected and watched to the end
  type: float
requests:
  description: What clients saw. All times are seconds.
  returned: when a fault was injected and watched to the end
  type: dict
  contains:
    sent:
      description: How many were sent.
      type: int
    failed:
      description: How many failed.
      type: int
    kinds:
      description: How many failed by kind, which is a status, or C(refused), C(reset), C(cut),
        C(timeout), C(error).
      type: dict
    longest_pause:
      description: The longest time without a good answer.
      type: float
    p50:
      description: Half of the good answers took no longer, counted from when the request was due.
      type: float
    p95:
      description: 95 of 100 good answers took no longer.
      type: float
    slowest:
      description: The good answer that took longest.
      type: float
    seconds:
      description: For how long requests were sent.
      type: float
    failures:
      description: Those that failed, the first 100 of them.
      type: list
      elements: dict
      contains:
        at:
          description: When it was due, in seconds since the first request.
          type: float
        kind:
          description: As in C(kinds).
          type: str
        kept_alive:
          description: Whether it was sent on a kept-alive connection.
          type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.drill import Drill, Order, plan
from ansible_collections.digiz.load_balancing.plugins.module_utils.drill_faults import FAULTS
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths


def main() -> None:
    """Read the options, carry the drill out, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "fault": {"type": "str", "required": True, "choices": list(FAULTS)},
            "rate": {"type": "int", "default": 50},
            "path": {"type": "str"},
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
    order = Order(
        fault=given["fault"],
        rate=given["rate"],
        path=given["path"] or "",
        mode=given["mode"],
        confirmed=given["confirm"],
        who=given["who"],
        where=given["where"],
    )
    drill = None
    try:
        if module.check_mode:
            text, possible = plan(paths, order)
            module.exit_json(changed=possible, msg=text)
        drill = Drill(paths, order)
        report = drill.run()
    except LoadBalancingError as error:
        module.fail_json(msg=str(error), changed=drill is not None and drill.injected)
    result = {"msg": report.text, "changed": True, "report": report.lines, **report.as_dict()}
    if not report.mended:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
