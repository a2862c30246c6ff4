#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_packages
short_description: Install the Python package that certificates need
version_added: 0.1.0
description:
  - Installs C(python3-cryptography) on Debian and Ubuntu, where the Python that runs the modules
    does not find it.
author:
  - digiz.load_balancing contributors (@digiz-tech)
attributes:
  check_mode:
    description: Says what it would install, without refreshing the package lists.
    support: full
  diff_mode:
    description: Names the package.
    support: full
  idempotent:
    description: Nothing is done when nothing is missing.
    support: full
"""

EXAMPLES = r"""
- name: Install what certificates need
  digiz.load_balancing.certificate_packages:
"""

RETURN = r"""
packages:
  description: The packages that were installed.
  returned: success
  type: list
  elements: str
  sample: [python3-cryptography]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_packages,
    needed_packages,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        done = needed_packages.provide(
            certificate_packages.missing, certificate_packages.install, module.check_mode
        )
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**done)


if __name__ == "__main__":
    main()
