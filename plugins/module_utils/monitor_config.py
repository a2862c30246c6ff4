# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configurations of Prometheus and Alertmanager, as text. Pure.

Newer Alertmanagers read secrets from files of their own (``SECRET_FILES_SINCE``); for older ones
they stand in the configuration, whose file only they can read.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_rules import HOSTS_JOB
from ansible_collections.digiz.load_balancing.plugins.module_utils.monitor_spec import (
    Email,
    MonitorSpec,
    Secrets,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.yaml_text import dump

ADDRESS = "127.0.0.1"
RULES_FILE = "rules.yml"
PASSWORD_FILE = "email-password"
KEEPER_JOB = "keeper"
RECEIVER = "operators"
GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL = "10s", "1m", "4h"
"""How long Alertmanager gathers the first alerts of a group, later ones and ends, and when it says
it all again.
"""

SECRET_FILES_SINCE = (0, 26)
"""The Alertmanager that has url_file of webhooks; auth_password_file is older."""

_LONGEST_SCRAPE = 10
_SECRET = re.compile(r"^(\s*(?:- )?)(url|auth_password)(?:_file)?: .*$", re.MULTILINE)
_MADE_QUIET = ("ReplicaUnhealthy", "MembersMissing", "ErrorsHigh")


def prometheus_yaml(spec: MonitorSpec) -> str:
    """prometheus.yml; the rules lie beside it."""
    jobs = {KEEPER_JOB: [f"{ADDRESS}:{spec.keeper_port}"], HOSTS_JOB: list(spec.targets)}
    return dump(
        {
            "global": {
                "scrape_interval": f"{spec.scrape_interval}s",
                "scrape_timeout": f"{min(spec.scrape_interval, _LONGEST_SCRAPE)}s",
                "evaluation_interval": f"{spec.scrape_interval}s",
                "external_labels": {"stack": spec.stack},
            },
            "rule_files": [RULES_FILE],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [f"{ADDRESS}:{spec.alertmanager_port}"]}]}
                ]
            },
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": targets}]}
                for name, targets in jobs.items()
                if targets
            ],
        }
    )


def webhook_file(number: int) -> str:
    """Name of the file with one webhook's URL, counted from 1."""
    return f"webhook-{number}"


def alertmanager_yaml(spec: MonitorSpec, secrets: Secrets, folder: str | None) -> str:
    """alertmanager.yml: all alerts go to all receivers, once more when they end.

    :param folder: where the files with the secrets lie; None writes the secrets themselves.
    """
    receiver: dict[str, Any] = {"name": RECEIVER}
    if secrets.webhook_urls:
        receiver["webhook_configs"] = [
            {"send_resolved": True, **_secret("url", url, folder, webhook_file(number))}
            for number, url in enumerate(secrets.webhook_urls, 1)
        ]
    if spec.email:
        receiver["email_configs"] = [
            _email(spec.email, address, secrets, folder) for address in spec.email.to
        ]
    return dump(
        {
            "route": {
                "receiver": RECEIVER,
                "group_by": ["stack", "alertname"],
                "group_wait": GROUP_WAIT,
                "group_interval": GROUP_INTERVAL,
                "repeat_interval": REPEAT_INTERVAL,
            },
            "receivers": [receiver],
            "inhibit_rules": [
                {
                    "source_matchers": ['alertname="StackDown"'],
                    "target_matchers": [f'alertname=~"{"|".join(_MADE_QUIET)}"'],
                    "equal": ["stack"],
                }
            ],
        }
    )


def _email(email: Email, address: str, secrets: Secrets, folder: str | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "send_resolved": True,
        "to": address,
        "from": email.sender,
        "smarthost": email.smarthost,
        "require_tls": not email.local,
    }
    if email.username:
        config["auth_username"] = email.username
        config.update(_secret("auth_password", secrets.email_password, folder, PASSWORD_FILE))
    return config


def _secret(key: str, value: str, folder: str | None, name: str) -> dict[str, str]:
    return {key: value} if folder is None else {f"{key}_file": f"{folder}/{name}"}


def secret_files(spec: MonitorSpec, secrets: Secrets) -> dict[str, str]:
    """By name: what stands in the files that :func:`alertmanager_yaml` speaks of."""
    files = {webhook_file(n): url for n, url in enumerate(secrets.webhook_urls, 1)}
    if spec.email and spec.email.username:
        files[PASSWORD_FILE] = secrets.email_password
    return files


def without_secrets(text: str) -> str:
    """An alertmanager.yml of :func:`alertmanager_yaml` that may be shown."""
    return _SECRET.sub(r"\1\2: (secret)", text)
