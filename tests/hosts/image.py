# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of minimal hosts, made of the distributions' own packages; kept for the next run."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = "lb-test-host"
_BUILD_SECONDS = 600
_LOCKS = Path(__file__).resolve().parent.parent.parent / ".cache"
_PACKAGES = ("apt", "systemd", "systemd-sysv", "dbus", "python3", "iproute2", "procps")


@dataclass(frozen=True)
class Release:
    """A distribution's release: where its packages are, and the key that signs them."""

    name: str
    mirror: str
    security: str
    components: str
    keyring: str
    keyring_package: str

    def sources(self) -> list[str]:
        """The lines of the host's sources.list."""
        head = f"deb [signed-by={self.keyring}]"
        return [
            f"{head} {self.mirror} {self.name} {self.components}",
            f"{head} {self.mirror} {self.name}-updates {self.components}",
            f"{head} {self.security} {self.name}-security {self.components}",
        ]


def _debian(name: str) -> Release:
    archive = "http://deb.debian.org"
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    main, security = f"{archive}/debian", f"{archive}/debian-security"
    return Release(name, main, security, "main", keyring, "debian-archive-keyring")


def _ubuntu(name: str) -> Release:
    archive = "http://archive.ubuntu.com/ubuntu"
    keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    return Release(name, archive, archive, "main universe", keyring, "ubuntu-keyring")


RELEASES = {
    release.name: release
    for release in (_debian("bookworm"), _debian("trixie"), _ubuntu("jammy"), _ubuntu("noble"))
}


def image_name(release: str) -> str:
    """The name of a host's image."""
    return f"{REPOSITORY}:{release}"


def ensure_image(release: str) -> str:
    """Make the image of a host if there is none yet; gives its name. About 30 s, once.

    :raises RuntimeError: with the end of the output, if it cannot be made.
    """
    image = image_name(release)
    # Tests run side by side: the second that wants it waits for the first to make it.
    _LOCKS.mkdir(exist_ok=True)
    with (_LOCKS / f"{REPOSITORY}-{release}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_there(image):
            _make(image, RELEASES[release])
    return image


def _is_there(image: str) -> bool:
    command = ["docker", "image", "inspect", image]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def _make(image: str, recipe: Release) -> None:
    with tempfile.TemporaryDirectory(prefix="lb-test-host-", dir="/var/tmp") as folder:
        archive = Path(folder) / "host.tar"
        bootstrap = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--format=tar"]
        packages = ",".join([*_PACKAGES, recipe.keyring_package])
        bootstrap += [f"--include={packages}", recipe.name, str(archive), *recipe.sources()]
        _run(bootstrap)
        _run(["docker", "import", "--change", 'CMD ["/sbin/init"]', str(archive), image])


def _run(command: list[str]) -> None:
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS
    )
    if result.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed:\n{result.stderr[-3000:]}")
