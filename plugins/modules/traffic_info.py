#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: traffic_info
short_description: Report on the traffic of a stack
version_added: 0.1.0
description:
  - Reads the balancer's access log in C(/opt/<stack>/logs), also the files that logrotate has
    renamed or compressed, and tells how many requests there were, how they ended and how long they
    took, by replica, by path and by client.
  - A request is I(limited) with status 429, I(cut) with 499, or 0 where its connection ended
    before there was a status, an I(error) with 500 and above, and I(good) with any other. Limited
    and cut ones are neither errors nor counted among those of which errors are a
    part.
  - Times are those of good requests and errors without WebSockets, as the balancer measured them.
    They are at most 1 % away from the exact percentile.
  - Takes the same memory whatever the size of the log. Texts that clients chose are shortened to
    200 characters, and what cannot be printed in them is shown as C(\x1b).
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
    description: Name of the stack. Its log lies in C(/opt/<stack>/logs).
    type: str
    required: true
  since:
    description:
      - Requests that ended from then on are counted. A time ago such as V(15m), V(24h) or V(7d),
        by the clock of the host, or a time in ISO 8601, which is UTC unless it says otherwise.
      - All that is in the log by default.
    type: str
    default: ''
  until:
    description: Until when, written alike. Until now by default.
    type: str
    default: ''
  top:
    description: How many paths, clients and slow requests are listed, 1 to 100.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Look at the last quarter of an hour
  digiz.load_balancing.traffic_info:
    stack: chatbot
    since: 15m
  register: traffic

- name: Fail when more than one request in a hundred is an error
  ansible.builtin.assert:
    that: traffic.error_percent < 1

- name: Look at one evening
  digiz.load_balancing.traffic_info:
    stack: chatbot
    since: 2026-11-28T18:00:00+01:00
    until: 2026-11-28T23:00:00+01:00
"""

RETURN = r"""
msg:
  description: The most important figures in one sentence.
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
since:
  description: From when on requests were counted, in UTC. When the first one ended, where the log
    does not reach back to the time that was asked for.
  returned: success
  type: str
  sample: "2026-11-28T15:00:00Z"
until:
  description: Until when.
  returned: success
  type: str
seconds:
  description: Seconds between the two.
  returned: success
  type: float
first_request:
  description: When the first of the requests ended, null without one.
  returned: success
  type: str
last_request:
  description: When the last of them ended, null without one.
  returned: success
  type: str
requests:
  description: How many there were.
  returned: success
  type: int
requests_per_second:
  description: Their rate over that time.
  returned: success
  type: float
bytes:
  description: Bytes that were sent to clients.
  returned: success
  type: int
statuses:
  description: How many requests had a status, by class. V(429) and V(499) are classes of their own
    and not in V(4xx). V(none) is for connections that ended before there was a status.
  returned: success
  type: dict
  sample: {"1xx": 0, "2xx": 1200, "3xx": 3, "4xx": 2, "5xx": 0, "none": 0, "429": 7, "499": 1}
error_percent:
  description: Errors among the good ones and the errors, per cent.
  returned: success
  type: float
errors:
  description: Requests with status 500 and above.
  returned: success
  type: int
limited:
  description: Requests with status 429.
  returned: success
  type: int
limited_by_balancer:
  description: Those of them that a limit of the balancer refused. The application refused the
    others.
  returned: success
  type: int
cut:
  description: Requests whose client left before the answer, or whose connection ended before there
    was a status. A stream that ends early has the status of its header and is not among them.
  returned: success
  type: int
retried:
  description: Requests for which more than one replica was tried.
  returned: success
  type: int
failed_attempts:
  description: Attempts after which another replica was tried.
  returned: success
  type: int
websockets:
  description: Connections that became WebSockets.
  returned: success
  type: int
times:
  description: Seconds from the first byte of a request to the last one of its answer. Null without
    any.
  returned: success
  type: dict
  contains:
    p50:
      description: Half of them took no longer.
      type: float
    p95:
      description: 95 of 100 took no longer.
      type: float
    p99:
      description: 99 of 100 took no longer.
      type: float
    max:
      description: The longest one, exactly.
      type: float
first_byte:
  description: Seconds from the first attempt at a replica to the header of the answer, failed
    attempts included, as percentiles like C(times).
  returned: success
  type: dict
relative_error:
  description: How far a percentile may be away from the exact one, as a part of it.
  returned: success
  type: float
  sample: 0.01
replicas:
  description: The replicas that were tried, by name. A request counts for the one that was tried
    last. Where the configuration of that time is gone, the name is the address.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name, or address and port.
      type: str
    share_percent:
      description: Its part of all requests that a replica got.
      type: float
    requests:
      description: How many it answered, or was the last to be tried for.
      type: int
    errors:
      description: Those with status 500 and above.
      type: int
    error_percent:
      description: Errors among the good ones and the errors, per cent.
      type: float
    limited:
      description: Those that the application refused with 429.
      type: int
    cut:
      description: Those whose client left.
      type: int
    failed_attempts:
      description: How often another one was tried after it.
      type: int
    bytes:
      description: Bytes that were sent to clients.
      type: int
    times:
      description: Percentiles like C(times) above.
      type: dict
    first_byte:
      description: Percentiles like C(first_byte) above.
      type: dict
paths:
  description: The paths with the most requests. Numbers, UUIDs and long hexadecimal names in a
    path are shown as V(*). With the keys of C(replicas) but C(share_percent) and C(first_byte),
    and C(path) in place of C(name). Failed attempts are those of requests for it.
  returned: success
  type: list
  elements: dict
other_paths:
  description: What is not in that list.
  returned: success
  type: dict
  contains:
    requests:
      description: How many requests.
      type: int
    names:
      description: Of how many paths; at most as many, if C(missing_at_most) is not 0.
      type: int
    missing_at_most:
      description: By how much a count in the list can be too low. 0 unless there are thousands of
        paths.
      type: int
clients:
  description: The addresses with the most requests, with the keys of C(paths) but C(times), and
    C(client) in place of C(path).
  returned: success
  type: list
  elements: dict
other_clients:
  description: What is not in that list, with the keys of C(other_paths).
  returned: success
  type: dict
slowest:
  description: The requests that took longest, the slowest first, without WebSockets.
  returned: success
  type: list
  elements: dict
  contains:
    seconds:
      description: How long it took.
      type: float
    ended:
      description: When it ended, in UTC.
      type: str
    method:
      description: Its method.
      type: str
    path:
      description: Its path, without the query string.
      type: str
    status:
      description: Its status.
      type: int
    client:
      description: The client's address.
      type: str
    replica:
      description: The replica that was tried last; empty if none was.
      type: str
    request_id:
      description: Its ID, which the answer has in its header X-Request-ID.
      type: str
log:
  description: What was read.
  returned: success
  type: dict
  contains:
    files:
      description: How many files.
      type: int
    left_out:
      description: How many others lie outside the time that was asked for.
      type: int
    lines:
      description: How many lines those files have.
      type: int
    damaged:
      description: How many lines tell of no request.
      type: int
    notes:
      description: What was wrong with a file.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_report import (
    traffic_report,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.traffic_text import (
    lines,
    sentence,
)


def main() -> None:
    """Read the options and the log, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "since": {"type": "str", "default": ""},
            "until": {"type": "str", "default": ""},
            "top": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        report = traffic_report(
            StackPaths(given["stack"]), given["since"], given["until"], given["top"]
        )
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, msg=sentence(report), report=lines(report), **report)


if __name__ == "__main__":
    main()
