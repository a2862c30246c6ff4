#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: services
short_description: Bring up the services of a stack that are not replicated
version_added: 0.1.0
description:
  - Publishes nginx's static configuration of the release in force, members untouched.
  - Starts or recreates the balancer, the database and the operator's own services, where they do
    not run as the release in force
    wants them, and waits until they are ready.
  - A balancer that runs is replaced without a gap. A new one is started beside it, the old one is
    told to quit once that serves, and waited for until its last connection has ended.
  - Replicas are left alone, P(digiz.load_balancing.rollout_step#module) takes care of them.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: Also holds on a host without an engine.
  diff_mode:
    description: Shows what changes.
    support: none
    details: P(digiz.load_balancing.release#module) shows what changes.
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
options:
  lock:
    description: Token of the deploy lock. Not needed in check mode.
    type: str
  target:
    description: What P(digiz.load_balancing.release#module) returned in
      RV(digiz.load_balancing.release#module:target).
    type: dict
    required: true
  services:
    description: Services and their wanted revisions, as P(digiz.load_balancing.release#module)
      returned them.
    type: dict
    required: true
  only:
    description: Bring only these up.
    type: list
    elements: str
  except_for:
    description: Leave these out.
    type: list
    elements: str
    default: []
  nginx_digest:
    description: Fingerprint of the static configuration, as
      P(digiz.load_balancing.release#module) returned it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Bring the database up, before migrations
  digiz.load_balancing.services:
    stack: chatbot
    lock: "{{ lock.token }}"
    target: "{{ release.target }}"
    services: "{{ release.services }}"
    nginx_digest: "{{ release.nginx_digest }}"
    except_for: [balancer]
"""

RETURN = r"""
text:
  description: What was done, in words.
  returned: success
  type: str
  sample: "database ready after 3.1 s"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer import Balancer
from ansible_collections.digiz.load_balancing.plugins.module_utils.docker_host import (
    DockerHost,
    engine_is_there,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.services import ServiceWork
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack


def main() -> None:
    """Read the options, bring up what is missing, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "lock": {"type": "str", "no_log": False},
            "target": {"type": "dict", "required": True},
            "services": {"type": "dict", "required": True},
            "only": {"type": "list", "elements": "str"},
            "except_for": {"type": "list", "elements": "str", "default": []},
            "nginx_digest": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    only = given["services"] if given["only"] is None else given["only"]
    wanted = {
        name: revision
        for name, revision in given["services"].items()
        if name in only and name not in given["except_for"]
    }
    paths = StackPaths(given["stack"])
    try:
        if module.check_mode and not engine_is_there():
            names = ", ".join(sorted(wanted))
            module.exit_json(changed=bool(wanted), text=f"would bring up {names}")
        host = DockerHost.connect(paths)
        stack = Stack.from_mapping(given["target"])
        balancer = Balancer.of(stack, host)
        digest, drain = given["nginx_digest"], stack.drain_timeout
        work = ServiceWork(host, balancer, wanted, digest, drain)
        if module.check_mode:
            changed, text = work.preview()
        else:
            with DeployLock(paths).held(given["lock"] or ""):
                changed, text = work.carry_out()
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, text=text)


if __name__ == "__main__":
    main()
