#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: load_info
short_description: Tell how a stack is, and whether a limit is broken
version_added: 0.1.0
description:
  - Asks the keeper of a stack how its replicas are and what load they had in the last five minutes,
    looks whether a limit is broken, and compares with the baseline that
    M(digiz.load_balancing.load_baseline) keeps.
  - A limit that is broken, and a keeper that does not answer, are told in RV(ok) and RV(broken);
    the module does not fail for them.
  - Requests with status 429 (limited) and 499 (the client left) count in no error rate. During
    maintenance errors break no limit, and while a deploy runs, replicas that are missing do not.
author:
  - digiz.load_balancing contributors (@digiz-tech)
attributes:
  check_mode:
    description: Does the same, since it changes nothing.
    support: full
  diff_mode:
    description: Shows what changes.
    support: N/A
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
options:
  stack:
    description: Name of the stack. It must have been deployed, with its keeper.
    type: str
    required: true
  limits:
    description: What a figure of the last five minutes may reach at most.
    type: dict
    default: {}
    suboptions:
      p95_seconds:
        description: Seconds that 95 of 100 answers take at most, 0.01 to 60. Streams do not count.
        type: float
        default: 2.0
      cpu_percent:
        description: Share of their CPU limits that the replicas use on average, 1 to 1000.
        type: float
        default: 80.0
      memory_percent:
        description: Share of its memory limit that a replica uses, 1 to 100.
        type: float
        default: 80.0
      error_percent:
        description: Share of the requests that are answered with status 5xx, 0 to 100.
        type: float
        default: 1.0
"""

EXAMPLES = r"""
- name: Look how the stack is
  digiz.load_balancing.load_info:
    stack: chatbot
  register: load

- name: Fail when errors are not rare
  digiz.load_balancing.load_info:
    stack: chatbot
    limits:
      error_percent: 0.1
  register: load
  failed_when: not load.ok
"""

RETURN = r"""
msg:
  description: The most important of it in one sentence.
  returned: success
  type: str
report:
  description: All of it as lines of text for a terminal.
  returned: success
  type: list
  elements: str
stack:
  description: Name of the stack.
  returned: success
  type: str
ok:
  description: Whether no limit is broken.
  returned: success
  type: bool
limits:
  description: The limits that were looked at, with the keys of O(limits).
  returned: success
  type: dict
broken:
  description: What is broken, the gravest first.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: V(keeper) that does not answer or does not look, V(state) of the stack that is
        not ok, V(healthy) replicas that are fewer than wanted, or a key of O(limits).
      type: str
    value:
      description: The value, null where there is no number.
      type: float
    limit:
      description: What it may be, null where there is no number.
      type: float
    variable:
      description: The variable of the playbook monitor that sets the limit; empty if none does.
      type: str
    text:
      description: All of it in words.
      type: str
baseline:
  description: The baseline that is kept, null if none is.
  returned: success
  type: dict
  contains:
    date:
      description: When it was taken, in UTC.
      type: str
    time:
      description: The same, in seconds of the epoch.
      type: float
    stack:
      description: Name of the stack.
      type: str
    version:
      description: The version of the application then.
      type: str
    release:
      description: The release then.
      type: int
    replicas:
      description: The replicas that were wanted.
      type: int
    requests:
      description: Of how many requests it was taken.
      type: int
    figures:
      description: The figures. C(healthy) counts replicas; the others are keys of RV(load).
      type: dict
differences:
  description: What differs from the baseline by more than the tolerance, what got worse first.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: A key of C(figures).
      type: str
    before:
      description: The value in the baseline.
      type: float
    now:
      description: The value of now.
      type: float
    verdict:
      description: V(worse), V(better), or V(changed) for the number of requests.
      type: str
    text:
      description: All of it in words.
      type: str
time:
  description: When the keeper saw this, in seconds of the epoch.
  returned: when the keeper answers
  type: float
age:
  description: How many seconds ago that was.
  returned: when the keeper answers
  type: float
state:
  description: V(ok), V(degraded), V(down), or V(blind) when the engine does not answer.
  returned: when the keeper answers
  type: str
text:
  description: Why.
  returned: when the keeper answers
  type: str
wanted:
  description: How many replicas are wanted.
  returned: when the keeper answers
  type: int
healthy:
  description: How many are healthy.
  returned: when the keeper answers
  type: int
members:
  description: The replicas that get traffic.
  returned: when the keeper answers
  type: list
  elements: str
release:
  description: The release that is in force.
  returned: when the keeper answers
  type: int
version:
  description: The version of its application.
  returned: when the keeper answers
  type: str
generation:
  description: The configuration of the balancer that is published.
  returned: when the keeper answers
  type: int
served:
  description: Whether nginx runs with it.
  returned: when the keeper answers
  type: bool
balancer_running:
  description: Whether the balancer runs.
  returned: when the keeper answers
  type: bool
deploy:
  description: Who changes the stack now, empty if nobody does.
  returned: when the keeper answers
  type: str
maintenance:
  description: Whether clients get status 503 by an operator's will.
  returned: when the keeper answers
  type: bool
load:
  description: The load of the last minutes. Times are seconds; null is what nobody knows.
  returned: when the keeper answers
  type: dict
  contains:
    window_seconds:
      description: How long the window is.
      type: float
    covered_seconds:
      description: How much of it the keeper has seen.
      type: float
    requests:
      description: How many requests ended.
      type: int
    requests_per_minute:
      description: How many that is a minute.
      type: float
    response_p50:
      description: Half of the answers took no longer, to 5 %. Streams do not count.
      type: float
    response_p95:
      description: 95 of 100 took no longer.
      type: float
    first_byte_p95:
      description: 95 of 100 answers began no later, streams included.
      type: float
    error_percent:
      description: Answers with status 5xx among all but 429 and 499.
      type: float
    statuses:
      description: Requests by class of status; V(429) and V(499) are not in V(4xx).
      type: dict
    limited:
      description: Requests with status 429.
      type: int
    retried:
      description: Requests for which more than one replica was tried.
      type: int
    cpu_percent:
      description: The share of their CPU limits that the replicas use on average.
      type: float
    memory_percent:
      description: The share of its memory limit that the fullest replica uses.
      type: float
replicas:
  description: The replicas, also those that are gone but answered requests in these minutes.
  returned: when the keeper answers
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    version:
      description: The version of its application.
      type: str
    state:
      description: V(starting), V(healthy), V(ill), V(stopped) or V(gone).
      type: str
    member:
      description: Whether it gets traffic.
      type: bool
    since:
      description: When it became so, in seconds of the epoch.
      type: float
    restarts:
      description: How often it was restarted.
      type: int
    in_flight:
      description: Connections from the balancer to it, null if nobody knows.
      type: int
    reason:
      description: Why the last probe failed.
      type: str
    requests:
      description: Requests that it answered.
      type: int
    share_percent:
      description: Its part of all requests that a replica answered.
      type: float
    error_percent:
      description: As C(error_percent) above, of this one.
      type: float
    response_p95:
      description: As C(response_p95) above, of this one.
      type: float
    cpu_percent:
      description: The share of its CPU limit that it uses.
      type: float
    memory_percent:
      description: The share of its memory limit that it uses.
      type: float
changes:
  description: The last things that changed or that the keeper did, newest first.
  returned: when the keeper answers
  type: list
  elements: dict
  contains:
    time:
      description: When, in seconds of the epoch.
      type: float
    text:
      description: What, in words.
      type: str
    level:
      description: V(info), V(warning) or V(error).
      type: str
deploys:
  description: The last deploys, scalings and ways back, newest first.
  returned: when the keeper answers
  type: list
  elements: dict
  contains:
    time:
      description: When it ended, or began if it has not, in seconds of the epoch.
      type: float
    what:
      description: V(deploy), V(scale) or V(rollback).
      type: str
    result:
      description: V(succeeded), V(failed), V(interrupted) or V(running).
      type: str
    release:
      description: The release that came out, 0 if none did.
      type: int
    version:
      description: Its version, empty if nobody knows.
      type: str
    replicas:
      description: Its replicas, null if nobody knows.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch import watch
from ansible_collections.digiz.load_balancing.plugins.module_utils.watch_limits import Limits


def main() -> None:
    """Read the options, look, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "limits": {
                "type": "dict",
                "default": {},
                "options": {
                    "p95_seconds": {"type": "float", "default": 2.0},
                    "cpu_percent": {"type": "float", "default": 80.0},
                    "memory_percent": {"type": "float", "default": 80.0},
                    "error_percent": {"type": "float", "default": 1.0},
                },
            },
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        limits = Limits.from_mapping(given["limits"])
        seen = watch(StackPaths(given["stack"]), limits)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, msg=seen.text, report=seen.lines, **seen.as_dict())


if __name__ == "__main__":
    main()
