# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""deploy.sh on systems that have nothing: minimal Debian, as a user with sudo and interrupted. As
root it is what tests/e2e/test_fresh_host.py begins with.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.steps import assert_calm

ROOT = Path(__file__).resolve().parent.parent.parent
NEEDED = ("deploy.sh", "ansible.cfg", "tools", "collections", "inventories", "requirements.txt")
USER = "deployer"
VERSION = "ansible-playbook [core 2."
SHARE_OF_ANSIBLE = 1 / 3  # at least, of a second run: there is nothing to prepare any more
# ansible-playbook's own --version: prepares everything and deploys nothing.
COMMAND = "/srv/checkout/deploy.sh -- --version"
ANSIBLE = "/srv/checkout/.venv/bin/ansible-playbook --version"
# Networks that look into TLS have a certificate authority of their own; it is handed on.
AUTHORITY = os.environ.get("PIP_CERT", "")

pytestmark = pytest.mark.hosts


def docker(*words: str, timeout: float = 300) -> str:
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(name="image", scope="module", params=["bookworm", "trixie"])
def image_fixture(request: pytest.FixtureRequest) -> str:
    """A minimal Debian without Python, sudo or git. Made once on a machine."""
    name = f"lb-test-minimal:{request.param}"
    if not docker("image", "ls", "--quiet", name).strip():
        with tempfile.TemporaryDirectory() as folder:
            # mmdebstrap works as another user: it must be able to write there.
            Path(folder).chmod(0o755)
            archive = str(Path(folder) / "root.tar")
            make = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"]
            subprocess.run([*make, request.param, archive], check=True, timeout=300)
            docker("import", archive, name)
    return name


@pytest.fixture(name="host")
def host_fixture(image: str, tmp_path: Path) -> Iterator[str]:
    """A running container with the checkout in /srv/checkout."""
    name = f"lbtest-bootstrap-{os.getpid()}"
    authority = ["-e", f"PIP_CERT={AUTHORITY}", "-v", f"{AUTHORITY}:{AUTHORITY}:ro"]
    options = ["--name", name, "--init", *(authority if AUTHORITY else [])]
    docker("run", "-d", *options, image, "sleep", "600")
    try:
        archive = tmp_path / "checkout.tar"
        with tarfile.open(archive, "w") as tar:
            for entry in (*NEEDED, "requirements.yml"):
                tar.add(ROOT / entry, f"checkout/{entry}")
        docker("cp", str(archive), f"{name}:/srv/checkout.tar")
        docker("exec", name, "tar", "-x", "-C", "/srv", "-f", "/srv/checkout.tar")
        yield name
    finally:
        docker("rm", "--force", name)


def run(host: str, user: str, command: str = COMMAND) -> tuple[str, float]:
    """What a command printed, and the seconds that it took."""
    start = time.monotonic()
    text = docker("exec", "-u", user, host, "sh", "-c", f"{command} 2>&1")
    return text, time.monotonic() - start


def test_as_a_user_with_sudo(host: str) -> None:
    for prepare in (
        "apt-get -qq update && apt-get -qq install -y --no-install-recommends sudo",
        f"useradd -m {USER} && echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}",
        f"chown -R {USER} /srv/checkout",
    ):
        docker("exec", host, "sh", "-c", prepare)
    first, _seconds = run(host, USER)
    said, version, _more = first.partition(VERSION)
    assert_calm(said)
    assert version
    second, seconds = run(host, USER)
    assert second.startswith(VERSION)
    _text, alone = run(host, USER, ANSIBLE)
    assert alone > SHARE_OF_ANSIBLE * seconds
    listed = docker("exec", "-u", USER, "-w", "/srv/checkout", host, ".venv/bin/ansible-galaxy",
                    "collection", "list")  # fmt: skip
    assert "digiz.load_balancing" in listed


def test_a_user_without_sudo_is_told_what_is_missing(host: str) -> None:
    docker("exec", host, "useradd", "-m", USER)
    done = subprocess.run(
        ["docker", "exec", "-u", USER, host, "sh", "-c", COMMAND],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr == (
        "error: a deploy on this machine needs root. Run this as root, or install sudo\n"
    )


def test_an_interrupted_bootstrap_is_finished_by_the_next_run(host: str) -> None:
    """The power fails while apt installs Python, and again while pip installs Ansible."""
    for moment in ("/usr/bin/python3", "/srv/checkout/.venv/bin/pip"):
        docker("exec", "-d", host, "sh", "-c", f"{COMMAND} >/tmp/said 2>&1; touch /tmp/ended")
        reached = (
            f"until [ -e {moment} ] || [ -e /tmp/ended ]; do sleep 0.05; done; [ -e {moment} ]"
        )
        said = "cat /tmp/said; ps -e -o args 2>/dev/null; false"
        docker("exec", host, "sh", "-c", f"timeout 240 sh -c '{reached}' || {{ {said}; }}")
        docker("kill", host)
        docker("start", host)
        assert not docker("exec", host, "sh", "-c", "ls -A /srv/checkout/.venv/.ready* || true")
    text, _seconds = run(host, "root")
    assert VERSION in text


def test_a_python_in_pieces_is_repaired(host: str) -> None:
    """The power failed while dpkg put the files of a package in place."""
    broken = "/usr/lib/python3*/ensurepip/__main__.py"
    docker("exec", host, "sh", "-c", "apt-get -qq update && apt-get -qq install -y python3-venv")
    package = docker("exec", host, "sh", "-c", f"dpkg -S {broken} | cut -d: -f1").strip()
    state = f"/^Package: {package}$/,/^$/s/^Status: .*/Status: install reinstreq half-installed/"
    docker("exec", host, "sh", "-c", f"rm {broken} && sed -i '{state}' /var/lib/dpkg/status")
    text, _seconds = run(host, "root")
    assert VERSION in text
