#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: removal
short_description: Take a stack off the host
version_added: 0.1.0
description:
  - Removes the containers, networks and files of a stack. Its data, which are volumes and
    secrets, go only with O(data=true).
  - Images stay, other stacks may use them.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
  diff_mode:
    description: Shows what changes.
    support: full
    details: Names each container, network, volume and folder that goes.
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
options:
  lock:
    description: Token of the deploy lock, which goes with the stack. Not needed in check mode.
    type: str
  data:
    description: Whether the data go, too. They cannot be brought back.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Remove a stack and keep its database
  digiz.load_balancing.removal:
    stack: chatbot
    lock: "{{ lock.token }}"
"""

RETURN = r"""
kept:
  description: What is kept, by kind and name.
  returned: success
  type: list
  elements: str
  sample: ["volume chatbot_database", "folder /opt/chatbot/secrets"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    DockerHost,
    engine_is_there,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.removal import find, remove


def main() -> None:
    """Read the options, remove, tell what is kept."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "lock": {"type": "str", "no_log": False},
            "data": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    paths = StackPaths(module.params["stack"])
    lock = DeployLock(paths)
    try:
        host = DockerHost.connect(paths) if engine_is_there() else None
        there = find(paths, host)
        going = there if module.params["data"] else there.without_data()
        if not module.check_mode:
            with lock.held(module.params["lock"] or ""):
                remove(paths, host, going)
            lock.release(module.params["lock"] or "", "removed")
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    lines = there.lines()
    kept = [line for line in lines.splitlines() if line not in going.lines().splitlines()]
    module.exit_json(
        changed=bool(going.lines()),
        kept=kept,
        diff={
            "before_header": f"stack {paths.name}",
            "after_header": f"stack {paths.name}",
            "before": lines,
            "after": "".join(f"{line}\n" for line in kept),
        },
    )


if __name__ == "__main__":
    main()
