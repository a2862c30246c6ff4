#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: maintenance
short_description: Switch maintenance of a stack on and off
version_added: 0.1.0
description:
  - In maintenance the balancer answers with status 503, C(Retry-After) and a page, or JSON where
    errors are JSON. The replicas run on.
  - Addresses of O(allow) are served, and so are the host itself and the challenges of ACME.
    Requests and streams that are in progress go on.
  - It is part of the published configuration, so it stays through deploys, repairs and restarts
    until it is switched off.
  - No deploy lock is needed.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
  diff_mode:
    description: Shows who is served, and what the others are told.
    support: full
  idempotent:
    description: Maintenance that is as wanted already is left alone.
    support: full
options:
  state:
    description: Whether the stack is in maintenance.
    type: str
    choices: ["on", "off"]
    required: true
  allow:
    description: Addresses and networks that are served all the same.
    type: list
    elements: str
    default: []
  notice:
    description: What the page says, one line.
    type: str
    default: The service is being maintained and will be back soon
  retry_after:
    description: Seconds after which clients should try again.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Serve nobody but the office
  digiz.load_balancing.maintenance:
    stack: chatbot
    state: "on"
    allow: [203.0.113.0/24]

- name: Serve everybody
  digiz.load_balancing.maintenance:
    stack: chatbot
    state: "off"
"""

RETURN = r"""
text:
  description: What holds now, in words.
  returned: success
  type: str
  sample: "maintenance is on: status 503, Retry-After 300 s"
generation:
  description: Number of the configuration in force; in check mode, the present one.
  returned: success
  type: int
  sample: 7
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    MESSAGE,
    NO_MAINTENANCE,
    RETRY_AFTER,
    Maintenance,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack


def main() -> None:
    """Read the options, publish, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["on", "off"], "required": True},
            "allow": {"type": "list", "elements": "str", "default": []},
            "notice": {"type": "str", "default": MESSAGE},
            "retry_after": {"type": "int", "default": RETRY_AFTER},
        },
        supports_check_mode=True,
    )
    given = module.params
    paths = StackPaths(given["stack"])
    try:
        wanted = NO_MAINTENANCE
        if given["state"] == "on":
            wanted = Maintenance.parse(given["allow"], given["notice"], given["retry_after"])
        balancer = Balancer.of(Stack.read(paths), DockerHost.connect(paths))
        before = balancer.published()
        changed, generation = before.maintenance != wanted, before.generation
        if not module.check_mode:
            done = balancer.publish(maintenance=wanted)
            changed, generation, before = done.changed, done.after.generation, done.before
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    diff = {
        "before_header": "maintenance",
        "after_header": "maintenance",
        "before": before.maintenance.described,
        "after": wanted.described,
    }
    module.exit_json(changed=changed, text=wanted.text, generation=generation, diff=diff)


if __name__ == "__main__":
    main()
