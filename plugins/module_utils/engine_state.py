# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has of what the stack needs: the engine, its plugins, the SDK, a static busybox,
logrotate.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.digiz.load_balancing.plugins.module_utils import engine_api
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.programs import capture

MINIMUM_ENGINE = (20, 10)
MINIMUM_COMPOSE = (2, 20)
BUSYBOX = "/bin/busybox"
PID_FILE = "/var/run/docker.pid"
_SYSTEM_SDK = "/usr/lib/python3/dist-packages/docker/__init__.py"
_PLUGIN_TIMEOUT = 20
_PT_INTERP = 3


@dataclass(frozen=True)
class EngineState:
    """What there is; versions are "" for what is missing."""

    running: bool
    engine: str
    client: str
    compose: str
    buildx: str
    sdk: bool
    sdk_system: bool
    busybox: bool
    logrotate: bool
    init: str
    enabled: bool
    family: str
    swarm: bool
    live_restore: bool
    flags: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """What has to be installed: engine, client, compose, buildx, sdk, busybox,
        logrotate.
        """
        checks = {
            "engine": bool(self.engine) or self.family != "none",
            "client": bool(self.client),
            "compose": version_tuple(self.compose) >= MINIMUM_COMPOSE,
            "buildx": bool(self.buildx),
            "sdk": self.sdk_system,
            "busybox": self.busybox,
            "logrotate": self.logrotate,
        }
        return [name for name, there in checks.items() if not there]


def version_tuple(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, "v2.26.1-4" -> (2, 26, 1); () when there are none.

    A Debian epoch ("5:27.1") is left out.
    """
    match = re.match(r"v?(?:\d+:)?(\d+(?:\.\d+)*)", text.strip())
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def check_engine_version(engine: str) -> None:
    """An engine that is there is never replaced, so it has to be new enough.

    :raises LoadBalancingError: if it is older than :data:`MINIMUM_ENGINE`.
    """
    if engine and version_tuple(engine) < MINIMUM_ENGINE:
        least = ".".join(map(str, MINIMUM_ENGINE))
        raise LoadBalancingError(
            f"docker engine: {engine} is not allowed: at least {least}. Upgrade the engine of this "
            "host; an engine that is there is never replaced."
        )


def check_interpreter(state: EngineState) -> None:
    """Modules run with the interpreter that Ansible chose; the SDK is for the system's own.

    :raises LoadBalancingError: if the SDK is installed where that interpreter does not find it.
    """
    if state.sdk_system and not state.sdk:
        raise LoadBalancingError(
            f"ansible_python_interpreter: {sys.executable} is not allowed: it does not find the "
            "Docker SDK, which is installed for /usr/bin/python3. Set "
            "ansible_python_interpreter=/usr/bin/python3 for this host."
        )


def command_output(command: Sequence[str], timeout: float = _PLUGIN_TIMEOUT) -> str:
    """A command's standard output, "" if it fails or is not there."""
    try:
        ended = capture(command, command[0], timeout)
    except LoadBalancingError:
        return ""
    return ended.output.strip() if ended.status == 0 else ""


def is_static_elf(data: bytes) -> bool:
    """Whether a little-endian ELF program needs no dynamic loader (has no PT_INTERP; elf(5)).

    :param data: the first 4 KiB of the file at least.
    """
    if data[:4] != b"\x7fELF" or data[5:6] != b"\x01":
        return False
    wide = data[4:5] == b"\x02"
    (offset,) = struct.unpack_from("<Q" if wide else "<I", data, 32 if wide else 28)
    size, count = struct.unpack_from("<HH", data, 54 if wide else 42)
    starts = range(offset, offset + size * count, size or 1)
    kinds = [struct.unpack_from("<I", data, at)[0] for at in starts if at + 4 <= len(data)]
    return bool(kinds) and _PT_INTERP not in kinds


def has_static_busybox(path: str = BUSYBOX) -> bool:
    """Whether the host has a busybox that runs in every container."""
    try:
        with open(path, "rb") as program:
            return is_static_elf(program.read(4096))
    except OSError:
        return False


def init_system() -> str:
    """``systemd`` where it is process 1, ``sysv`` with an init script, else ``none``."""
    if os.path.isdir("/run/systemd/system"):
        return "systemd"
    return "sysv" if os.access("/etc/init.d/docker", os.X_OK) else "none"


def starts_at_boot(init: str) -> bool:
    """Whether the engine is started with the host."""
    if init == "systemd":
        return command_output(["systemctl", "is-enabled", "docker.service"]) == "enabled"
    return any(Path("/etc").glob("rc[2-5].d/S[0-9][0-9]docker")) or init == "none"


def package_family() -> str:
    """Whose engine is installed: docker, distribution, other (no package) or none."""
    form = "${Package} ${db:Status-Status}\n"
    query = ["dpkg-query", "-W", "-f", form, "docker-ce", "docker.io"]
    try:  # its status is 1 when one of them is unknown
        listed = capture(query, query[0], timeout=20).output
    except LoadBalancingError:
        listed = ""
    for package, family in (("docker-ce", "docker"), ("docker.io", "distribution")):
        if f"{package} installed" in listed.splitlines():
            return family
    return "other" if shutil.which("dockerd") else "none"


def engine_pid() -> int:
    """The engine's process, 0 if it does not run here."""
    try:
        pid = int(Path(PID_FILE).read_text(encoding="ascii"))
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return 0
    return pid if name == "dockerd" else 0


def engine_flags() -> tuple[str, ...]:
    """Names of the settings that the running engine got on its command line: ``live-restore``, …

    A setting given there must not be in daemon.json too: the engine refuses both.
    """
    pid = engine_pid()
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    except OSError:
        return ()
    return tuple(word[2:].partition("=")[0] for word in words if word.startswith("--"))


def observe() -> EngineState:
    """Look at the host; at most some short commands, changes nothing."""
    info = engine_api.get("/info")
    body: Mapping[str, Any] = info.body if info.ok and isinstance(info.body, dict) else {}
    client = command_output(["docker", "version", "--format", "{{.Client.Version}}"])
    if not client and shutil.which("docker"):
        # Without an engine `docker version` prints the client's version and fails.
        client = command_output(["docker", "--version"]).partition("version ")[2].partition(",")[0]
    init = init_system()
    family = package_family()
    sdk = importlib.util.find_spec("docker") is not None
    return EngineState(
        running=info.ok,
        engine=str(body.get("ServerVersion", "")),
        client=client,
        compose=command_output(["docker", "compose", "version", "--short"]) if client else "",
        buildx=_second_word(command_output(["docker", "buildx", "version"])) if client else "",
        sdk=sdk,
        sdk_system=os.path.exists(_SYSTEM_SDK) or (sdk and sys.prefix == "/usr"),
        busybox=has_static_busybox(),
        logrotate=shutil.which("logrotate", path=os.defpath + ":/usr/sbin:/sbin") is not None,
        init=init,
        enabled=starts_at_boot(init),
        family=family,
        swarm=(body.get("Swarm") or {}).get("LocalNodeState") == "active",
        live_restore=bool(body.get("LiveRestoreEnabled", False)),
        flags=engine_flags() if info.ok else (),
    )


def _second_word(text: str) -> str:
    return [*text.split(), "", ""][1]
