# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter C(scaling_units): what has a stack scaled by its load again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    scaling_units as units,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

DOCUMENTATION = r"""
name: scaling_units
short_description: Files for systemd and cron that have a stack scaled by its load
version_added: 0.1.0
description:
  - Gives the texts of a service and a timer for systemd, and of a file for cron, which run the
    playbook C(scale) of a checkout again and again. Any path without control characters will do.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  _input:
    description:
      - A mapping with C(stack), the name of the stack; C(interval) in seconds; C(checkout), the
        folder with C(playbooks/scale.yml); C(python), that of Ansible; C(interpreter), the one that
        runs modules; C(variables), a file with those of the playbook; and C(config), Ansible's
        configuration, empty if there is none.
    type: dict
    required: true
seealso:
  - module: digiz.load_balancing.scale_advice
"""

EXAMPLES = r"""
- name: Show the service
  ansible.builtin.debug:
    msg: "{{ (timer | digiz.load_balancing.scaling_units).service }}"
  vars:
    timer:
      stack: chatbot
      interval: 60
      checkout: /srv/load balancing
      python: /srv/load balancing/.venv/bin/python
      interpreter: /usr/bin/python3
      variables: /opt/chatbot/state/scaling-timer.json
      config: /srv/load balancing/ansible.cfg
"""

RETURN = r"""
_value:
  description: The texts, under C(service), C(timer) and C(cron).
  type: dict
"""


def scaling_units(timer: Mapping[str, Any]) -> dict[str, str]:
    """The texts of the files; raises AnsibleFilterError."""
    try:
        return units.files(units.ScalingTimer(**timer))
    except (LoadBalancingError, TypeError) as error:
        raise AnsibleFilterError(f"scaling_units: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"scaling_units": scaling_units}
