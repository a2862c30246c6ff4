# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The balancer, HAProxy, and nginx behind a published port, before the same three upstreams.

Who may use what: on two cores a client and a proxy that share them measure each other. So the proxy
has one core to itself ("one thread each"), the client and the upstreams have the rest, and since
they have time left there, what is measured is what the proxy gets out of its core. The process that
Docker puts before a published port on loopback is a part of that way and stays with its proxy.

Duties are the same. Each proxy runs in a container, forwards the client's address, scheme and host,
names each request by a random id, applies limits from which the client is exempt, keeps connections
to the upstreams open, picks the one with the fewest, and writes a line of JSON for each request.
nginx writes its log itself; HAProxy writes to its standard output, which is the same kind of file
here. That is its cheapest way: there is no second process that receives the lines. A second HAProxy
has fewer duties: its own short log line and `option forwardfor`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
    upstream_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    STATIC,
    Configuration,
)
from tests.benchmarks import haproxy
from tests.benchmarks.containers import (
    NGINX_IMAGE,
    PREFIX,
    RIVALS_IMAGE,
    cores,
    cpu_seconds,
    docker,
    docker_proxies,
    ensure_rivals_image,
    pin,
)

CONNECTIONS = 40
SINK = Path(__file__).with_name("syslog_sink.py")
UPSTREAM_PORT = 8000
_ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
# As in the stack's Compose project.
_CONFINED = ["--read-only", "--tmpfs=/tmp", "--tmpfs=/run", "--cap-drop=ALL"]
_CONFINED += [f"--cap-add={one}" for one in ("CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID")]
_CONFINED += ["--cap-add=SETUID", "--security-opt=no-new-privileges:true"]
# Through docker-proxy, the client has the address of the bridge.
_EXEMPT = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]

_UPSTREAM_CONF = """
user nobody nogroup; worker_processes 1; pid /run/nginx.pid; error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000; keepalive_timeout 300s;
  server {
    listen 8000;
    location / {
      default_type application/json;
      add_header X-App-Version 1;
      return 200 '{"status":"ok","instance":"$hostname","version":"1"}';
    }
  }
}
"""


@dataclass
class Way:
    """One of the ways to the upstreams.

    pids     the processes that it consists of
    carried  requests per second of their processor time, one figure for each measurement
    """

    name: str
    url: str
    log: Path
    pids: list[int] = field(default_factory=list)
    carried: list[float] = field(default_factory=list)


class Bench:
    """The upstreams, the client and all ways to the upstreams."""

    def __init__(self, folder: Path, first_port: int, clean: ExitStack) -> None:
        self._folder = folder
        self._ports = iter(range(first_port, first_port + 10))
        self._clean = clean
        self._core, self._other_cores = cores()
        self._network = f"{PREFIX}-edge"
        docker("network", "create", self._network)
        clean.callback(docker, "network", "rm", self._network)
        self._client = self._run(
            "client", self._other_cores, ["--network=host", "--init", RIVALS_IMAGE, "sleep", "600"]
        )
        self._members = [self._upstream(f"upstream-{number}") for number in (1, 2, 3)]

    def measure(self, way: Way, seconds: int) -> float:
        """Requests per second, by wrk; notes those per second of processor time in `way`."""
        before = cpu_seconds(way.pids)
        words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", way.url]
        said = docker("exec", self._client, *words)
        assert "Socket errors" not in said, said
        assert "Non-2xx" not in said, said
        figures = re.search(r"(\d+) requests in.*Requests/sec:\s+([0-9.]+)", said, re.DOTALL)
        assert figures, said
        way.carried.append(int(figures[1]) / (cpu_seconds(way.pids) - before))
        return float(figures[2])

    def balancer(self, name: str, published: bool = False) -> Way:
        """The balancer as the stack runs it; or behind a published port, else the same."""
        port = next(self._ports)
        spec = BalancerSpec.from_mapping(
            {
                "stack_name": "bench",
                "http_port": port,
                "status_port": next(self._ports),
                "rate_limit_exempt": _EXEMPT,
            }
        )
        folder = self._folder / name / "nginx" / "current"
        folder.mkdir(parents=True)
        text = render(spec)[STATIC].replace("worker_processes auto;", "worker_processes 1;")
        Configuration(1, text, upstream_file(self._members)).write(str(folder))
        logs = self._logs(name)
        network = ["--network=host"]
        if published:
            network = [f"--network={self._network}", f"--publish=127.0.0.1:{port}:{port}"]
        mounts = [f"--volume={self._folder / name / 'nginx'}:/etc/balancer:ro"]
        mounts += [f"--volume={logs}:/var/log/balancer", "--entrypoint=nginx"]
        command = ["-e", "stderr", "-c", "/etc/balancer/current/nginx.conf", "-g", "daemon off;"]
        container = self._run(
            name, self._core, [*network, *_CONFINED, *mounts, NGINX_IMAGE, *command]
        )
        way = self._way(name, port, container)
        if published:
            for pid in docker_proxies(port):
                pin(pid, self._core)
                way.pids.append(pid)
        return way

    def haproxy(self, name: str, plain: bool = False, stdout: bool = False) -> Way:
        """HAProxy with the balancer's duties, or with few; its log goes to a socket, or to stdout.

        What takes the log from the socket runs where the client runs, and does not count.
        """
        port = next(self._ports)
        logs = self._logs(name)
        text = haproxy.configuration(port, self._members, plain, "" if stdout else "/logs/socket")
        path = self._write(f"{name}/haproxy.cfg", text)
        if not stdout:
            self._take_log(logs)
        mounts = [f"--volume={path}:/etc/haproxy.cfg:ro", f"--volume={logs}:/logs"]
        target = ">/logs/access.log" if stdout else ""
        command = ["sh", "-c", f"exec haproxy -db -f /etc/haproxy.cfg {target}"]
        container = self._run(
            name, self._core, ["--network=host", *_CONFINED, *mounts, RIVALS_IMAGE, *command]
        )
        return self._way(name, port, container)

    def _take_log(self, logs: Path) -> None:
        words = [sys.executable, str(SINK), str(logs / "socket"), str(logs / "access.log")]
        sink = subprocess.Popen(["taskset", "-c", self._other_cores, *words])
        self._clean.callback(sink.wait)
        self._clean.callback(sink.terminate)
        end = time.monotonic() + 10
        while not (logs / "socket").exists():
            assert time.monotonic() < end, "the log has no taker"
            time.sleep(0.05)

    def _upstream(self, name: str) -> dict[str, object]:
        path = self._write("upstream.conf", _UPSTREAM_CONF)
        mount = f"--volume={path}:/etc/nginx/nginx.conf:ro"
        options = [f"--network={self._network}", mount, NGINX_IMAGE, "nginx", "-g", "daemon off;"]
        container = self._run(name, self._other_cores, options)
        address = docker("inspect", "--format", _ADDRESS, container)
        return {"address": address, "port": UPSTREAM_PORT, "name": name}

    def _run(self, name: str, cpus: str, options: list[str]) -> str:
        container = f"{PREFIX}-{name}"
        label = f"--label=digiz.load_balancing.stack={PREFIX}"
        self._clean.callback(docker, "rm", "--force", container)
        docker("run", "--detach", f"--name={container}", label, f"--cpuset-cpus={cpus}", *options)
        return container

    def _write(self, path: str, text: str) -> Path:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def _logs(self, name: str) -> Path:
        logs = self._folder / name / "logs"
        logs.mkdir(parents=True)
        return logs

    def _way(self, name: str, port: int, container: str) -> Way:
        """Wait until a way leads to the upstreams."""
        url = f"http://127.0.0.1:{port}/api/chat"
        end = time.monotonic() + 15
        while True:
            try:
                with urlopen(url, timeout=2) as answer:
                    assert json.loads(answer.read())["status"] == "ok"
                break
            except OSError:
                assert time.monotonic() < end, f"{name} does not answer: docker logs {container}"
                time.sleep(0.1)
        pids = docker("top", container, "-o", "pid").split()[1:]
        return Way(name, url, self._folder / name / "logs" / "access.log", [int(p) for p in pids])


@contextmanager
def bench(folder: Path, first_port: int) -> Iterator[Bench]:
    """All of it, removed at the end."""
    ensure_rivals_image()
    with ExitStack() as clean:
        yield Bench(folder, first_port, clean)
