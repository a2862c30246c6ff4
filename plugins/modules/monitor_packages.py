#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: monitor_packages
short_description: Install Prometheus and Alertmanager without their own instances
version_added: 0.1.0
description:
  - Installs C(prometheus) and C(prometheus-alertmanager) on Debian and Ubuntu, as far as their
    programs are missing.
  - The instances that come with packages installed here are kept from starting, as each stack
    has its own. An instance that was there before is left alone.
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
- name: Install what monitoring needs
  digiz.load_balancing.monitor_packages:
"""

RETURN = r"""
packages:
  description: The packages that were installed.
  returned: success
  type: list
  elements: str
  sample: [prometheus, prometheus-alertmanager]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    monitor_packages,
    needed_packages,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        done = needed_packages.provide(
            monitor_packages.missing, monitor_packages.install, module.check_mode
        )
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**done)


if __name__ == "__main__":
    main()
