# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""500 random valid inputs: nginx accepts each without a warning, gixy finds nothing in any."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gixy.core.config import Config
from gixy.core.manager import Manager
from hypothesis import HealthCheck, Phase, given, settings

from ansible_collections.digiz.load_balancing.plugins.module_utils.balancer_config import (
    BalancerSpec,
    render,
    upstream_file,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.configuration import (
    STATIC,
    Configuration,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.edge_maintenance import (
    Maintenance,
)
from tests.integration.nginx_live import IMAGE, docker, need_image
from tests.unit.balancer_inputs import MAINTENANCES, inputs

EXAMPLES = 500
CERTIFICATE = "0123456789abcdef"
MEMBERS = [{"address": "10.0.0.1", "port": 8000, "name": "shop-app-1"}]
EXPLAINED = {
    # OpenSSL before 3.5 does not know this group, and nginx would not start. nginx's images of 1.30
    # have OpenSSL 3.5; with an older one of an operator's own, `nginx -t` fails before anything is
    # changed.
    ("ssl_ecdh_curve", "X25519MLKEM768"),
    # An option, tls_hsts: browsers remember it for long, so it is the operator's word.
    ("hsts_header", "No Strict-Transport-Security header found"),
}
"""What gixy says of rendered configurations and is right for others: its check, and a word."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one folder for each configuration."""
    folder = tmp_path_factory.mktemp("cases")
    taken: list[tuple[dict[str, Any], Maintenance]] = []

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(), MAINTENANCES)
    def take(values: dict[str, Any], maintenance: Maintenance) -> None:
        taken.append((values, maintenance))

    take()
    for number, (values, maintenance) in enumerate(taken):
        spec = BalancerSpec.from_mapping(values)
        certificate = CERTIFICATE if spec.tls else ""
        one = folder / f"{number:03}"
        one.mkdir()
        Configuration(
            number,
            render(spec)[STATIC],
            upstream_file(MEMBERS),
            certificate=certificate,
            maintenance=maintenance,
        ).write(str(one))
    assert len(taken) >= EXAMPLES
    return folder


def test_nginx_accepts_every_configuration(
    cases: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    need_image()
    tls = tmp_path_factory.mktemp("tls") / CERTIFICATE
    tls.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=shop.example"]
    command += ["-keyout", str(tls / "key.pem"), "-out", str(tls / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)
    script = "cd /cases && for d in *; do nginx -t -q -c /cases/$d/nginx.conf 2>&1 || echo $d; done"
    said = docker(
        "run",
        "--rm",
        "--network=none",
        f"--volume={cases}:/cases:ro",
        f"--volume={tls.parent}:/etc/balancer/tls:ro",
        "--tmpfs=/var/log/balancer",
        "--entrypoint=sh",
        IMAGE,
        "-c",
        script,
        seconds=180,
    )
    assert said == "", said[:2000]


def test_gixy_finds_nothing(cases: Path) -> None:
    logging.getLogger("gixy").setLevel(logging.ERROR)
    found: set[tuple[str, str]] = set()
    for path in sorted(cases.glob("*/nginx.conf")):
        for plugin, text in gixy(path):
            if not any(plugin == name and word in text for name, word in EXPLAINED):
                found.add((plugin, text))
    assert found == set()


def gixy(path: Path) -> list[tuple[str, str]]:
    """What gixy finds in a configuration and its includes: the check, and why."""
    # Its parser leaves the doubled backslashes of quoted words, which nginx makes single ones; as a
    # regular expression `\\\\(` is something else than `\\(`.
    for one in path.parent.glob("*.conf"):
        one.write_text(one.read_text(encoding="utf-8").replace("\\\\", "\\"), encoding="utf-8")
    with Manager(config=Config()) as scanner, path.open("rb") as file:
        scanner.audit(str(path), file)
        return [
            (plugin.name, issue.reason or issue.summary or "")
            for plugin in scanner.results
            for issue in plugin.issues
        ]


def test_gixy_reads_what_it_is_given(tmp_path: Path) -> None:
    """A weakness that it must find, so that silence means something."""
    path = tmp_path / "nginx.conf"
    path.write_text(
        "events {}\nhttp { server { location / { add_header X-A $uri; return 302 $uri; } } }\n",
        encoding="utf-8",
    )
    assert {plugin for plugin, _why in gixy(path)} >= {"http_splitting"}
