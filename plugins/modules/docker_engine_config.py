# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module docker_engine_config."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_config
short_description: Merge log rotation and live-restore into the engine's daemon.json
version_added: 0.1.0
description:
  - Adds the settings to the file and keeps everything else that is in it. Log options that are in
    the file stay, and so does a log driver other than json-file.
  - The engine validates the file before it is put in place. A running engine is told to read it
    again, never restarted; log options hold for it after its next start.
  - Live-restore is not added where the engine is a node of a swarm, which excludes it, nor where
    the engine has it on its command line, since it refuses a setting in both places.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  path:
    description:
      - The file.
    type: path
    default: /etc/docker/daemon.json
  log_max_size:
    description:
      - Size at which a container's log is rotated.
    type: str
    default: 10m
  log_max_file:
    description:
      - Number of log files that a container keeps.
    type: int
    default: 3
  live_restore:
    description:
      - Keep containers running while the engine is down.
      - V(false) leaves the setting in the file as it is.
    type: bool
    default: true
  flags:
    description:
      - Names of the settings on the running engine's command line.
    type: list
    elements: str
    default: []
  swarm:
    description:
      - Whether the engine is a node of a swarm.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reads the file and says what would change.
    support: full
  diff_mode:
    description: Shows the file before and after.
    support: full
  idempotent:
    description: A file that has the settings is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Rotate the containers' logs
  digiz.load_balancing.docker_engine_config:
    log_max_size: 10m
    log_max_file: 3
"""

RETURN = r"""
backup:
  description: Where the file as it was is kept.
  returned: when an existing file was changed
  type: str
settings:
  description: The settings in the file.
  returned: always
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    daemon_config,
    daemon_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def ensure(values: dict[str, Any], check: bool) -> dict[str, Any]:
    """What the module returns."""
    path = values["path"]
    before = daemon_file.read(path)
    old = daemon_config.parse(before, path)
    new = daemon_config.merge(
        old,
        daemon_config.LogRotation(values["log_max_size"], values["log_max_file"]),
        values["live_restore"],
        values["flags"],
        values["swarm"],
    )
    if new == old:
        return {"changed": False, "settings": old}
    after = daemon_config.render(new)
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    result: dict[str, Any] = {"changed": True, "settings": new, "diff": diff}
    if not check:
        backup = daemon_file.apply(path, after, old, new)
        result.update({"backup": backup} if backup else {})
    return result


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "log_max_size": {"type": "str", "default": "10m"},
            "log_max_file": {"type": "int", "default": 3},
            "live_restore": {"type": "bool", "default": True},
            "flags": {"type": "list", "elements": "str", "default": []},
            "swarm": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = ensure(module.params, module.check_mode)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
