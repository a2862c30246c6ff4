# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module docker_engine_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_info
short_description: Tell what a host has of the Docker engine and what it lacks
version_added: 0.1.0
description:
  - Tells the versions of engine, client, Compose and buildx, whether the engine runs and starts at
    boot, and whether the Docker SDK for Python and a static busybox are there.
  - Works on a host that has none of them.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options: {}
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at the engine
  digiz.load_balancing.docker_engine_info:
  register: engine
"""

RETURN = r"""
running:
  description: Whether the engine answers.
  returned: always
  type: bool
engine:
  description: The engine's version, empty if it does not run.
  returned: always
  type: str
client:
  description: The client's version.
  returned: always
  type: str
compose:
  description: The version of the Compose plugin.
  returned: always
  type: str
buildx:
  description: The version of the buildx plugin.
  returned: always
  type: str
sdk:
  description: Whether the interpreter that Ansible uses has the Docker SDK.
  returned: always
  type: bool
sdk_system:
  description: Whether the system's own Python has the Docker SDK.
  returned: always
  type: bool
busybox:
  description: Whether there is a static busybox.
  returned: always
  type: bool
init:
  description: What starts services, one of C(systemd), C(sysv), C(none).
  returned: always
  type: str
enabled:
  description: Whether the engine starts with the host; true where nothing starts services.
  returned: always
  type: bool
family:
  description: Whose engine is installed, one of C(docker), C(distribution), C(other), C(none).
  returned: always
  type: str
swarm:
  description: Whether the engine is a node of a swarm.
  returned: always
  type: bool
live_restore:
  description: Whether containers keep running while the engine is down.
  returned: always
  type: bool
flags:
  description: Names of the settings on the running engine's command line.
  returned: always
  type: list
  elements: str
missing:
  description: What has to be installed, of C(engine), C(client), C(compose), C(buildx), C(sdk),
    C(busybox).
  returned: always
  type: list
  elements: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_state
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        state = engine_state.observe()
        engine_state.check_engine_version(state.engine)
        engine_state.check_interpreter(state)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, missing=state.missing(), **asdict(state))


if __name__ == "__main__":
    main()
