#!/usr/bin/python
# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: monitor
short_description: Watch a stack with a Prometheus and an Alertmanager of its own
version_added: 0.1.0
description:
  - Prometheus reads the keeper's metrics and decides on alerts, Alertmanager sends them to
    webhooks and by e-mail.
  - Both are the distribution's programs, run as services of the stack's own, on 127.0.0.1 only.
    Their files lie in C(/opt/<stack>/monitor), with a dashboard for Grafana besides.
  - New configurations are read by C(promtool) and C(amtool) before anything changes. They are
    loaded without a restart.
  - A program that does not come up, or refuses a configuration, is an error. What was before is
    put back then.
  - No deploy lock is needed. Traffic does not depend on the monitor.
author:
  - digiz.load_balancing contributors (@digiz-tech)
requirements:
  - "Debian's or Ubuntu's packages prometheus and prometheus-alertmanager on the managed host"
notes:
  - The module M(digiz.load_balancing.monitor_packages) brings what is required.
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
    details: Also holds on a host without the programs; then the configurations are not read by
      anything.
  diff_mode:
    description: Shows configurations and services. Of a secret it shows only that there is
      another one.
    support: full
  idempotent:
    description: Programs that run with these files are left alone.
    support: full
options:
  stack:
    description:
      - Name of the stack, whose files are in C(/opt/<stack>).
    type: str
    required: true
  state:
    description:
      - Whether there is to be a monitor. V(absent) stops it and removes its configuration; what
        it measured stays in C(/opt/<stack>/monitor/data) until the stack is removed.
    type: str
    choices: [present, absent]
    default: present
  settings:
    description:
      - Ports, limits and receivers, as the role P(digiz.load_balancing.settings#role) makes
        them of the operator's variables.
      - Needed with O(state=present).
    type: dict
  webhook_urls:
    description:
      - URLs that get alerts.
    type: raw
  email_password:
    description:
      - Password of the mail server's user.
    type: str
"""

EXAMPLES = r"""
- name: Watch a stack
  digiz.load_balancing.monitor:
    stack: chatbot
    settings:
      keeper_port: 28080
      prometheus_port: 29080
      alertmanager_port: 30080
      retention: 15d
      scrape_interval: 15
      targets: []
      thresholds: {cpu_percent: 90}
    webhook_urls: [https://chat.example.com/hooks/1]

- name: Watch it no more
  digiz.load_balancing.monitor:
    stack: chatbot
    state: absent
"""

RETURN = r"""
text:
  description: What there is now, in words.
  returned: success
  type: str
  sample: "runs: alertmanager on port 30080, prometheus on port 29080"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_install import (
    absent,
    present,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    MonitorSpec,
    Secrets,
)


def main() -> None:
    """Read the options, install or remove, tell."""
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "settings": {"type": "dict"},
            "webhook_urls": {"type": "raw", "no_log": True},
            "email_password": {"type": "str", "no_log": True},
        },
        required_if=[("state", "present", ["settings"])],
        supports_check_mode=True,
    )
    given = module.params
    paths = StackPaths(given["stack"])
    try:
        if given["state"] == "present":
            spec = MonitorSpec.from_mapping(paths.name, given["settings"])
            secrets = Secrets.read(given["webhook_urls"], given["email_password"])
            change = present(paths, spec, secrets, module.check_mode)
        else:
            change = absent(paths, module.check_mode)
    except LoadBalancingError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=change.changed, text=change.text, diff=change.diff)


if __name__ == "__main__":
    main()
