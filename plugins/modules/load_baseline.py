#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: load_baseline
short_description: Keep the figures of a stack to compare later ones with
version_added: 0.1.0
description:
  - Asks the keeper for the load of the last five minutes and writes it to
    C(/opt/<stack>/state/baseline.json), or removes that file.
  - M(digiz.load_balancing.load_info) compares with it.
author:
  - digiz.load_balancing contributors (@digiz-tech)
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
  diff_mode:
    description: Shows the baseline before and after.
    support: full
  idempotent:
    description: A second run with the same input changes nothing.
    support: partial
    details: Each run with O(state=saved) keeps the figures of its own moment.
options:
  stack:
    description: Name of the stack. It must have been deployed, with its keeper.
    type: str
    required: true
  state:
    description: V(saved) keeps the figures of now in place of those before, V(absent) keeps none.
    type: str
    choices: [saved, absent]
    default: saved
"""

EXAMPLES = r"""
- name: Remember how fast it is before the update
  digiz.load_balancing.load_baseline:
    stack: chatbot
"""

RETURN = r"""
msg:
  description: What was done, in one sentence.
  returned: always
  type: str
baseline:
  description: The baseline that is kept now, as RV(digiz.load_balancing.load_info#module:baseline);
    null if none is.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils import watch_baseline
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch import save_baseline


def main() -> None:
    """Read the options, keep or drop, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["saved", "absent"], "default": "saved"},
        },
        supports_check_mode=True,
    )
    given = module.params
    paths = StackPaths(given["stack"])
    now = None
    try:
        changed = given["state"] == "saved" or watch_baseline.is_there(paths)
        before = watch_baseline.read(paths)
        if given["state"] == "saved":
            now = save_baseline(paths, keep=not module.check_mode)
            text = f"The baseline of {now.moment} is kept, of {now.requests:,} requests."
        else:
            text = "No baseline is kept."
            if not module.check_mode:
                watch_baseline.drop(paths)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    shown = [one.as_dict() if one else {} for one in (before, now)]
    module.exit_json(
        changed=changed,
        msg=text,
        baseline=shown[1] or None,
        diff={"before": shown[0], "after": shown[1]},
    )


if __name__ == "__main__":
    main()
