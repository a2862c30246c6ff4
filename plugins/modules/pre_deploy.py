#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pre_deploy
short_description: Run the command before a rollout once, in the new image
version_added: 0.1.0
description:
  - Runs the Compose service C(pre-deploy) of the release in force, once, and removes its
    container. Typically it migrates a database.
  - If the command fails the module fails, with its last lines; no replica has been touched then.
extends_documentation_fragment:
  - digiz.load_balancing.stack
  - digiz.load_balancing.stack.lock
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: Says that the command would run.
  diff_mode:
    description: Shows what changes.
    support: none
    details: What the command changes is its own affair.
  idempotent:
    description: A second run with the same input changes nothing.
    support: none
    details: The command runs each time the module is called. The role calls it only before
      replicas of another version come.
options:
  timeout:
    description: Seconds that the command may take.
    type: float
    default: 1800
"""

EXAMPLES = r"""
- name: Migrate
  digiz.load_balancing.pre_deploy:
    stack: chatbot
    lock: "{{ lock.token }}"
  when: release.pre_deploy
"""

RETURN = r"""
text:
  description: What was done, in words.
  returned: success
  type: str
  sample: ended after 0.9 s
output:
  description: What the command printed, its last lines.
  returned: success
  type: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import DockerHost
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.services import run_pre_deploy


def main() -> None:
    """Read the options, run the command under the lock, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "lock": {"type": "str", "required": True, "no_log": False},
            "timeout": {"type": "float", "default": 1800},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, text="would run", output="")
    paths = StackPaths(module.params["stack"])
    started = time.monotonic()
    try:
        with DeployLock(paths).held(module.params["lock"]):
            output = run_pre_deploy(DockerHost.connect(paths), module.params["timeout"])
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    seconds = time.monotonic() - started
    module.exit_json(changed=True, text=f"ended after {seconds:.1f} s", output=output)


if __name__ == "__main__":
    main()
