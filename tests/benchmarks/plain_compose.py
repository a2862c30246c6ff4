# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plain way to run the demo: Docker Compose and nginx that asks Docker's DNS.

Everything of the application is as in a stack that is deployed; only what updates it differs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.containers import NGINX_IMAGE, docker
from tests.e2e.stack import Stack

PROJECT = "lbtest-plain-compose"
_WAIT = 120

_NGINX_CONF = """
user nobody nogroup; worker_processes auto; pid /run/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  resolver 127.0.0.11 valid=1s;
  upstream app { zone app 64k; least_conn; server app:8000 resolve; keepalive 64; }
  server {
    listen 80;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Connection "";
      proxy_next_upstream error timeout http_502 http_503 http_504;
      proxy_next_upstream_tries 3;
      proxy_next_upstream_timeout 30s;
      proxy_connect_timeout 1s;
      proxy_buffering off;
    }
  }
}
"""


@dataclass
class PlainCompose:
    """The demo as a Compose project that is updated by `docker compose up -d`."""

    stack: Stack
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Where its nginx listens."""
        return f"http://127.0.0.1:{self.port}"

    def up(self, version: str) -> float:
        """Recreate what differs and wait until it is healthy; gives the seconds."""
        self._write(version)
        start = time.monotonic()
        self._compose("up", "--detach", "--wait", "app")
        return time.monotonic() - start

    def start(self, version: str) -> None:
        """Start everything, with the database's schema."""
        self._write(version)
        self._compose("up", "--detach", "--wait", "database")
        self._compose("run", "--rm", "pre-deploy")
        self._compose("up", "--detach", "--wait", "app")
        self._compose("up", "--detach", "web")

    def down(self) -> None:
        """Remove it with its data."""
        self._compose("--profile=pre-deploy", "down", "--volumes", "--timeout=2")

    def _compose(self, *words: str) -> None:
        file = str(self.folder / "compose.json")
        docker("compose", f"--project-name={PROJECT}", f"--file={file}", *words, seconds=_WAIT)

    def _write(self, version: str) -> None:
        """The stack's own services without its labels, with the nginx before them."""
        text = (Path("/opt") / self.stack.name / "compose.yaml").read_text(encoding="utf-8")
        project: dict[str, Any] = yaml.safe_load(text)
        services = {name: project["services"][name] for name in ("app", "database", "pre-deploy")}
        for name, service in services.items():
            del service["labels"]
            if name != "database":
                service["image"] = f"{service['image'].rpartition(':')[0]}:{version}"
        conf = self.folder / "nginx.conf"
        conf.write_text(_NGINX_CONF, encoding="utf-8")
        services["web"] = {
            "image": NGINX_IMAGE,
            "command": ["nginx", "-g", "daemon off;"],
            "volumes": [f"{conf}:/etc/nginx/nginx.conf:ro"],
            "ports": [f"127.0.0.1:{self.port}:80"],
            "networks": ["edge"],
        }
        file = self.folder / "compose.json"
        file.write_text(json.dumps({**project, "name": PROJECT, "services": services}))


@contextmanager
def plain_compose(stack: Stack, folder: Path, port: int, version: str) -> Iterator[PlainCompose]:
    """It runs while the block does; the stack lends it its files with secrets."""
    project = PlainCompose(stack, folder, port)
    try:
        project.start(version)
        yield project
    finally:
        project.down()
