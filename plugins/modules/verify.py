#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: verify
short_description: Verify a stack from outside and inside
version_added: 0.1.0
description:
  - Compares what runs and what answers through the balancer with the release in force, and fails
    with one line for each check that does not hold.
  - C(containers) - as many replicas of the wanted revision as wanted, healthy by a probe of their
    health path and by Docker's health check, and no other ones.
  - C(members) - the balancer sends to the healthy replicas and to nobody else, and nginx runs with
    the configuration that is published.
  - C(balancer) - it runs from the wanted image and answers on its status port.
  - C(keeper) - it answers on its status port, and says what it sees; left out on request.
  - C(health) - the application's health path answers through the balancer.
  - C(tls) - with TLS, the certificate in force is the one that is served, and has not ended.
  - C(spread) - requests to the health path over several connections are all answered, and every
    replica answers at least half of its fair share, unless it was busy with requests of others.
  - C(versions) - no other version answers.
  - C(limits) - a burst on a limited path, from an address of this machine that nobody else uses, is
    refused with 429 and C(Retry-After), and the health path is not. Where that cannot be tested
    with few requests, the check says why.
  - Changes nothing. Sends requests to 127.0.0.1 only, bounded in number and time.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
    details: Checks nothing in check mode, where what is asked for does not run yet.
  diff_mode:
    description: Changes nothing.
    support: none
    details: Changes nothing.
  idempotent:
    description: Changes nothing.
    support: full
    details: Changes nothing.
options:
  requests:
    description: Requests for C(spread), at least 10 for each replica.
    type: int
    default: 300
  keeper:
    description: Whether a keeper that does not answer is a failure. A scale, for one, should not
      fail because of that.
    type: bool
    default: true
  lock:
    description: Token of the deploy lock, if the caller holds it. It shows signs of life meanwhile,
      so that a long verification is not taken for a run that died.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Verify the stack
  digiz.load_balancing.verify:
    stack: chatbot
  register: verified

- name: Show the report
  ansible.builtin.debug:
    msg: "{{ verified.msg }}"
"""

RETURN = r"""
msg:
  description: The report as one text, or the checks that failed, one line each.
  returned: always
  type: str
checks:
  description: Every check.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What is checked.
      type: str
    passed:
      description: Whether it holds, or could not be tested for a good reason.
      type: bool
    text:
      description: What was found.
      type: str
report:
  description: The same as lines of text.
  returned: always
  type: list
  elements: str
  sample:
    - "ok      spread: 102, 99, 99 of 300 requests"
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification import verify


def main() -> None:
    """Read the options, verify, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "requests": {"type": "int", "default": 300},
            "keeper": {"type": "bool", "default": True},
            "lock": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    stack, requests = module.params["stack"], module.params["requests"]
    if module.check_mode:
        report = [f"would verify the stack {stack} with {requests} requests"]
        module.exit_json(changed=False, msg=report[0], checks=[], report=report)
    try:
        paths, token = StackPaths(stack), module.params["lock"]
        with DeployLock(paths).held(token) if token else contextlib.nullcontext():
            done = verify(paths, requests, module.params["keeper"])
    except LoadBalancingError as error:
        module.fail_json(msg=str(error), checks=[], report=[])
    result = {"checks": [check.as_dict() for check in done.checks], "report": done.report}
    if done.failures:
        module.fail_json(msg="\n".join(done.failures), **result)
    module.exit_json(changed=False, msg="\n".join(done.report), **result)


if __name__ == "__main__":
    main()
