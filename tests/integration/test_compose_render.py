# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rendered Compose project against the real `docker compose` and real containers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.compose import project
from ansible_collections.digiz.load_balancing.plugins.module_utils.compose_spec import StackSpec
from ansible_collections.digiz.load_balancing.plugins.module_utils.yaml_text import dump

IMAGE = os.environ.get("LB_TEST_NGINX_IMAGE", "digiz/nginx:1.30")
PORT = 18234
TRICKY = "a $HOME ${X:-y} $$ \"q\" 'q' \\ # : {} %s `id` \n\ttiếng Việt 😀"
FULL: dict[str, Any] = {
    "stack_name": "lbtest-render",
    "images": {"app": "team/shop:2"},
    "version": "2",
    "environment": {"TRICKY": TRICKY, "YES": "yes", "NUMBER": "010", "EMPTY": ""},
    "secrets": ["database_password", "key"],
    "volumes": ["uploads:/data", "/srv:/srv:ro"],
    "command": ["serve", TRICKY],
    "pre_deploy": ["migrate", TRICKY],
    "user": "1000:1000",
    "read_only": True,
    "cpus": 0.25,
    "database": "embedded",
    "extra_services": {"cache": {"image": "redis:8", "command": TRICKY, "volumes": ["c:/data"]}},
}
FILES = {"database_password": "secrets/a/database_password", "key": "secrets/b/key"}


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
    return done.stdout


def answer() -> str:
    """Return what the balancer says."""
    with urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as response:
        return str(response.read().decode())


def resolved(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the project as Compose understands it."""
    file = folder / "compose.yaml"
    file.write_text(dump(project(StackSpec.from_mapping(settings), FILES)), encoding="utf-8")
    text = run(
        *("docker", "compose", "-f", str(file), "--profile", "*", "config", "--format", "json")
    )
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "development"},
        {"database": "none", "secrets": [], "pre_deploy": [], "extra_services": {}, "volumes": []},
    ],
)
def test_compose_accepts_it(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert resolved(tmp_path, {**FULL, **changes})["name"] == "lbtest-render"


def test_compose_reads_every_text_as_it_was_meant(tmp_path: Path) -> None:
    services = resolved(tmp_path, FULL)["services"]
    environment = services["app"]["environment"]
    # `config` prints what may be read again, so it doubles each $ itself.
    assert {name: value.replace("$$", "$") for name, value in environment.items()} == FULL[
        "environment"
    ]
    assert services["app"]["command"][1].replace("$$", "$") == TRICKY
    assert services["pre-deploy"]["entrypoint"][1].replace("$$", "$") == TRICKY
    limits = services["app"]["deploy"]["resources"]["limits"]
    assert (float(limits["cpus"]), int(limits["memory"])) == (0.25, 2**30)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A project of two replicas of nginx on this engine; it is removed afterwards."""
    if not run("docker", "images", "-q", IMAGE, check=False).strip():
        pytest.fail(f"the image {IMAGE} is missing: let the role images build it")
    name = f"lbtest-{uuid.uuid4().hex[:8]}"
    folder = Path("/opt") / name
    live = folder / "nginx" / "current"
    live.mkdir(parents=True)
    (folder / "logs").mkdir()
    (live / "nginx.conf").write_text(
        "user nobody nogroup; pid /run/nginx.pid; error_log stderr;\n"
        "events { worker_connections 64; }\n"
        "http { client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;"
        " fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;\n"
        " access_log /var/log/balancer/access.log;\n"
        f" server {{ listen 127.0.0.1:{PORT}; return 200 ok; }} }}\n"
    )
    (folder / "app.conf").write_text(
        "daemon off; pid /tmp/nginx.pid; error_log stderr; events { worker_connections 64; }\n"
        "http { client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;"
        " fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;"
        " access_log off; server { listen 8000; location = /health { return 204; } } }\n"
    )
    (folder / "secret").write_text("hush")
    settings = {
        "stack_name": name,
        "images": {"app": IMAGE, "balancer": IMAGE},
        "version": "1",
        "replicas": 2,
        "environment": {"TRICKY": TRICKY},
        "secrets": ["key"],
        "volumes": [f"{folder}/app.conf:/app.conf:ro"],
        "command": ["nginx", "-e", "stderr", "-c", "/app.conf"],
        "pre_deploy": ["/bin/sh", "-c", 'printf %s "$TRICKY"'],
        "user": "65534:65534",
        "read_only": True,
        "memory": "64m",
        "memory_reservation": "32m",
        "start_timeout": 5,
        "stop_grace": 5,
    }
    file = folder / "compose.yaml"
    file.write_text(dump(project(StackSpec.from_mapping(settings), {"key": "secret"})))
    compose = ("docker", "compose", "-f", str(file), "--profile", "*")
    try:
        yield file, settings
    finally:
        run(*compose, "down", "--volumes", "--timeout", "5", check=False)
        shutil.rmtree(folder)


def test_it_runs(stack: tuple[Path, dict[str, Any]]) -> None:
    file, settings = stack
    compose = ("docker", "compose", "-f", str(file))
    # Healthy proves the bind-mounted busybox on a read-only root without capabilities.
    run(*compose, "up", "-d", "--wait", "--wait-timeout", "40")
    ids = run(*compose, "ps", "-q", "app").split()
    assert len(ids) == 2
    found = json.loads(run("docker", "inspect", ids[0]))[0]
    assert found["State"]["Health"]["Status"] == "healthy"
    assert found["HostConfig"]["Memory"] == 64 * 2**20
    assert found["HostConfig"]["MemoryReservation"] == 32 * 2**20
    assert found["HostConfig"]["NanoCpus"] == 10**9
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert f"TRICKY={TRICKY}" in found["Config"]["Env"]
    assert "hush" not in json.dumps(found)
    assert list(found["NetworkSettings"]["Networks"]) == [f"{settings['stack_name']}_edge"]
    assert run("docker", "exec", ids[0], "cat", "/run/secrets/key") == "hush"

    # The balancer answers, takes a new configuration, and its workers are not root.
    balancer = run(*compose, "ps", "-q", "balancer").strip()
    assert answer() == "ok"
    live = file.parent / "nginx" / "current" / "nginx.conf"
    live.write_text(live.read_text().replace("200 ok", "200 new"))
    run("docker", "kill", "--signal", "HUP", balancer)
    deadline = time.monotonic() + 5
    while answer() != "new":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (file.parent / "logs" / "access.log").stat().st_size > 0
    assert "read-only file system" not in run("docker", "logs", balancer).lower()

    # The command before the replicas: a whole command, outside of the network edge.
    assert run(*compose, "run", "--rm", "-T", "pre-deploy") == TRICKY
