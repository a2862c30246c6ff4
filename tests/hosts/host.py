# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host: start it, run something in it, give it images, destroy it."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.hosts.image import ensure_image

LABEL = "digiz.load_balancing.test-host"
_BOOT_SECONDS = 60
_BOOTED = ("running", "degraded")
#: What systemd needs on a kernel that has cgroup v1 only; on v2 it is ignored.
_INIT = ["/sbin/init", "systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
#: Folders whose files tell whether a host was changed; what a host changes by itself is left out.
_WATCHED = ("/etc", "/usr", "/opt", "/root", "/home", "/var")
_VOLATILE = ("/var/log", "/var/tmp", "/var/lib/systemd", "/var/lib/docker", "/var/cache/ldconfig")


@dataclass(frozen=True)
class Host:
    """A running host, by its container's name."""

    name: str

    def run(self, *command: str, check: bool = True, timeout: float = 120) -> str:
        """Run a command in the host as root; gives its output.

        :raises RuntimeError: with the output, if it fails and ``check`` is set.
        """
        result = subprocess.run(
            ["docker", "exec", self.name, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
        )
        if check and result.returncode:
            raise RuntimeError(f"{' '.join(command)} failed on {self.name}:\n{result.stdout}")
        return result.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file in the host, its folder too."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1"'
        command = ["docker", "exec", "-i", self.name, "sh", "-c", script, "sh", path]
        subprocess.run(command, input=text, text=True, check=True, timeout=30)

    def send_images(self, images: Sequence[str]) -> None:
        """Give images of this machine's engine to the host's engine, those that it has not yet."""
        ask = ["docker", "image", "inspect", "--format", "{{.Id}}"]
        here = {name: subprocess.check_output([*ask, name], text=True).strip() for name in images}
        missing = [name for name in images if self.run(*ask, name, check=False) != here[name]]
        if not missing:
            return
        with subprocess.Popen(["docker", "save", *missing], stdout=subprocess.PIPE) as save:
            load = ["docker", "exec", "-i", self.name, "docker", "load", "--quiet"]
            subprocess.run(load, stdin=save.stdout, check=True, timeout=300)

    def wait_until_booted(self) -> None:
        """Wait until systemd has started what it can; in a container some units fail."""
        end = time.monotonic() + _BOOT_SECONDS
        while self.run("systemctl", "is-system-running", check=False) not in _BOOTED:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} has not booted within {_BOOT_SECONDS} s")
            time.sleep(0.3)

    def tree(self) -> dict[str, str]:
        """The files that a change of the host would touch: path -> type, mode, size, time."""
        prune = [word for path in _VOLATILE for word in ("-path", path, "-prune", "-o")]
        form = "%p\\t%y %m %U %s %T@\\n"
        # Folders' times change with each temporary file in them; their files tell enough.
        listed = self.run(
            "find", *_WATCHED, *prune, "!", "-type", "d", "!", "-name", "*.pyc", "-printf", form
        )
        return dict(line.split("\t", 1) for line in listed.splitlines() if "\t" in line)

    def restart(self) -> None:
        """Shut the host down properly and start it again; its boot is not waited for."""
        signal = "SIGRTMIN+3"  # what asks systemd to halt
        for command in (["stop", "--signal", signal, "--time", "90"], ["start"]):
            subprocess.run(
                ["docker", *command, self.name], capture_output=True, check=True, timeout=120
            )

    @property
    def address(self) -> str:
        """Where this machine reaches the host; it may be another one after a restart."""
        form = "{{.NetworkSettings.IPAddress}}"
        command = ["docker", "inspect", "--format", form, self.name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def destroy(self) -> None:
        """Remove the host with its volumes."""
        command = ["docker", "rm", "--force", "--volumes", self.name]
        subprocess.run(command, capture_output=True, check=False, timeout=60)


def start(release: str, name: str = "", systemd: bool = True) -> Host:
    """Start a fresh host and wait until it has booted (some seconds).

    :param systemd: whether process 1 is systemd, or a program that starts nothing.
    """
    image = ensure_image(release)
    host = Host(name or f"lbtest-host-{release}-{secrets.token_hex(3)}")
    command = ["docker", "run", "--detach", "--privileged", "--name", host.name]
    command += ["--hostname", host.name, "--label", f"{LABEL}={release}"]
    command += ["--volume", "/var/lib/docker", "--tmpfs", "/run", "--tmpfs", "/tmp:exec"]
    init = _INIT if systemd else ["sleep", "infinity"]
    done = subprocess.run(
        [*command, image, *init], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise RuntimeError(f"{host.name} does not start: {done.stderr.strip()}")
    try:
        if systemd:
            host.wait_until_booted()
    except BaseException:
        host.destroy()
        raise
    return host


@contextmanager
def running(release: str, systemd: bool = True) -> Iterator[Host]:
    """A fresh host for the length of a ``with`` block."""
    host = start(release, systemd=systemd)
    try:
        yield host
    finally:
        host.destroy()


def leftovers() -> list[Host]:
    """Hosts that are there, also those that an interrupted test left behind."""
    command = ["docker", "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return [Host(name) for name in listed.stdout.split()]


def inventory(hosts: Sequence[Host]) -> str:
    """An Ansible inventory (YAML, written as JSON) of the hosts."""
    variables: dict[str, Any] = {
        "ansible_connection": "community.docker.docker",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_pipelining": True,
    }
    names: dict[str, Any] = {host.name: {} for host in hosts}
    return json.dumps({"all": {"hosts": names, "vars": variables}}, indent=2) + "\n"
