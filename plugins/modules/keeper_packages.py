#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: keeper_packages
short_description: Install the Python packages that the keeper needs
version_added: 0.1.0
description:
  - Installs C(python3-prometheus-client) and C(python3-waitress) on Debian and Ubuntu, as far as
    C(/usr/bin/python3), which runs the keeper, does not find what is in them.
author:
  - digiz.load_balancing contributors (@digiz-tech)
attributes:
  check_mode:
    description: Says what it would install, without refreshing the package lists.
    support: full
  diff_mode:
    description: Names the packages.
    support: full
  idempotent:
    description: Nothing is done when nothing is missing.
    support: full
"""

EXAMPLES = r"""
- name: Install what the keeper needs
  digiz.load_balancing.keeper_packages:
"""

RETURN = r"""
packages:
  description: The packages that were installed.
  returned: success
  type: list
  elements: str
  sample: [python3-prometheus-client, python3-waitress]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    keeper_packages,
    needed_packages,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        done = needed_packages.provide(
            keeper_packages.missing, keeper_packages.install, module.check_mode
        )
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**done)


if __name__ == "__main__":
    main()
