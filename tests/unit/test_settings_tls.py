# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each way to a certificate needs, and ports that TLS takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.preflight import (
    GIB,
    OTHER,
    Host,
    Listener,
    examine,
    wanted_from,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings import resolve

ROLE = Path(__file__).resolve().parents[2] / "roles" / "settings"
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]


def deploy(**values: Any) -> dict[str, Any]:
    return resolve("deploy", SPECS["deploy"]["options"], values)


def test_what_a_certificate_is_ordered_by_is_handed_over() -> None:
    settings = deploy(
        tls_mode="acme",
        balancer_server_names=["www.Example.com", "example.com"],
        acme_email="ops@example.com",
        acme_renew_days="20",
    )
    assert settings["stack"]["tls"] == {
        "mode": "acme",
        "names": ["example.com", "www.example.com"],
        "directory": "https://acme-v02.api.letsencrypt.org/directory",
        "email": "ops@example.com",
        "ca_file": "",
        "renew_days": 20,
    }


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        (
            {"tls_mode": "provided", "tls_certificate": "a.pem"},
            [
                "tls_certificate_key: a value is needed with tls_mode=provided: the path of a file "
                "on the controller. Set the variable tls_certificate_key."
            ],
        ),
        (
            {"tls_mode": "acme"},
            [
                "balancer_server_names: a value is needed with tls_mode=acme: the host names that "
                "the certificate is for. Set the variable balancer_server_names."
            ],
        ),
        (
            {"tls_mode": "acme", "balancer_server_names": ["a.example", "*.a.example", "10.0.0.1"]},
            [
                f"balancer_server_names[{index}]: {name!r} is not allowed with tls_mode=acme: a "
                "host name without a wildcard, which the ACME server reaches by HTTP (http-01). "
                "Set the variable balancer_server_names."
                for index, name in ((1, "*.a.example"), (2, "10.0.0.1"))
            ],
        ),
        (
            {"tls_mode": "self_signed", "balancer_https_port": 80},
            [
                "balancer_https_port: 80 is not allowed: another port than balancer_http_port. "
                "Set the variable balancer_https_port."
            ],
        ),
        (
            {"tls_mode": "self_signed", "keeper_port": 443},
            [
                "keeper_port: 443 is not allowed: another port than balancer_https_port. "
                "Set the variable keeper_port."
            ],
        ),
    ],
)
def test_what_is_missing_is_told(values: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(LoadBalancingError) as caught:
        deploy(**values)
    assert str(caught.value).splitlines() == faults


def test_without_tls_its_port_is_free_for_others() -> None:
    assert deploy(keeper_port=443)["keeper_port"] == 443


def test_somebody_else_on_the_port_for_https_is_a_fault() -> None:
    given = {"stack": "shop", "replicas": 1, "surge": 1, "mode": "production"}
    listener = Listener(443, OTHER, "caddy", 7)
    host = Host("root", GIB, 2, {"/opt": 9 * GIB}, (listener,))
    assert examine(wanted_from({**given, "https_port": 443}, {}), host).faults == (
        "balancer_https_port: 443 is in use by caddy (process 7). "
        "Free it or set the variable balancer_https_port.",
    )
    assert examine(wanted_from(given, {}), host).faults == ()
