# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module docker_engine_packages."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_packages
short_description: Install what a host lacks of the Docker engine
version_added: 0.1.0
description:
  - Installs the engine, its Compose and buildx plugins, the Docker SDK for Python and a static
    busybox, as far as they are missing, on Debian and Ubuntu.
  - Where the distribution's Compose is too old (Debian 12), Docker's packages come from the next
    suite; that suite is pinned low, so nothing else does.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  missing:
    description:
      - What is missing, as M(digiz.load_balancing.docker_engine_info) returns it.
    type: list
    elements: str
    required: true
  family:
    description:
      - Whose engine is there, as M(digiz.load_balancing.docker_engine_info) returns it.
    type: str
    choices: [docker, distribution, other, none]
    default: none
  source:
    description:
      - Where packages come from. V(auto) is Docker's own repository where it can be reached, else
        the distribution. V(none) installs nothing and fails if something is missing.
    type: str
    choices: [auto, docker, distribution, none]
    default: auto
  reach_timeout:
    description:
      - Seconds that Docker's repository has to answer.
    type: int
    default: 5
attributes:
  check_mode:
    description: Says what it would install, without refreshing the package lists.
    support: full
  diff_mode:
    description: Shows apt's files and the packages.
    support: full
  idempotent:
    description: Nothing is done when nothing is missing.
    support: full
"""

EXAMPLES = r"""
- name: Install what is missing
  digiz.load_balancing.docker_engine_packages:
    missing: "{{ engine.missing }}"
    family: "{{ engine.family }}"
"""

RETURN = r"""
source:
  description: Where the packages came from, C(docker) or C(distribution).
  returned: always
  type: str
packages:
  description: The packages that were installed.
  returned: always
  type: list
  elements: str
files:
  description: The apt files that were written.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_install,
    engine_packages,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "missing": {"type": "list", "elements": "str", "required": True},
            "family": {
                "type": "str",
                "choices": ["docker", "distribution", "other", "none"],
                "default": "none",
            },
            "source": {
                "type": "str",
                "choices": list(engine_packages.SOURCES),
                "default": "auto",
            },
            "reach_timeout": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    values = module.params
    if not values["missing"]:
        module.exit_json(changed=False, source="", packages=[], files=[])
    try:
        done = engine_install.install(
            values["missing"],
            values["family"],
            values["source"],
            module.check_mode,
            values["reach_timeout"],
        )
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    diffs = [
        {"before_header": path, "after_header": path, "before": "", "after": text}
        for path, text in done.files.items()
    ]
    listed = "".join(f"{name}\n" for name in done.packages)
    diffs.append(
        {"before_header": "packages", "after_header": "packages", "before": "", "after": listed}
    )
    module.exit_json(
        changed=True,
        source=done.source,
        packages=list(done.packages),
        files=list(done.files),
        diff=diffs,
    )


if __name__ == "__main__":
    main()
