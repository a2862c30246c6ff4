#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: keeper
short_description: Run the keeper of a stack as a service of the host
version_added: 0.1.0
description:
  - The keeper notices in seconds what fails in a stack, takes it out of the traffic and mends it.
  - Its code is the module_utils of this collection, which the module writes to
    C(/opt/<stack>/keeper); the last two versions stay there.
  - It is a unit of systemd where that is process 1, else an init script with a small guard that
    does what systemd would do.
  - A keeper that does not come up is an error. What ran before runs again then.
  - No deploy lock is needed. Traffic does not depend on the keeper.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: Also holds on a host without an engine.
  diff_mode:
    description: Shows the unit or the script, which code runs, and whether it starts with the host.
    support: full
  idempotent:
    description: A keeper that runs with the same code and answers is left alone.
    support: full
options:
  port:
    description:
      - Port on 127.0.0.1 where the keeper answers.
      - By default what the release in force says, where the keeper itself reads it.
    type: int
  state:
    description: Whether there is to be a keeper.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Keep a stack
  digiz.load_balancing.keeper:
    stack: chatbot

- name: Keep it no more
  digiz.load_balancing.keeper:
    stack: chatbot
    state: absent
"""

RETURN = r"""
text:
  description: What there is now, in words.
  returned: success
  type: str
  sample: "runs with code 1f0c8a52e9d3 on 127.0.0.1:20080"
digest:
  description: Fingerprint of the keeper's code, empty with O(state=absent).
  returned: success
  type: str
  sample: 1f0c8a52e9d3
"""

from ansible.module_utils.basic import AnsibleModule

# The programs are imported so that Ansible sends them to the host, with all that they import.
from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper as keeper_program,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper_guard,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_code import collect
from ansible_collections.digiz.load_balancing.plugins.module_utils.keeper_install import (
    absent,
    present,
)


def main() -> None:
    """Read the options, install or remove, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "port": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    given = module.params
    paths = StackPaths(given["stack"])
    try:
        if given["state"] == "present":
            sources = collect([keeper_program.__name__, keeper_guard.__name__])
            change = present(paths, given["port"], sources, module.check_mode)
        else:
            change = absent(paths, module.check_mode)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=change.changed, text=change.text, digest=change.digest, diff=change.diff
    )


if __name__ == "__main__":
    main()
