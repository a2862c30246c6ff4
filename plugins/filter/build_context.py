# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter C(build_context): a folder as the archive that an image is built from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    build_context as contexts,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

DOCUMENTATION = r"""
name: build_context
short_description: A folder as the archive that an image is built from
version_added: 0.1.0
description:
  - Packs a folder of the controller, so that P(digiz.load_balancing.image#module) can build an
    image from it on the host. The same files always give the same archive.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  _input:
    description: The folder, with a C(Dockerfile) in it.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Build an image
  digiz.load_balancing.image:
    image: "{{ entry }}"
    decision: "{{ decision }}"
    context: "{{ entry.context | digiz.load_balancing.build_context }}"
"""

RETURN = r"""
_value:
  description: A gzipped tar archive, as base64 text.
  type: str
"""


def build_context(folder: str) -> str:
    """A build context as a gzipped tar archive in base64."""
    try:
        return contexts.context_archive(folder)
    except (LoadBalancingError, OSError) as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"build_context": build_context}
