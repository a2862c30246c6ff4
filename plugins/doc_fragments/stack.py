# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that the modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that works on a stack."""

    DOCUMENTATION = r"""
options:
  stack:
    description:
      - Name of the stack. Everything of it lies in C(/opt/<stack>), its containers carry the label
        C(digiz.load_balancing.stack=<stack>).
    type: str
    required: true
requirements:
  - "docker SDK for Python on the managed host (Debian: python3-docker)"
  - "Docker with Compose 2.20 or newer on the managed host"
notes:
  - The role P(digiz.load_balancing.docker_engine#role) brings what is required.
author:
  - digiz.load_balancing contributors (@digiz-tech)
"""

    LOCK = r"""
options:
  lock:
    description:
      - Token of the deploy lock, as P(digiz.load_balancing.deploy_lock#module) returned it.
      - The module fails, with nothing changed, when another run has taken the lock over.
    type: str
    required: true
"""
