# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module docker_engine_service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_service
short_description: Start the Docker engine and have it start with the host
version_added: 0.1.0
description:
  - Uses systemd where it is process 1; else the init script, or the engine's program itself where
    the script does not bring it up.
  - Pid files of an earlier run are no obstacle.
  - A running engine is never restarted.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  timeout:
    description:
      - Seconds that the engine has to answer after its start.
    type: int
    default: 60
attributes:
  check_mode:
    description: Says whether it would start or enable the engine.
    support: full
  diff_mode:
    description: Shows the state before and after.
    support: full
  idempotent:
    description: A running, enabled engine is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Start the engine
  digiz.load_balancing.docker_engine_service:
"""

RETURN = r"""
method:
  description: How the engine was started, one of C(systemd), C(sysv), C(direct); empty if it ran
    already.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_service,
    engine_state,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def describe(running: bool, enabled: bool) -> str:
    """The service's state as a text for the diff."""
    return f"running: {str(running).lower()}\nstarts with the host: {str(enabled).lower()}\n"


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"timeout": {"type": "int", "default": 60}}, supports_check_mode=True
    )
    init = engine_state.init_system()
    running, enabled = engine_service.answers(), engine_state.starts_at_boot(init)
    method = ""
    try:
        if not enabled and not module.check_mode:
            engine_service.enable(init)
        if not running and not module.check_mode:
            method = engine_service.start(init, module.params["timeout"])
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    if method == "direct":
        module.warn(
            "nothing starts services on this host: start the engine after each boot by running "
            "this again"
        )
    module.exit_json(
        changed=not (running and enabled),
        method=method,
        diff={"before": describe(running, enabled), "after": describe(True, True)},
    )


if __name__ == "__main__":
    main()
