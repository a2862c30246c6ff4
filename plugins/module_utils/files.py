# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a stack on the host: where they are, and how they are written so that nobody ever reads
half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

BASE_DIRECTORY = "/opt"


@dataclass(frozen=True)
class StackPaths:
    """The folder of one stack and what lies where in it (docs/decisions/0001)."""

    name: str
    base: str = BASE_DIRECTORY

    @property
    def root(self) -> str:
        """``/opt/<stack>``."""
        return os.path.join(self.base, self.name)

    @property
    def compose(self) -> str:
        """The Compose project that is in force."""
        return os.path.join(self.root, "compose.yaml")

    @property
    def nginx(self) -> str:
        """One folder per published configuration, and the link ``current``."""
        return os.path.join(self.root, "nginx")

    @property
    def current(self) -> str:
        """The link to the configuration that is in force."""
        return os.path.join(self.nginx, "current")

    @property
    def state(self) -> str:
        """Lock, audit log and what else is remembered."""
        return os.path.join(self.root, "state")

    @property
    def releases(self) -> str:
        """One folder per release."""
        return os.path.join(self.root, "releases")

    @property
    def release(self) -> str:
        """The link to the release that is in force."""
        return os.path.join(self.releases, "current")

    @property
    def logrotate(self) -> str:
        """What logrotate reads about this stack."""
        return f"/etc/logrotate.d/digiz-{self.name}"

    @property
    def secrets(self) -> str:
        """Closed to everybody but root."""
        return os.path.join(self.root, "secrets")

    @property
    def logs(self) -> str:
        """The balancer's access log."""
        return os.path.join(self.root, "logs")

    def create(self) -> None:
        """Make the folders that are missing. Raises LoadBalancingError if the host refuses."""
        for path, mode in (
            (self.root, 0o755),
            (self.nginx, 0o755),
            (self.state, 0o700),
            (self.releases, 0o700),
            (self.secrets, 0o700),
            (self.logs, 0o755),
        ):
            try:
                os.makedirs(path, exist_ok=True)
                os.chmod(path, mode)
            except OSError as error:
                raise LoadBalancingError(f"{path} cannot be made: {error.strerror}.") from error
        members = os.path.join(self.state, "members.json")
        if not os.path.islink(members):
            replace_link(members, os.path.join("..", "nginx", "current", "members.json"))


def read_text(path: str) -> str | None:
    """The text of a file as it is, line ends included; None if there is no such file.

    Raises UnicodeDecodeError, which is a ValueError, if it is no text.
    """
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            return handle.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_json(path: str) -> dict[str, Any]:
    """The mapping in a JSON file; an empty one if the file is missing, empty or damaged."""
    try:
        data = json.loads(read_text(path) or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def write_text(path: str, text: str, mode: int = 0o644) -> None:
    """Write a file so that readers see the old or the new text and a power cut leaves one of them.

    Raises LoadBalancingError when the file system is full or refuses; the old file is then
    untouched.
    """
    folder = os.path.dirname(path)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".", dir=folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fchmod(handle.fileno(), mode)
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise LoadBalancingError(
            f"{path} cannot be written: {error.strerror}. What was there is untouched."
        ) from error


def write_json(path: str, data: Any, mode: int = 0o644) -> None:
    """Write a mapping as JSON, as :func:`write_text` does."""
    write_text(path, json.dumps(data, indent=2, sort_keys=True) + "\n", mode)


def text_diff(header: str, before: str, after: str) -> dict[str, str]:
    """What Ansible shows of a text that changes; "" is one that is not there."""
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def replace_link(path: str, target: str) -> None:
    """Point a symbolic link elsewhere in one step. Raises LoadBalancingError if the host refuses;
    the link is then untouched.
    """
    temporary = f"{path}.{os.getpid()}"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # a process of that number was killed right here
        os.symlink(target, temporary)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise LoadBalancingError(
            f"{path} cannot be pointed to {target}: {error.strerror}."
        ) from error
