# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts daemon.json in place: validated, swapped in whole, read by the engine, or put back."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_api,
    engine_service,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

_VALIDATE_TIMEOUT = 30
_CONFIRM_SECONDS = 10
_MODE = 0o644


def read(path: str) -> str:
    """The file's text, "" if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise LoadBalancingError(
            f"{path}: it cannot be read: {error}. Nothing was changed."
        ) from error


def validate(path: str) -> None:
    """Have the engine's own program read a settings file, where it can (since 23.0).

    :raises LoadBalancingError: with what the engine says.
    """
    if not shutil.which("dockerd"):
        return
    command = ["dockerd", "--validate", "--config-file", path]
    try:
        programs.run(command, "dockerd --validate", _VALIDATE_TIMEOUT)
    except LoadBalancingError as error:
        if "unknown flag" not in str(error):
            raise LoadBalancingError(f"daemon.json: the engine rejects it: {error}") from error


def replace(path: str, text: str) -> str:
    """Swap the file in whole after the engine has validated it; gives the backup's path or "".

    A symbolic link stays one; owner and mode of an existing file stay, too.
    """
    target = os.path.realpath(path)
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    staged = f"{target}.new"
    backup = ""
    try:
        Path(staged).write_text(text, encoding="utf-8")
        os.chmod(staged, _MODE)
        validate(staged)
        if os.path.exists(target):
            status = os.stat(target)
            os.chmod(staged, status.st_mode & 0o7777)
            os.chown(staged, status.st_uid, status.st_gid)
            backup = f"{target}.{time.strftime('%Y%m%dT%H%M%S')}~"
            shutil.copy2(target, backup)
        os.replace(staged, target)
    finally:
        if os.path.exists(staged):
            os.unlink(staged)
    return backup


def apply(path: str, text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Put new settings in place and, where they can, make them hold in the running engine.

    Only ``live-restore`` can change in a running engine; log options hold after its next start. The
    engine is never restarted here. Gives the backup's path, "" without one.

    :raises LoadBalancingError: if the engine does not take them; the old file is back then.
    """
    backup = replace(path, text)
    wanted = after.get("live-restore")
    if wanted == before.get("live-restore") or not engine_service.answers():
        return backup
    engine_service.reload()
    if _confirmed(bool(wanted)):
        return backup
    target = os.path.realpath(path)
    if backup:
        os.replace(backup, target)
    else:
        os.unlink(target)
    engine_service.reload()
    raise LoadBalancingError(
        f"{path}: the running engine did not take live-restore={wanted} within {_CONFIRM_SECONDS} "
        "s; the file is as before. Look for the reason in the engine's log, or set "
        "docker_engine_live_restore=false."
    )


def _confirmed(live_restore: bool) -> bool:
    """Whether the engine says, in time, that the setting holds."""
    end = time.monotonic() + _CONFIRM_SECONDS
    while time.monotonic() < end:
        info = engine_api.get("/info")
        if info.ok and bool(info.body.get("LiveRestoreEnabled")) is live_restore:
            return True
        time.sleep(0.2)
    return False
