# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: settings
short_description: Check what operators set and return it typed
description:
  - Reads the variables that the role P(digiz.load_balancing.settings#role) documents for a
    playbook, checks their types, their ranges and their values against each other, and looks for
    misspelt names.
  - Fails with one line for each fault, all faults at once.
  - Runs on the controller and neither looks at the host nor changes it.
author:
  - digiz.load_balancing contributors (@digiz-tech)
version_added: 0.1.0
attributes:
  check_mode:
    support: full
    description: Runs the same in check mode.
  diff_mode:
    support: N/A
    description: Nothing changes, so there is no difference to show.
  idempotent:
    support: full
    description: Nothing changes, however often it runs.
options:
  playbook:
    description: The playbook whose variables are checked.
    type: str
    required: true
    choices:
      - deploy
      - scale
      - verify
      - rollback
      - drill
      - traffic
      - monitor
      - capacity
      - certificate
      - maintenance
      - remove
"""

EXAMPLES = r"""
- name: Check the settings
  digiz.load_balancing.settings:
    playbook: deploy
"""

RETURN = r"""
ansible_facts:
  description: The settings, without the value of any secret.
  returned: success
  type: dict
  contains:
    load_balancing:
      description:
        - The playbook's variables in their types, and what follows from them.
        - For V(deploy) also C(stack), C(balancer) and C(images) for the roles of these names.
      type: dict
      sample:
        playbook: verify
        stack_name: chatbot
        stack_directory: /opt/chatbot
        verify_requests: 300
"""
