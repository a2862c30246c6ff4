#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout_step
short_description: Carry one step of a rollout out
version_added: 0.1.0
description:
  - V(start) adds replicas of the wanted version and waits until they are healthy. If they do not
    become so, they are removed
    again, and their last lines are in the error; what served before still serves.
  - V(join) publishes the healthy replicas to the balancer and takes out those that go, with one
    reload.
  - V(drain) waits until the balancer can send nothing more to the replicas that go.
  - V(stop) stops and removes them, by container id.
  - Each step is defined by what holds after it, so it may be repeated.
extends_documentation_fragment:
  - digiz.load_balancing.stack
  - digiz.load_balancing.stack.lock
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: Says what the step would do, as it was planned.
  diff_mode:
    description: Shows what changes.
    support: none
    details: P(digiz.load_balancing.rollout_plan#module) shows the replicas before and after.
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
options:
  step:
    description: One of the steps that P(digiz.load_balancing.rollout_plan#module) returned.
    type: dict
    required: true
    suboptions:
      action:
        description: What is done.
        type: str
        required: true
        choices: [start, join, drain, stop]
      replicas:
        description: Ids of the containers that it is about.
        type: list
        elements: str
        default: []
      names:
        description: Their names.
        type: list
        elements: str
        default: []
      count:
        description: For V(start), how many healthy replicas of the wanted version there are
          afterwards.
        type: int
        default: 0
      text:
        description: The step in words; it is not read.
        type: str
"""

EXAMPLES = r"""
- name: Carry the plan out, one visible line per step
  digiz.load_balancing.rollout_step:
    stack: chatbot
    lock: "{{ lock.token }}"
    step: "{{ item }}"
  loop: "{{ plan.steps }}"
  loop_control:
    label: "{{ item.action }}: {{ done.text | default(item.text) }}"
    break_when:
      - done is failed or done.stale
  register: done
"""

RETURN = r"""
text:
  description: What was done, in words.
  returned: success
  type: str
  sample: chatbot-app-1 drained of 14 connections in 3.2 s
stale:
  description: The step did nothing, because the plan no longer fits what is there; plan again.
  returned: success
  type: bool
details:
  description: Figures of the step for programs, such as C(seconds_to_healthy) or C(connections)
    and C(seconds_to_drain).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.replicas import Step
from ansible_collections.digiz.load_balancing.plugins.module_utils.rollout import Rollout
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack

STEP = {
    "action": {"type": "str", "required": True, "choices": ["start", "join", "drain", "stop"]},
    "replicas": {"type": "list", "elements": "str", "default": []},
    "names": {"type": "list", "elements": "str", "default": []},
    "count": {"type": "int", "default": 0},
    "text": {"type": "str"},
}


def main() -> None:
    """Read the options, carry the step out under the lock, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "lock": {"type": "str", "required": True, "no_log": False},
            "step": {"type": "dict", "required": True, "options": STEP},
        },
        supports_check_mode=True,
    )
    paths = StackPaths(module.params["stack"])
    step = Step.from_mapping(module.params["step"])
    if module.check_mode:
        module.exit_json(changed=True, text=f"would {step.text}", stale=False, details={})
    try:
        with DeployLock(paths).held(module.params["lock"]):
            outcome = Rollout(Stack.read(paths), DockerHost.connect(paths)).carry_out(step)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=outcome.changed, text=outcome.text, stale=outcome.stale, details=outcome.details
    )


if __name__ == "__main__":
    main()
