# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter C(failure_text): why a task failed, in words, whether it had a loop or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOCUMENTATION = r"""
name: failure_text
short_description: Why a task failed
version_added: 0.1.0
description:
  - Gives the message of a failed task; of a task with a loop, those of the items that failed.
author:
  - digiz.load_balancing contributors (@digiz-tech)
options:
  _input:
    description: The result of the task, such as C(ansible_failed_result).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Tell why
  ansible.builtin.fail:
    msg: "{{ ansible_failed_result | digiz.load_balancing.failure_text }}"
"""

RETURN = r"""
_value:
  description: The reason, one paragraph for each item that failed.
  type: str
"""


def failure_text(result: Mapping[str, Any]) -> str:
    """Give the messages of what failed in a task's result."""
    items = [item for item in result.get("results") or [] if item.get("failed")]
    texts = [str(item.get("msg", "")) for item in items or [result]]
    return "\n\n".join(dict.fromkeys(text for text in texts if text)) or "no reason was given"


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file by name."""
        return {"failure_text": failure_text}
