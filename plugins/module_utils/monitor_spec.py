# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is watched, by which limits, and who is told: the data that a monitor is made from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import read_field

PREFIX = "load_balancing_"
"""What the keeper's metrics begin with (keeper_metrics.PREFIX)."""

_NUMBERS = ("keeper_port", "prometheus_port", "alertmanager_port", "scrape_interval")
_WHOLE = frozenset({"certificate_days", "restarts", "replica_seconds"})


@dataclass(frozen=True)
class Thresholds:
    """Limits of the alerts, by the variables ``alert_*`` less that prefix."""

    cpu_percent: float = 80.0
    memory_percent: float = 80.0
    error_percent: float = 1.0
    p95_seconds: float = 2.0
    first_byte_seconds: float = 2.0
    disk_percent: float = 90.0
    certificate_days: int = 14
    restarts: int = 3
    replica_seconds: int = 60


@dataclass(frozen=True)
class Email:
    """Who gets e-mail (``to``), from whom, by which server (``smarthost`` is HOST:PORT), and as
    which user of it, "" for none.
    """

    to: tuple[str, ...]
    sender: str
    smarthost: str
    username: str = ""

    @property
    def local(self) -> bool:
        """Whether the server is this host, where a connection needs no TLS."""
        return self.smarthost.rpartition(":")[0] in ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class MonitorSpec:
    """A monitor of one stack, without its secrets. ``retention`` is Prometheus' own spelling
    (15d), ``scrape_interval`` seconds, ``targets`` are HOST:PORT of other hosts.
    """

    stack: str
    keeper_port: int
    prometheus_port: int
    alertmanager_port: int
    retention: str = "15d"
    scrape_interval: int = 15
    targets: tuple[str, ...] = ()
    thresholds: Thresholds = Thresholds()
    email: Email | None = None

    @classmethod
    def from_mapping(cls, stack: str, data: Mapping[str, Any]) -> MonitorSpec:
        """The spec in the mapping ``monitor`` of the settings (settings_monitor.derived()).

        :raises LoadBalancingError: if something is missing or of another type.
        """
        try:
            mail = data.get("email") or {}
            limits = {
                name: int(value) if name in _WHOLE else float(value)
                for name, value in data["thresholds"].items()
            }
            return cls(
                stack=stack,
                retention=str(data["retention"]),
                targets=tuple(str(one) for one in data["targets"]),
                thresholds=Thresholds(**limits),  # type: ignore[arg-type]
                email=Email(tuple(mail["to"]), mail["sender"], mail["smarthost"], mail["username"])
                if mail
                else None,
                **{name: int(data[name]) for name in _NUMBERS},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LoadBalancingError(
                f"monitor_settings: no monitor can be made of it ({error!r}). Set the variable "
                "monitor_settings to what the role settings gives."
            ) from error


@dataclass(frozen=True)
class Secrets:
    """Where alerts are sent, and the password of the mail server's user. Never shown."""

    webhook_urls: tuple[str, ...] = ()
    email_password: str = ""

    @classmethod
    def read(cls, webhook_urls: object, email_password: object) -> Secrets:
        """What operators wrote.

        :raises LoadBalancingError: which shows no value.
        """
        urls = read_field("monitor_webhook_urls", webhook_urls) if webhook_urls else []
        password = read_field("monitor_email_password", email_password) if email_password else ""
        return cls(tuple(cast("list[str]", urls)), str(password))

    def hide(self, text: str) -> str:
        """The text without any of them."""
        for secret in sorted((*self.webhook_urls, self.email_password), key=len, reverse=True):
            text = text.replace(secret, "(secret)") if secret else text
        return text
