# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter C(image_entries): the wanted images as the image modules take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    image_catalogue,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

DOCUMENTATION = r"""
name: image_entries
short_description: Names, recipes and source digests of wanted images
version_added: 0.1.0
description:
  - Completes wanted images to what P(digiz.load_balancing.image_info#module) and
    P(digiz.load_balancing.image#module) take.
author:
  - digiz.load_balancing contributors (@digiz-tech)
positional: files
options:
  _input:
    description: Wanted images, as the variable C(images_wanted) holds them.
    type: list
    elements: dict
    required: true
  files:
    description: Folder on the controller with the recipes of the images that can be built.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Look at the images that are wanted
  digiz.load_balancing.image_info:
    images: "{{ images_wanted | digiz.load_balancing.image_entries(role_path ~ '/files') }}"
"""

RETURN = r"""
_value:
  description: One mapping for each image, bases first.
  type: list
  elements: dict
"""


def image_entries(wanted: Sequence[Mapping[str, Any]], files: str) -> list[dict[str, Any]]:
    """Wanted images with names, recipes and source digests."""
    try:
        return image_catalogue.complete(wanted, files)
    except (LoadBalancingError, OSError) as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"image_entries": image_entries}
