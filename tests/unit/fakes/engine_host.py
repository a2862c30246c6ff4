# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host as the role docker_engine sees it: files below a folder, programs, the engine's socket."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_state
from tests.unit.fakes.engine_socket import EngineSocket
from tests.unit.fakes.programs import Programs


def elf(kinds: Sequence[int], wide: bool = True) -> bytes:
    """The head of an ELF program with program headers of these types."""
    head = bytearray(64 if wide else 52)
    head[:6] = b"\x7fELF" + (b"\x02" if wide else b"\x01") + b"\x01"
    size = 56 if wide else 32
    struct.pack_into("<Q" if wide else "<I", head, 32 if wide else 28, len(head))
    struct.pack_into("<HH", head, 54 if wide else 42, size, len(kinds))
    return bytes(head) + b"".join(struct.pack("<I", kind).ljust(size, b"\0") for kind in kinds)


class EngineHost:
    """A host on which nothing is installed and nothing starts services."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self.programs = Programs(folder, patch)
        self.engine = EngineSocket(folder, patch)
        self._patch = patch
        which, below = shutil.which, str(self.programs.folder)
        patch.setattr(engine_state, "Path", lambda path: Path(self.below(str(path))))
        patch.setattr(engine_state, "os", self._rooted())
        patch.setattr(
            engine_state,
            "shutil",
            SimpleNamespace(which=lambda name, path="": which(name, 1, below)),
        )
        patch.setattr(
            engine_state.has_static_busybox, "__defaults__", (self.below(engine_state.BUSYBOX),)
        )
        patch.setitem(sys.modules, "docker", None)

    def below(self, path: str) -> str:
        """Where a file of the host lies."""
        return f"{self.root}{path}"

    def write(self, path: str, content: str | bytes = "") -> Path:
        """Put a file on the host."""
        there = Path(self.below(path))
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(content.encode() if isinstance(content, str) else content)
        return there

    def run_systemd(self, enabled: bool) -> None:
        """Let systemd be process 1."""
        Path(self.below("/run/systemd/system")).mkdir(parents=True)
        answer = "echo enabled" if enabled else "echo disabled; exit 1"
        self.programs.have("systemctl", f'[ "$1" != is-enabled ] || {{ {answer}; }}')

    def run_engine(self, *flags: str, **info: object) -> None:
        """Let the engine run, with these words on its command line."""
        self.write(engine_state.PID_FILE, "7\n")
        self.write("/proc/7/comm", "dockerd\n")
        self.write("/proc/7/cmdline", "\0".join(("dockerd", *flags, "")))
        self.engine.listen(**info)

    def have_docker(self, server: bool = True) -> None:
        """Install Debian's client, with its plugins and the SDK, and all else that is needed."""
        version = "echo 26.1.5" if server else "echo 26.1.5; exit 1"
        self.programs.have(
            "docker",
            f'case "$*" in\n"version "*) {version} ;;\n'
            '--version) echo "Docker version 26.1.5+dfsg1, build a72d7cd" ;;\n'
            "compose*) echo 2.26.1-4 ;;\n"
            "buildx*) echo github.com/docker/buildx v0.13.1 1234 ;;\nesac",
        )
        self.programs.have("dpkg-query", "echo 'docker.io installed'; exit 1")
        self.programs.have("logrotate")
        self.write("/usr/lib/python3/dist-packages/docker/__init__.py")
        self.write(engine_state.BUSYBOX, elf([1]))
        self.find_sdk()

    def find_sdk(self) -> None:
        """Let the interpreter that runs the modules find the SDK."""
        self._patch.delitem(sys.modules, "docker", raising=False)

    def _rooted(self) -> SimpleNamespace:
        path = SimpleNamespace(
            isdir=lambda path: os.path.isdir(self.below(path)),
            exists=lambda path: os.path.exists(self.below(path)),
        )
        return SimpleNamespace(
            path=path,
            access=lambda path, mode: os.access(self.below(path), mode),
            X_OK=os.X_OK,
            defpath=os.defpath,
        )
