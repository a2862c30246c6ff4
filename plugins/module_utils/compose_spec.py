# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stack is, as the Compose project needs to know it: `StackSpec` and the texts in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import (
    LoadBalancingError,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.statuses import (
    Statuses,
    parse_statuses,
)

_DEFAULT_IMAGES = {"balancer": "digiz/nginx:1.30", "database": "digiz/postgres:17"}
_ALLOWED_CONTROLS = "\n\t"


@dataclass(frozen=True)
class StackSpec:
    """A stack, checked and typed (settings.resolve()['stack'] plus the images that were found).

    `images` maps app, balancer and database to references; `secrets` are names; times are whole
    seconds; `cpus` and `cpu_reservation` are numbers, `memory` and the like texts such as 512m.
    """

    stack_name: str
    images: Mapping[str, str]
    version: str
    mode: str = "production"
    replicas: int = 3
    port: int = 8000
    health_path: str = "/health"
    health_interval: float = 1.0
    health_timeout: float = 1.0
    health_rise: int = 2
    health_fall: int = 3
    health_status: str = "200-399"
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    pre_deploy: tuple[str, ...] = ()
    user: str = ""
    read_only: bool = False
    cpus: float = 1.0
    memory: str = "1g"
    cpu_reservation: float = 0.5
    memory_reservation: str = "512m"
    start_timeout: int = 60
    stop_grace: int = 30
    restart_after: int = 10
    keeper_enabled: bool = True
    keeper_port: int = 20080
    database: str = "none"
    database_memory: str = "1g"
    extra_services: Mapping[str, Any] = field(default_factory=dict)
    tls: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> StackSpec:
        """Build a spec from a plain mapping with these fields as keys; lists become tuples.

        Raises LoadBalancingError for a key that is missing or unknown and for a wrong type.
        """
        known = {item.name: item for item in dataclasses.fields(cls)}
        required = {"stack_name", "images", "version"}
        for kind, names in (
            ("missing", required - set(data)),
            ("unknown", set(data) - set(known)),
        ):
            if names:
                raise LoadBalancingError(
                    f"stack: {kind} settings {', '.join(sorted(names))}. "
                    "Take the mapping that the role settings returns."
                )
        values = {name: _typed(name, str(known[name].type), value) for name, value in data.items()}
        spec = cls(**values)
        if "app" not in spec.images:
            raise LoadBalancingError("stack: images has no app. Set the variable app_image.")
        return dataclasses.replace(spec, images={**_DEFAULT_IMAGES, **spec.images})

    @property
    def directory(self) -> str:
        """The stack's folder on the host."""
        return f"/opt/{self.stack_name}"

    @property
    def embedded_database(self) -> bool:
        """Whether PostgreSQL runs in the stack."""
        return self.database == "embedded"

    @property
    def health_statuses(self) -> Statuses:
        """The answers that are healthy."""
        return parse_statuses(self.health_status)

    @property
    def limited(self) -> bool:
        """Whether replicas and database have resource limits."""
        return self.mode != "development"

    @property
    def wanted_replicas(self) -> int:
        """Replicas that shall run."""
        return self.replicas if self.mode != "development" else 1


def compose_text(value: str) -> str:
    """Return `value` as Compose must read it to mean just that: no `$` of it is a variable.

    Raises LoadBalancingError for control characters (newline and tab are allowed) and for what
    cannot be written as UTF-8.
    """
    for char in value:
        control = (ord(char) < ord(" ") or "\x7f" <= char <= "\x9f") and (
            char not in _ALLOWED_CONTROLS
        )
        if control or "\ud800" <= char <= "\udfff":
            raise LoadBalancingError(
                f"compose.yaml: a text with the character U+{ord(char):04X} is not allowed: texts "
                "without control characters. Remove it from the stack's variables."
            )
    return value.replace("$", "$$")


def quoted(data: Any) -> Any:
    """Return `data` with every text in it passed through compose_text(); tuples become lists.

    Compose replaces variables in values alone, so the keys of mappings keep their `$`.
    """
    if isinstance(data, str):
        return compose_text(data)
    if isinstance(data, Mapping):
        return {_key(key): quoted(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [quoted(item) for item in data]
    return data


def _key(key: object) -> str:
    compose_text(str(key))
    return str(key)


def _typed(name: str, annotation: str, value: Any) -> Any:
    """Return `value` as the field's annotation wants it; types only, ranges are checked before."""
    wanted = annotation.split("[", maxsplit=1)[0]
    if wanted == "tuple" and isinstance(value, (list, tuple)):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
    elif wanted == "Mapping" and isinstance(value, Mapping):
        return dict(value)
    elif wanted == "float" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif wanted == type(value).__name__:
        return value
    elif wanted == "str" and isinstance(value, str):
        return str.__str__(value)
    raise LoadBalancingError(
        f"stack: {name}: {value!r} is not allowed: {annotation}. "
        "Take the mapping that the role settings returns."
    )
