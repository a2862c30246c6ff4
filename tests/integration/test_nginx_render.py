# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rendered configuration is accepted by a real nginx, which reads every word as it was."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx import (
    Expr,
    block,
    render,
    simple,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_limits import (
    DEFAULT_LIMITS,
    rate_limit,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.nginx_upstream import upstream
from tests.integration.nginx_live import IMAGE, PREFIX, ask, docker, free_port, need_image, write


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    need_image()


def random_spec(choice: random.Random) -> dict[str, Any]:
    """A valid input, chosen among the edges of what is allowed."""
    edges: dict[str, list[Any]] = {
        "stack_name": ["a", "chatbot-2", "9_" + "x" * 38],
        "http_port": [80, 8080, 55535],
        "status_port": [1, 65535],
        "server_names": [["_"], ["a.example"], ["*.example.org", f"{'n' * 63}.{'m' * 63}.example"]],
        "ipv6": [True, False],
        "health_path": ["/", "/health", "/a.b+c(d)~*", "/sức-khoẻ"],
        "rate_limits": [
            DEFAULT_LIMITS,
            [],
            [{"rate": "1r/m", "path": "/p" * 60, "burst": 0, "delay": 0, "zone_size": "32k"}],
            [{"rate": 999999, "path": f"/path-{n}.x/", "burst": 100000} for n in range(40)],
        ],
        "rate_limits_enabled": [True, True, False],
        "connection_limit": [0, 1, 65535],
        "rate_limit_exempt": [[], ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "::1"]],
        "trusted_proxies": [[], ["192.0.2.1", "2001:db8::/32", "::/0"]],
        "keepalive_timeout": [10, 86400],
        "keepalive_min_timeout": [0, 10],
        "upstream_keepalive": [0, 1, 10000],
        "drain_timeout": [1, 86400],
        "body_size": ["1", "512k", "999g", "25M"],
        "read_timeout": [1, 86400],
        "stream_paths": [[], ["/"], ["/ws", "/a/b(c)", "/dòng"], [f"/s{n}" for n in range(30)]],
        "api_paths": [[], ["/"], ["/api/", "/v1.0/"]],
    }
    return {key: choice.choice(values) for key, values in edges.items()}


def random_members(choice: random.Random) -> list[Any]:
    pool = [
        "10.0.0.1:1",
        {"address": "fd00::1", "port": 65535, "name": "chatbot-app-1"},
        {"address": "10.0.0.2", "port": 80, "weight": 1000, "max_conns": 1000000},
        {"address": "10.0.0.3", "port": 80, "drain": True, "name": "x; } #"},
    ]
    chosen = choice.sample(pool, choice.randint(0, len(pool)))
    backup = [{"address": "10.0.0.4", "port": 80, "backup": True}]
    return chosen + backup if chosen and choice.random() < 0.5 else chosen


def test_nginx_accepts_every_valid_input_without_a_warning(tmp_path: Path) -> None:
    choice = random.Random(1)
    for number in range(60):
        spec = BalancerSpec.from_mapping(random_spec(choice))
        write(tmp_path / f"{number:02}", spec, random_members(choice), number)
    for number, limits in enumerate([DEFAULT_LIMITS, [{"rate": "6r/m"}], []]):
        names = ["app", "chatbot-2"]
        http = [*rate_limit(limits, exempt=["::1"]), *(upstream([], name) for name in names)]
        main = [block("events", children=[]), block("http", children=http)]
        folder = tmp_path / f"filters-{number}"
        folder.mkdir()
        (folder / "nginx.conf").write_text(render(main), encoding="utf-8")
    script = "cd /cases && for d in *; do nginx -t -q -c /cases/$d/nginx.conf 2>&1 || echo $d; done"
    said = docker(
        "run",
        "--rm",
        "--network=none",
        f"--volume={tmp_path}:/cases:ro",
        "--tmpfs=/var/log/balancer",
        "--entrypoint=sh",
        IMAGE,
        "-c",
        script,
    )
    assert said == ""


def test_nginx_reads_every_word_as_it_was(tmp_path: Path) -> None:
    choice = random.Random(2)
    alphabet = "ab \"'\\#~^|()%&*?!<>=@,./:-_`[]+é–世🙂nrt"
    words = ["", " ", "\\", "\\\\", '"', "'", "\\n", "#x", "it's", 'a"b', "default", "'\"\\'\""]
    words += ["".join(choice.choices(alphabet, k=choice.randint(1, 12))) for _attempt in range(300)]
    port = free_port()
    entries = [simple(f"/{number}", word) for number, word in enumerate(words)]
    places = [block("location", "/", children=[simple("return", 200, Expr("$word"))])]
    served = [simple("listen", f"127.0.0.1:{port}"), *places]
    http = [
        block("map", Expr("$uri"), Expr("$word"), children=entries),
        block("server", children=served),
    ]
    main = [block("events", children=[]), block("http", children=http)]
    (tmp_path / "nginx.conf").write_text(render(main), encoding="utf-8")
    name = f"{PREFIX}-words"
    docker(
        "run",
        "--detach",
        "--network=host",
        f"--name={name}",
        f"--volume={tmp_path}:/case:ro",
        "--entrypoint=nginx",
        IMAGE,
        *("-c", "/case/nginx.conf", "-g", "daemon off;"),
    )
    try:
        wait_for_port(port)
        found = [ask(port, f"/{number}").body for number in range(len(words))]
    finally:
        docker("rm", "--force", name)
    assert found == words


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            ask(port, "/")
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"nothing listens on port {port}")
