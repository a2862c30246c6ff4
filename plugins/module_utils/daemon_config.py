# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's daemon.json: what is added to it, without taking anything from it.

Source: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

_SIZE = re.compile(r"[1-9][0-9]*[kmg]")


@dataclass(frozen=True)
class LogRotation:
    """Rotation of the containers' logs: size with unit, number of files."""

    max_size: str
    max_file: int

    def __post_init__(self) -> None:
        if not _SIZE.fullmatch(self.max_size):
            raise LoadBalancingError(
                f"docker_engine_log_max_size: {self.max_size!r} is not allowed: a number and k, m "
                "or g, such as 10m. Set the variable docker_engine_log_max_size."
            )
        if self.max_file < 1:
            raise LoadBalancingError(
                f"docker_engine_log_max_file: {self.max_file} is not allowed: at least 1. "
                "Set the variable docker_engine_log_max_file."
            )


def parse(text: str, path: str) -> dict[str, Any]:
    """The settings in a daemon.json; an empty file has none.

    :raises LoadBalancingError: if it is not a JSON object; the caller must leave the file as it is.
    """
    if not text.strip():
        return {}
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise LoadBalancingError(
            f"{path}: its content is not allowed: a JSON object ({error}). Nothing was changed. "
            "Correct the file, the engine would not start with it either."
        ) from error
    if not isinstance(settings, dict):
        raise LoadBalancingError(
            f"{path}: {type(settings).__name__} is not allowed: a JSON object. Nothing was "
            "changed. Correct the file."
        )
    return settings


def merge(
    settings: Mapping[str, Any],
    rotation: LogRotation,
    live_restore: bool,
    flags: Collection[str] = (),
    swarm: bool = False,
) -> dict[str, Any]:
    """The settings with log rotation and live-restore in them.

    Every other key stays, and so do log options that the owner has set. A log driver other than
    json-file is the owner's choice and rotates in its own way. Live-restore excludes Swarm, so it
    is not added in one.

    :param flags: settings that the engine gets on its command line; it refuses the same in the
        file.
    """
    merged = dict(settings)
    if live_restore and not swarm and "live-restore" not in flags:
        merged["live-restore"] = True
    driver = settings.get("log-driver", "json-file")
    if driver == "json-file" and not {"log-driver", "log-opt"} & set(flags):
        options = settings.get("log-opts") or {}
        if not isinstance(options, dict):
            raise LoadBalancingError(
                f"daemon.json: log-opts: {options!r} is not allowed: a JSON object. Correct the "
                "file."
            )
        wanted = {"max-size": rotation.max_size, "max-file": str(rotation.max_file)}
        merged["log-opts"] = {**wanted, **options}
    return merged


def render(settings: Mapping[str, Any]) -> str:
    """daemon.json's text; the keys keep their order."""
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
