#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_plan
short_description: Plan how a stack gets from what runs to what is wanted
version_added: 0.1.0
description:
  - Looks at the stack's containers, probes their health, reads who is published, and gives the
    ordered steps that lead to what
    is wanted. Changes nothing.
  - While the plan is carried out, the number of healthy members never falls below the wanted one
    (or below what it is
    now, if that is less), and there are never more containers than wanted plus surge.
  - A run that was killed needs no clean-up, the next plan starts from what is there.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Changes nothing; planning is all it does.
    support: full
    details: Also holds on a host without an engine, where nothing runs yet.
  diff_mode:
    description: Shows what changes.
    support: full
    details: Shows the replicas before and after, by name, version, state and whether they are
      members.
  idempotent:
    description: Changes nothing.
    support: full
options:
  target:
    description:
      - What is wanted, as P(digiz.load_balancing.release#module) returns it in
        RV(digiz.load_balancing.release#module:target). Without it, what the release in force wants.
    type: dict
"""

EXAMPLES = r"""
- name: Plan the rollout
  digiz.load_balancing.rollout_plan:
    stack: chatbot
  register: plan

- name: Carry it out
  digiz.load_balancing.rollout_step:
    stack: chatbot
    lock: "{{ lock.token }}"
    step: "{{ item }}"
  loop: "{{ plan.steps }}"
"""

RETURN = r"""
steps:
  description: The steps in their order; empty when everything is as wanted.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: What is done, V(start), V(join), V(drain) or V(stop).
      type: str
    replicas:
      description: Ids of the containers that it is about.
      type: list
      elements: str
    names:
      description: Their names.
      type: list
      elements: str
    count:
      description: For V(start), how many healthy replicas of the wanted version there are
        afterwards.
      type: int
    text:
      description: The step in words.
      type: str
replicas:
  description: The replicas that are there now.
  returned: always
  type: list
  elements: dict
  sample:
    - name: chatbot-app-1
      version: "1"
      state: healthy
      address: 172.18.0.2
      member: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.plan import describe, plan_stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack


def main() -> None:
    """Read the options, plan, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "target": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    paths = StackPaths(module.params["stack"])
    target = module.params["target"]
    try:
        stack = Stack.from_mapping(target) if target else Stack.read(paths)
        plan = plan_stack(stack, paths, engine_may_be_missing=module.check_mode)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    diff = {
        "before_header": f"replicas of {stack.name}",
        "after_header": f"replicas of {stack.name}",
        "before": describe(plan.before),
        "after": describe(plan.after),
    }
    module.exit_json(
        changed=module.check_mode and bool(plan.steps),
        steps=[step.as_dict() for step in plan.steps],
        replicas=plan.rows(),
        diff=diff,
    )


if __name__ == "__main__":
    main()
