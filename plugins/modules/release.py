#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: release
short_description: Write a release of a stack, or put an earlier one back
version_added: 0.1.0
description:
  - A release holds all that defines a stack - the Compose project, nginx's static configuration,
    the figures that a rollout needs -
    and lies in C(/opt/<stack>/releases/<n>). C(releases/current) and C(compose.yaml) point to the
      one in force.
  - This module writes files only. P(digiz.load_balancing.services#module) and
    P(digiz.load_balancing.rollout_step#module) carry out
    what they say.
  - A new release is tested with C(docker compose config) and C(nginx -t) before it is taken into
    force.
extends_documentation_fragment:
  - digiz.load_balancing.stack
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: Renders and compares, also on a virgin host. The tests by Docker and nginx need the
      engine and are left out.
  diff_mode:
    description: Shows what changes.
    support: full
    details: Shows C(compose.yaml) and C(nginx.conf), or C(stack.json) where nothing else changes.
      Secrets are named, their values never shown.
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
    details: No release is written when the one in force says the same.
options:
  state:
    description:
      - V(present) writes a release from O(settings) and takes it into force if it differs from
        what is there.
      - V(scaled) does so with another number of replicas and nothing else changed.
      - V(deployed) remembers that the release in force was carried out, and removes all but the
        last five.
      - V(restored) takes the last release that was carried out into force again, after a failed
        run.
      - V(previous) takes the newest release that was carried out with other replicas into force,
        with the number of replicas of
        today. This is a rollback.
    type: str
    choices: [present, scaled, deployed, restored, previous]
    default: present
  lock:
    description: Token of the deploy lock. Not needed in check mode.
    type: str
  settings:
    description: What P(digiz.load_balancing.stack#role) hands over. Needed when O(state=present).
    type: dict
  balancer:
    description: What P(digiz.load_balancing.balancer#role) renders nginx's configuration from.
      Needed when O(state=present).
    type: dict
  secrets:
    description: Secrets by name. They reach the containers as files below C(/run/secrets).
    type: dict
    default: {}
  api_keys:
    description: Known API keys by the client's name, each with C(key) and C(tier). They reach nginx
      as a file below C(nginx/keys).
    type: dict
    default: {}
  surge:
    description: Replicas that may be there beyond the wanted number while rolling.
    type: int
    default: 1
  generated_secrets:
    description: Names of secrets that are made up on the host once and then kept.
    type: list
    elements: str
    default: []
  replicas:
    description: Wanted number of replicas. Needed when O(state=scaled).
    type: int
"""

EXAMPLES = r"""
- name: Go back to what ran before
  digiz.load_balancing.release:
    stack: chatbot
    state: previous
    lock: "{{ lock.token }}"
"""

RETURN = r"""
number:
  description: The release in force; in check mode the one that would be.
  returned: success
  type: int
target:
  description: What is wanted, for P(digiz.load_balancing.rollout_plan#module).
  returned: success
  type: dict
services:
  description: Services that are not replicated, with their revisions.
  returned: success
  type: dict
nginx_digest:
  description: Fingerprint of nginx's static configuration.
  returned: success
  type: str
put_back:
  description: Whether O(state=restored) took an earlier release into force.
  returned: success
  type: bool
pre_deploy:
  description: Whether the command before the rollout has to run, because replicas of another
    version are to come.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.release_work import (
    Change,
    Inputs,
    ReleaseWork,
)


def change(module: AnsibleModule, work: ReleaseWork) -> Change:
    """Do what the state asks for."""
    given = module.params
    if given["state"] == "present":
        return work.present(
            Inputs(
                settings=given["settings"],
                balancer=given["balancer"],
                secrets=given["secrets"],
                api_keys=given["api_keys"],
                generated_secrets=given["generated_secrets"],
                surge=given["surge"],
            )
        )
    if given["state"] == "scaled":
        return work.scaled(given["replicas"])
    if given["state"] == "deployed":
        return work.deployed()
    if given["state"] == "restored":
        return work.restored()
    return work.previous()


def main() -> None:
    """Read the options, write or choose the release, tell."""
    states = ["present", "scaled", "deployed", "restored", "previous"]
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": states, "default": "present"},
            "lock": {"type": "str", "no_log": False},
            "settings": {"type": "dict"},
            "balancer": {"type": "dict"},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "api_keys": {"type": "dict", "default": {}, "no_log": True},
            "surge": {"type": "int", "default": 1},
            "generated_secrets": {
                "type": "list",
                "elements": "str",
                "default": [],
                "no_log": False,
            },
            "replicas": {"type": "int"},
        },
        required_if=[
            ("state", "present", ["settings", "balancer"]),
            ("state", "scaled", ["replicas"]),
        ],
        supports_check_mode=True,
    )
    work = ReleaseWork(StackPaths(module.params["stack"]), module.params["lock"], module.check_mode)
    try:
        done = change(module, work)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=done.changed,
        number=done.number,
        target=done.release.stack.as_dict(),
        services=done.release.services(),
        nginx_digest=done.release.nginx_digest,
        put_back=done.changed and module.params["state"] == "restored",
        pre_deploy=done.pre_deploy,
        diff=done.diff(),
    )


if __name__ == "__main__":
    main()
