#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: deploy_lock
short_description: Take or free the deploy lock of a stack
version_added: 0.1.0
description:
  - One run at a time changes a stack. The lock names who holds it, from where, for what and since
    when.
  - A lock whose owner has given no sign of life for O(stale_after) seconds is taken over and
    RV(taken_over) says whose
    it was. A step of a killed run that still works on the host is waited for.
  - Taking and freeing it also writes a line to C(/opt/<stack>/state/audit.log).
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: In check mode no lock is taken; RV(token) is empty.
  diff_mode:
    description: Shows what changes.
    support: none
    details: The lock is no configuration.
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
    details: Freeing a lock that is not ours changes nothing. Taking it reports no change, it
      passes with the run.
options:
  state:
    description: V(present) takes the lock, V(absent) frees it.
    type: str
    choices: [present, absent]
    default: present
  token:
    description: What V(state=present) returned; needed to free the lock.
    type: str
  who:
    description: Who runs this, for the others.
    type: str
    default: unknown
  where:
    description: The machine that runs this, for the others.
    type: str
    default: unknown
  what:
    description: What is being done, for the others.
    type: str
    default: deploy
  outcome:
    description: How it ended, for the audit log. For O(state=absent).
    type: str
    default: ends
  stale_after:
    description: Seconds without a sign of life after which a lock is taken over.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Take the deploy lock
  digiz.load_balancing.deploy_lock:
    stack: chatbot
    who: "{{ lookup('ansible.builtin.env', 'USER') }}"
    what: deploy
  register: lock

- name: Free it
  digiz.load_balancing.deploy_lock:
    stack: chatbot
    state: absent
    token: "{{ lock.token }}"
"""

RETURN = r"""
token:
  description: What the following steps must show. Empty in check mode.
  returned: always
  type: str
  sample: 5f0c1d2e3a4b5c6d
seconds:
  description: How long the lock was held.
  returned: when O(state=absent)
  type: float
taken_over:
  description: Whose lock was taken over, empty if it was free.
  returned: when O(state=present)
  type: str
  sample: "deploy by ana from laptop since 2026-03-01 10:00:00, last sign of life 41 s ago"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock


def main() -> None:
    """Read the options, take or free the lock, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "token": {"type": "str", "no_log": False},
            "who": {"type": "str", "default": "unknown"},
            "where": {"type": "str", "default": "unknown"},
            "what": {"type": "str", "default": "deploy"},
            "outcome": {"type": "str", "default": "ends"},
            "stale_after": {"type": "float", "default": 30},
        },
        required_if=[("state", "absent", ["token"])],
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode:
        module.exit_json(changed=False, token="", taken_over="", seconds=0.0)
    lock = DeployLock(StackPaths(given["stack"]))
    try:
        if given["state"] == "absent":
            seconds = lock.release(given["token"], given["outcome"])
            module.exit_json(changed=False, token=given["token"], seconds=round(seconds, 1))
        token, taken_over = lock.acquire(
            given["who"], given["where"], given["what"], given["stale_after"]
        )
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    if taken_over:
        module.warn(
            f"The lock of a run that ended without freeing it was taken over: {taken_over}."
        )
    module.exit_json(changed=False, token=token, taken_over=taken_over)


if __name__ == "__main__":
    main()
