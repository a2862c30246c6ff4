# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper is nobody else's: its port, its files, and what its log tells."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.e2e.conftest import KNOWN_SECRET
from tests.e2e.stack import Stack, docker

# Says whether a port of an address can be connected to.
KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
except OSError as error:
    print("closed:", error)
else:
    print("open")
"""

pytestmark = pytest.mark.faults


def host_addresses() -> list[str]:
    """The addresses of this host, those of Docker's bridges included; loopback is left out."""
    listed = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, check=True)
    rows = [one for link in json.loads(listed.stdout) for one in link["addr_info"]]
    return [one["local"] for one in rows if one["scope"] != "host"]


def test_nobody_reaches_its_port_but_this_host(faulty: Stack) -> None:
    """Neither from a replica, nor from another container, nor by another address of this host."""
    port = faulty.keeper_port
    socket.create_connection(("127.0.0.1", port), 2).close()
    addresses = host_addresses()
    assert addresses
    replica = faulty.containers()[0]["name"]
    image = docker("inspect", "--format", "{{.Config.Image}}", replica).strip()
    script = ["python3", "-c", KNOCK]
    for address in addresses:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, port), 2).close()
        inside = docker("exec", replica, *script, address, str(port))
        beside = docker("run", "--rm", image, *script, address, str(port))
        assert inside.startswith("closed:"), address
        assert beside.startswith("closed:"), address
    assert docker("exec", replica, *script, "127.0.0.1", str(port)).startswith("closed:")


def keeper_files(stack: Stack) -> Iterator[Path]:
    """Its code and its log."""
    folder = stack.root / "keeper"
    yield from (folder, *folder.rglob("*"))
    yield from (stack.root / "logs").glob("keeper.log*")


def is_closed(path: Path) -> bool:
    """Whether group and others have no way to a file: by its own mode, or by a folder's above."""
    return any(not one.lstat().st_mode & 0o077 for one in (path, *path.parents))


def test_its_files_are_root_s(faulty: Stack) -> None:
    """Nobody else may even read them; its process id and its lock in /run hold no more than that
    it runs, and only root may change them.
    """
    files = list(keeper_files(faulty))
    beside = list(Path("/run").glob(f"digiz-keeper-{faulty.name}*"))
    assert len(files) > 10
    for path in (*files, *beside):
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (0, 0), path
        assert stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o022, path
    opened = [path for path in files if not path.is_symlink() and not is_closed(path)]
    assert not opened


def test_what_it_tells_holds_no_secret(faulty: Stack) -> None:
    """Neither its log nor its pages, after all that happened to this stack."""
    secrets = [
        path.read_text(encoding="utf-8").strip()
        for path in (faulty.root / "secrets").rglob("*")
        if path.is_file()
    ]
    assert KNOWN_SECRET in secrets
    base = f"http://127.0.0.1:{faulty.keeper_port}"
    texts = [path.read_text("utf-8") for path in (faulty.root / "logs").glob("keeper.log*")]
    for page in ("/", "/status.json", "/series.json", "/metrics"):
        with urlopen(base + page, timeout=5) as answer:
            texts.append(answer.read().decode())
    assert len(texts[0]) > 100
    found = [secret for secret in secrets if any(secret in text for text in texts)]
    assert not found, f"{len(found)} secrets"
