# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys that must fail, under traffic: the reason on screen, no request lost, all as before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.stack import Stack, assert_nothing_failed, docker

BROKEN_MIGRATION = "print('column price is missing'); raise SystemExit(4)"
# Debian 13's own nginx is too old for the configuration.
OLD_NGINX = """
FROM digiz/debian:trixie
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light
"""

# What is wrong, the variables that make it so, what must be on screen.
FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "never healthy": (
        {"app_env": {"APP_PORT": "9999"}, "app_start_timeout": 6},
        ["did not become healthy within 6 s", "/health", "Its last lines", "9999"],
    ),
    "exits at start": (
        {"app_env": {"DATABASE_POOL_SIZE": "many"}},
        ["It was removed; what served before still serves", "DATABASE_POOL_SIZE: 'many'"],
    ),
    "no such image": (
        {"app_image": "lbtest/nothing", "app_version": "9"},
        ["lbtest/nothing:9"],
    ),
    "failing command before the rollout": (
        {"app_version": "2", "app_pre_deploy": ["python3", "-c", BROKEN_MIGRATION]},
        ["app_pre_deploy failed, no replica was touched", "column price is missing"],
    ),
    "nginx rejects its configuration": (
        {"balancer_image": "lbtest/old-nginx:1"},
        ["nginx rejects the configuration, nothing was changed", "keepalive_min_timeout"],
    ),
}

pytestmark = pytest.mark.failures


@pytest.fixture(scope="module", autouse=True)
def old_nginx(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An image of it."""
    folder = tmp_path_factory.mktemp("old-nginx")
    (folder / "Dockerfile").write_text(OLD_NGINX, encoding="utf-8")
    docker("build", "-t", "lbtest/old-nginx:1", str(folder))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_deploy_changes_nothing(three: Stack, fault: str) -> None:
    """Exit status, reason, last lines; 0 requests failed meanwhile; the state as before."""
    variables, texts = FAULTS[fault]
    before = three.state()
    with three.traffic(closed=10, think_time=0.05, sse=2, websockets=2, idle=5) as traffic:
        done = three.play("deploy", **variables)
        result = traffic.stop()
    assert done.status != 0, done.output[-4000:]
    for text in texts:
        assert text in done.output, done.output[-6000:]
    assert_nothing_failed(result)
    assert three.state() == before
    print(f"\n{fault}: {done.seconds:.0f} s, 0 of {result.requests} requests failed")


def test_the_next_deploy_is_not_in_the_way_of_what_failed(three: Stack) -> None:
    """After all of these, an ordinary deploy has nothing to do."""
    assert three.must("deploy").changed == 0
