#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: balancer_host
short_description: Prepare a host for the balancer of a stack
version_added: 0.1.0
description:
  - Sets C(net.ipv4.tcp_migrate_req), now and with the host, so that the kernel hands connections
    that wait at a balancer which quits to the one that takes its place. It needs Linux 5.14 and
    the right to set it; without, nothing fails, and nothing else depends on it.
  - Has logrotate rotate the access log of the stack.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
  diff_mode:
    description: Shows the files and the setting before and after.
    support: full
  idempotent:
    description: What is as wanted already is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Prepare the host for the balancer
  digiz.load_balancing.balancer_host:
    stack: chatbot
"""

RETURN = r"""
migration:
  description: Whether the kernel moves connections, or would after the run that is checked.
  returned: success
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_host import prepare
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths


def main() -> None:
    """Read the options, prepare the host, tell."""
    module = AnsibleModule(
        argument_spec={"stack": {"type": "str", "required": True}}, supports_check_mode=True
    )
    try:
        change = prepare(StackPaths(module.params["stack"]), module.check_mode)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(change.diff), migration=change.migration, diff=change.diff)


if __name__ == "__main__":
    main()
