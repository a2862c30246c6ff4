#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: scale_record
short_description: Remember that the number of replicas of a stack was changed
version_added: 0.1.0
description:
  - Adds a change to C(/opt/<stack>/state/scaling.json), which keeps the last 50, and to the audit
    log. P(digiz.load_balancing.scale_advice#module) goes by them, so that one change is not
    followed by another one too soon.
  - To be called once the change was carried out, and not otherwise.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
  diff_mode:
    description: Shows what changes.
    support: full
    details: Shows the remembered changes before and after.
  idempotent:
    description: A second run with the same input changes nothing.
    support: none
    details: Each run adds a change that took place just now.
options:
  advice:
    description:
      - What P(digiz.load_balancing.scale_advice#module) returned. Read are C(before), C(replicas),
        C(causes), C(reasons) and C(observation).
    type: dict
    required: true
  who:
    description: Who made the change, for the audit log.
    type: str
    default: unknown
  where:
    description: The machine that it was made from, for the audit log.
    type: str
    default: unknown
"""

EXAMPLES = r"""
- name: Remember the change
  digiz.load_balancing.scale_record:
    stack: chatbot
    advice: "{{ advice }}"
"""

RETURN = r"""
msg:
  description: What was remembered.
  returned: always
  type: str
  sample: "3 to 4 replicas: CPU 82 % > 70 %"
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling import record
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_data import Change


def main() -> None:
    """Read the options, remember, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "advice": {"type": "dict", "required": True},
            "who": {"type": "str", "default": "unknown"},
            "where": {"type": "str", "default": "unknown"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        change = Change.of_advice(given["advice"], time.time())
        diff = record(
            StackPaths(given["stack"]), change, given["who"], given["where"], module.check_mode
        )
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, msg=change.text, diff=diff)


if __name__ == "__main__":
    main()
