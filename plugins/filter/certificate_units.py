# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter C(certificate_units): what has a stack's certificate renewed in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_units as units,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

DOCUMENTATION = r"""
name: certificate_units
short_description: Files for systemd and cron that have a stack's certificate renewed in time
version_added: 0.1.0
description:
  - Gives the texts of a service and a timer for systemd, and of a file for cron, which run the
    playbook C(certificate) of a checkout once a day. Any path without control characters will do.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  _input:
    description:
      - A mapping with C(stack), the name of the stack; C(checkout), the folder with
        C(playbooks/certificate.yml); C(python), that of Ansible; C(interpreter), the one that runs
        modules; and C(config), Ansible's configuration, empty if there is none.
    type: dict
    required: true
seealso:
  - module: digiz.load_balancing.certificate
"""

EXAMPLES = r"""
- name: Show the service
  ansible.builtin.debug:
    msg: "{{ (timer | digiz.load_balancing.certificate_units).service }}"
  vars:
    timer:
      stack: chatbot
      checkout: /srv/load balancing
      python: /srv/load balancing/.venv/bin/python
      interpreter: /usr/bin/python3
      config: /srv/load balancing/ansible.cfg
"""

RETURN = r"""
_value:
  description: The texts, under C(service), C(timer) and C(cron).
  type: dict
"""


def certificate_units(timer: Mapping[str, Any]) -> dict[str, str]:
    """The texts of the files; raises AnsibleFilterError."""
    try:
        return units.files(units.CertificateTimer(**timer))
    except (LoadBalancingError, TypeError) as error:
        raise AnsibleFilterError(f"certificate_units: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"certificate_units": certificate_units}
