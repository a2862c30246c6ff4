#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: scale_advice
short_description: Tell how many replicas a stack should have, and why
version_added: 0.1.0
description:
  - With O(replicas=auto) asks the keeper on 127.0.0.1 for the load of the last minutes, and decides
    by O(thresholds) and by the changes that P(digiz.load_balancing.scale_record#module) remembered.
  - Nothing is decided, and the number stays, while the stack is being changed, while a replica is
    not healthy, and as long as the keeper has watched too little. RV(reasons) says so.
  - Replicas are taken away one at a time, and only where the load on those that are left stays well
    below what would bring the replica back.
  - Changes nothing. P(digiz.load_balancing.release#module) and
    P(digiz.load_balancing.rollout_step#module) carry the number out.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Changes nothing; reading is all it does.
    support: full
    details: Reports a change in check mode where the number would become another one.
  diff_mode:
    description: Shows what changes.
    support: full
    details: Shows the number of replicas before and after.
  idempotent:
    description: Changes nothing.
    support: full
options:
  replicas:
    description:
      - A number from 1 to 100, which is taken as it is, or V(auto).
    type: raw
    default: auto
  deploy:
    description:
      - Whether a deploy asks. It leaves the load alone - V(auto) then means the number that there
        is, on the first deploy C(min_replicas) of O(thresholds).
    type: bool
    default: false
  thresholds:
    description:
      - When replicas are added and taken away, by the names of the variables C(scale_min_replicas),
        C(scale_max_replicas), C(scale_up_response_seconds), C(scale_up_cpu_percent),
        C(scale_up_memory_percent), C(scale_up_requests_per_minute), C(scale_up_error_percent),
        C(scale_down_cpu_percent), C(scale_down_requests_per_minute), C(scale_cooldown_up),
        C(scale_cooldown_down), with or without C(scale_). What is left out has its default.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Ask how many replicas the load needs
  digiz.load_balancing.scale_advice:
    stack: chatbot
    thresholds:
      max_replicas: 6
      up_cpu_percent: 60
  register: advice

- name: See the reasons
  ansible.builtin.debug:
    var: advice.reasons
"""

RETURN = r"""
msg:
  description: The advice and its reasons in one sentence.
  returned: always
  type: str
  sample: "up to 4: CPU 82 % > 70 %"
replicas:
  description: How many replicas there should be.
  returned: success
  type: int
before:
  description: How many are wanted by the release in force; 0 if there is none.
  returned: success
  type: int
direction:
  description: V(up), V(down) or V(stay).
  returned: success
  type: str
reasons:
  description: Why, also for staying.
  returned: success
  type: list
  elements: str
causes:
  description: The same in single words, C(cpu), C(requests), C(response), C(memory), C(errors),
    C(bounds) or C(operator). Empty for staying.
  returned: success
  type: list
  elements: str
needed:
  description: Whether there is anything to carry out. Always so for a number, since that of the
    release in force may not be what runs, and where the last run did not come to its end.
  returned: success
  type: bool
observation:
  description: What the advice goes by. Empty where nobody looked.
  returned: success
  type: dict
  sample:
    time: 1800000000.0
    replicas: 3
    healthy: 3
    requests: 2210
    requests_per_minute: 442.0
    error_percent: 0.0
    response_p95: 0.81
    cpu_percent: 82.4
    memory_percent: 47.0
    window_seconds: 300.0
    covered_seconds: 300.0
    deploy: ""
    maintenance: false
thresholds:
  description: The limits that it goes by, defaults included.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.advice import STAY
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling import (
    decide,
    keep,
    keeper_status,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import Thresholds


def main() -> None:
    """Read the options, decide, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "replicas": {"type": "raw", "default": "auto"},
            "deploy": {"type": "bool", "default": False},
            "thresholds": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    paths = StackPaths(given["stack"])
    try:
        limits = Thresholds.from_mapping(given["thresholds"])
        if given["deploy"]:
            decision = keep(paths, limits)
        else:
            decision = decide(paths, given["replicas"], limits, keeper_status)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=module.check_mode and decision.advice.direction != STAY,
        msg=decision.text,
        thresholds=vars(limits),
        diff=decision.diff(),
        **decision.as_dict(),
    )


if __name__ == "__main__":
    main()
