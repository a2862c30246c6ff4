#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight
short_description: Check whether a stack fits on its host
version_added: 0.1.0
description:
  - Compares what is wanted with what the host has, before anything is changed. Needs neither an
    engine nor any package on the host.
  - Fails with one line for each fault, all faults at once. Checked are the rights of the user,
    memory for all replicas of a rollout, processors, free disk, and whether the ports are free or
    held by this stack's own balancer or keeper.
  - Warns when replicas are allowed to use more memory together than there is.
  - Limits that are left out are taken from the release in force, as for a change of the number of
    replicas.
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
    details: There is no difference to show.
  idempotent:
    description: Changes nothing.
    support: full
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  stack:
    description: Name of the stack.
    type: str
    required: true
  replicas:
    description: The wanted number of replicas.
    type: int
    required: true
  surge:
    description: Extra replicas at a time during a rollout.
    type: int
    default: 1
  mode:
    description: With V(development) replicas have no limits, so neither memory nor processors are
      checked.
    type: str
    choices: [production, development]
    default: production
  cpus:
    description: Processors that a replica may use.
    type: float
  memory:
    description: Memory that a replica may use, such as V(1g).
    type: str
  memory_reservation:
    description: Memory that a replica needs, such as V(512m).
    type: str
  database:
    description: Whether PostgreSQL runs in the stack.
    type: str
    choices: [embedded, none]
  database_memory:
    description: Memory that the embedded database may use. Does not count with O(database=none).
    type: str
  http_port:
    description: Port of the application. Not checked when it is left out.
    type: int
  https_port:
    description: Port of the application with TLS. Not checked when it is left out.
    type: int
  status_port:
    description: Port of the balancer's own status, on 127.0.0.1. Not checked when it is left out.
    type: int
  keeper_enabled:
    description: Whether a keeper is wanted. If none is, its port is not checked.
    type: bool
    default: true
  keeper_port:
    description: Port of the keeper's status page, on 127.0.0.1. Not checked when it is left out.
    type: int
"""

EXAMPLES = r"""
- name: Check whether the stack fits on the host
  digiz.load_balancing.preflight:
    stack: chatbot
    replicas: 3
    surge: 1
    cpus: 1
    memory: 1g
    memory_reservation: 512m
    database: embedded
    database_memory: 1g
    http_port: 8080
    status_port: 18080
    keeper_port: 28080

- name: Check whether more replicas of what is deployed fit
  digiz.load_balancing.preflight:
    stack: chatbot
    replicas: 7
"""

RETURN = r"""
host:
  description: What the host has.
  returned: always
  type: dict
  contains:
    cpus:
      description: Processors.
      type: int
    memory:
      description: Memory in bytes.
      type: int
    disk_free:
      description: Free bytes by folder; folders on one disk are named once.
      type: dict
  sample:
    cpus: 2
    memory: 25276502016
    disk_free:
      /opt: 85899345920
parts:
  description:
    - Which optional parts of the stack the host has already, whole or a piece of them. A deploy
      without them has them to remove.
  returned: always
  type: list
  elements: str
  sample: [scaling_timer, monitor]
text:
  description: What the host has, in words.
  returned: always
  type: str
  sample: "2 processors, 23.5 GiB of memory, 80.0 GiB free in /opt"
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.host_facts import observe_host
from ansible_collections.digiz.load_balancing.plugins.module_utils.preflight import (
    examine,
    wanted_from,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.releases import Releases
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack_parts import parts_there

INHERITED = ("cpus", "memory", "memory_reservation", "database")


def _project_in_force(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Compose project of the release in force, empty when the options say everything.

    They do in a deploy, which must also start where the release in force is damaged.
    """
    releases = Releases(StackPaths(given["stack"]))
    number = releases.current()
    if not number or all(given[name] is not None for name in INHERITED):
        return {}
    return releases.read(number).project


def main() -> None:
    """Read the options, look at the host, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "replicas": {"type": "int", "required": True},
            "surge": {"type": "int", "default": 1},
            "mode": {
                "type": "str",
                "choices": ["production", "development"],
                "default": "production",
            },
            "cpus": {"type": "float"},
            "memory": {"type": "str"},
            "memory_reservation": {"type": "str"},
            "database": {"type": "str", "choices": ["embedded", "none"]},
            "database_memory": {"type": "str"},
            "http_port": {"type": "int"},
            "https_port": {"type": "int"},
            "status_port": {"type": "int"},
            "keeper_enabled": {"type": "bool", "default": True},
            "keeper_port": {"type": "int"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        wanted = wanted_from(given, _project_in_force(given))
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    host = observe_host(wanted.ports.values())
    findings = examine(wanted, host)
    for warning in findings.warnings:
        module.warn(warning)
    result = {
        "host": {"cpus": host.cpus, "memory": host.memory, "disk_free": dict(host.free)},
        "parts": parts_there(StackPaths(given["stack"])),
        "text": host.text,
    }
    if findings.faults:
        module.fail_json(msg="\n".join(findings.faults), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
