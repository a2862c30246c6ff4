# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases of a stack: what was deployed, kept, so that it can be put back.

A release is a folder ``releases/<n>/`` that holds all that defines the stack. ``releases/current``
points to the one in force, so taking one into force is one rename. Releases are never changed,
except for their status: ``pending`` until a run has carried them out, then ``deployed``, or
``failed``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    read_json,
    read_text,
    replace_link,
    write_json,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from ansible_collections.digiz.load_balancing.plugins.module_utils.yaml_text import dump

COMPOSE, NGINX, STACK, PROJECT = "compose.yaml", "nginx.conf", "stack.json", "project.json"
FILES = (COMPOSE, NGINX, STACK, PROJECT)
RECORD = "release.json"
PENDING, DEPLOYED, FAILED = "pending", "deployed", "failed"
KEPT = 5


@dataclass(frozen=True)
class Release:
    """What defines a stack: the Compose project, nginx's static part, and the figures that a
    rollout needs.
    """

    project: Mapping[str, Any]
    nginx: str
    stack: Stack
    secret_files: Mapping[str, str]

    def texts(self) -> dict[str, str]:
        """The files of the release."""
        return {
            COMPOSE: dump(dict(self.project)),
            NGINX: self.nginx,
            STACK: _json(self.stack.as_dict()),
            PROJECT: _json({"project": self.project, "secret_files": self.secret_files}),
        }

    def services(self) -> dict[str, str]:
        """The revision of each service that always runs and is not replicated."""
        found = {}
        for name, service in self.project["services"].items():
            labels = service.get("labels") or {}
            if name != "app" and not service.get("profiles"):
                found[name] = str(labels.get("digiz.load_balancing.revision", ""))
        return found

    def scaled(self, count: int) -> Release:
        """The same with another number of replicas."""
        project = json.loads(json.dumps(self.project))
        project["services"]["app"]["deploy"]["replicas"] = count
        stack = Stack.from_mapping({**self.stack.as_dict(), "count": count})
        return Release(project, self.nginx, stack, self.secret_files)

    @property
    def nginx_digest(self) -> str:
        """Fingerprint of nginx's static part."""
        return digest(self.nginx)


class Releases:
    """The releases of one stack on this host."""

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths

    def numbers(self) -> list[int]:
        """All that are kept, oldest first."""
        try:
            return sorted(int(name) for name in os.listdir(self._paths.releases) if name.isdigit())
        except FileNotFoundError:
            return []

    def current(self) -> int:
        """The number of the release in force, 0 if there is none."""
        target = os.path.basename(os.path.realpath(self._paths.release))
        return int(target) if target.isdigit() else 0

    def texts(self, number: int) -> dict[str, str]:
        """The files of a release; empty texts for those that are missing or no text."""
        return {name: self._text(number, name) for name in FILES}

    def _text(self, number: int, name: str) -> str:
        try:
            return read_text(self._path(number, name)) or ""
        except ValueError:
            return ""

    def read(self, number: int) -> Release:
        """A release. Raises LoadBalancingError if it is not there or damaged."""
        texts = self.texts(number)
        try:
            kept = json.loads(texts[PROJECT])
            stack = Stack.from_mapping(json.loads(texts[STACK]))
            return Release(kept["project"], texts[NGINX], stack, kept["secret_files"])
        except (ValueError, KeyError, TypeError, LoadBalancingError) as error:
            raise LoadBalancingError(
                f"Release {number} of the stack {self._paths.name} is missing or damaged. "
                "Run the playbook deploy."
            ) from error

    def status(self, number: int) -> str:
        """``pending``, ``deployed`` or ``failed``; empty if there is no such release."""
        return str(read_json(self._path(number, RECORD)).get("status", ""))

    def last_deployed(self) -> int:
        """The newest release that was carried out, 0 if there is none."""
        deployed = (number for number in self.numbers() if self.status(number) == DEPLOYED)
        return max(deployed, default=0)

    def previous(self) -> int:
        """The newest carried-out release whose replicas differ from those of the release in force,
        0 if none.
        """
        current = self.read(self.current()).stack
        for number in reversed(self.numbers()):
            if self.status(number) == DEPLOYED:
                stack = self.read(number).stack
                if (stack.revision, stack.image) != (current.revision, current.image):
                    return number
        return 0

    def add(self, release: Release, who: str) -> int:
        """Write a new release, pending and not in force yet; gives its number."""
        number = max([*self.numbers(), self.current()], default=0) + 1
        folder = os.path.join(self._paths.releases, str(number))
        try:
            os.makedirs(folder, mode=0o700)
        except OSError as error:
            raise LoadBalancingError(
                f"{folder} cannot be made: {error.strerror}. Nothing was changed."
            ) from error
        try:
            for name, text in release.texts().items():
                write_text(os.path.join(folder, name), text, 0o600)
            self._record(number, {"status": PENDING, "who": who, "version": release.stack.version})
        except LoadBalancingError:
            self.discard(number)
            raise
        return number

    def discard(self, number: int) -> None:
        """Remove a release that is not in force."""
        shutil.rmtree(os.path.join(self._paths.releases, str(number)), ignore_errors=True)

    def take_into_force(self, number: int) -> None:
        """Point ``current`` to a release. This is the last thing done: a run that is killed before
        it has changed nothing, one that is killed after it leaves nothing to do.
        """
        if not os.path.islink(self._paths.compose):
            replace_link(self._paths.compose, os.path.join("releases", "current", COMPOSE))
        replace_link(self._paths.release, str(number))

    def mark(self, number: int, status: str) -> None:
        """Remember how a release ended."""
        record = read_json(self._path(number, RECORD))
        self._record(number, {**record, "status": status})

    def prune(self) -> set[str]:
        """Remove all but the release in force and the newest of each of the last five versions.

        Releases that only differ in the number of replicas count as one: scaling must not push out
        what one may want to go back to. Gives the images that only the removed releases named.
        """
        kept, versions = {self.current()}, set()
        for number in reversed(self.numbers()):
            stack = read_json(self._path(number, STACK))
            version = (stack.get("revision"), stack.get("image"))
            if self.status(number) == DEPLOYED and version not in versions:
                versions.add(version)
                if len(versions) <= KEPT:
                    kept.add(number)
        images: dict[bool, set[str]] = {True: set(), False: set()}
        for number in self.numbers():
            images[number in kept].add(self._image(number))
            if number not in kept:
                self.discard(number)
        return images[False] - images[True] - {""}

    def _image(self, number: int) -> str:
        return str(read_json(self._path(number, STACK)).get("image", ""))

    def file(self, number: int, name: str) -> str:
        """The path of a release's file."""
        return self._path(number, name)

    def _path(self, number: int, name: str) -> str:
        return os.path.join(self._paths.releases, str(number), name)

    def _record(self, number: int, data: Mapping[str, Any]) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        write_json(self._path(number, RECORD), {**data, "number": number, "time": stamp}, 0o600)


def digest(text: str) -> str:
    """Fingerprint of a text, 12 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _json(data: Any) -> str:
    """In the order that the data have: what is rendered from it again must be the same text."""
    return json.dumps(data, indent=2) + "\n"
