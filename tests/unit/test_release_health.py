# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How replicas are probed and kept: what a release remembers of it, and what a change replaces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.release_work import (
    Inputs,
    ReleaseWork,
    balancer_mapping,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.stack import Stack
from tests.unit.fakes.host import SimulatedHost

SETTINGS = {
    "stack_name": "shop",
    "images": {"app": "shop:1", "balancer": "nginx:1.30"},
    "version": "1",
}


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing was deployed yet."""
    return SimulatedHost(tmp_path, monkeypatch)


@pytest.fixture(name="work")
def work_fixture(there: SimulatedHost) -> ReleaseWork:
    """Work under the lock, with a first release that was carried out."""
    token, _where = DeployLock(there.paths).acquire("ana", "laptop", "deploy")
    work = ReleaseWork(there.paths, token, dry=False)
    work.present(inputs())
    work.deployed()
    return work


def inputs(**settings: Any) -> Inputs:
    balancer = {"stack_name": "shop", "http_port": 8080}
    return Inputs({**SETTINGS, **settings}, balancer, {}, [], surge=1)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"health_interval": 2.0}, ['"health_interval": 1.0', '"health_interval": 2.0']),
        ({"health_timeout": 0.5}, ['"health_timeout": 1.0', '"health_timeout": 0.5']),
        ({"health_rise": 1, "health_fall": 9}, ['"health_fall": 3', '"health_fall": 9']),
        ({"keeper_enabled": False}, ['"keeper_enabled": true', '"keeper_enabled": false']),
        ({"keeper_port": 9000}, ['"keeper_port": 20080', '"keeper_port": 9000']),
        ({"restart_after": 60}, ['"restart_after": 10.0', '"restart_after": 60.0']),
    ],
)
def test_what_only_the_keeper_reads_replaces_no_replica(
    there: SimulatedHost, work: ReleaseWork, settings: dict[str, Any], shown: list[str]
) -> None:
    before = work.present(inputs()).release
    change = work.present(inputs(**settings))
    assert (change.changed, change.pre_deploy) == (True, False)
    assert change.release.project == before.project
    assert change.release.stack.revision == before.stack.revision
    assert Stack.read(there.paths) == change.release.stack
    (diff,) = change.diff()
    assert diff["before_header"] == "stack.json"
    assert [shown[0] in diff["before"], shown[1] in diff["after"]] == [True, True]


def test_other_healthy_statuses_are_other_replicas(work: ReleaseWork) -> None:
    """Docker's health check is a part of the container."""
    before = work.present(inputs()).release
    change = work.present(inputs(health_status="200-299,304"))
    assert change.release.stack.health_statuses == ((200, 299), (304, 304))
    assert change.release.stack.revision != before.stack.revision
    assert change.pre_deploy


# the host


@pytest.mark.parametrize(
    ("has_ipv6", "given", "ipv6"),
    [(True, {}, True), (True, {"ipv6": False}, False), (False, {}, False)],
)
def test_ipv6_only_where_the_kernel_has_it(
    monkeypatch: pytest.MonkeyPatch, has_ipv6: bool, given: dict[str, Any], ipv6: bool
) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: has_ipv6)
    assert balancer_mapping({"http_port": 80, **given}) == {"http_port": 80, "ipv6": ipv6}
