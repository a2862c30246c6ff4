# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a stack off the host: everything of it, nothing of another, data only when asked."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import docker.errors
import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    StackPaths,
    replace_link,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.removal import (
    Leftovers,
    find,
    remove,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.secret_store import SecretStore
from tests.unit.fakes.host import SimulatedHost

NOTHING = Leftovers((), (), (), ())


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with a stack that runs, and a container of another one."""
    there = SimulatedHost(tmp_path, monkeypatch)
    there.start_balancer([there.replica(), there.replica()])
    there.replica(labels={"digiz.load_balancing.stack": "other"}, name="other-app-1")
    there.engine.networks, there.engine.volumes = ["shop_edge"], ["shop_database"]
    SecretStore(there.paths).store({"key": "value"}, [])
    DeployLock(there.paths).acquire("ana", "laptop", "remove")
    os.makedirs(os.path.join(there.paths.releases, "1"))
    Path(there.paths.releases, "1", "compose.yaml").touch()
    replace_link(there.paths.compose, "releases/current/compose.yaml")
    return there


def names(there: SimulatedHost) -> list[str]:
    return [os.path.basename(path) for path in find(there.paths, None).folders]


def test_what_there_is(there: SimulatedHost) -> None:
    found = find(there.paths, there.host)
    root = there.paths.root
    assert found.lines().splitlines() == [
        "container shop-app-1",
        "container shop-app-2",
        "container shop-balancer-1",
        "network shop_edge",
        "volume shop_database",
        f"folder {root}/compose.yaml",
        f"folder {root}/nginx",
        f"folder {root}/releases",
        f"folder {root}/secrets",
    ]


def test_without_an_engine_there_are_only_folders(there: SimulatedHost) -> None:
    assert find(there.paths, None).containers == ()
    assert names(there) == ["compose.yaml", "nginx", "releases", "secrets"]


def test_a_host_without_the_stack_has_nothing(tmp_path: Path) -> None:
    assert find(StackPaths("none", str(tmp_path)), None) == NOTHING
    (tmp_path / "file").touch()
    assert find(StackPaths("file", str(tmp_path)), None) == NOTHING
    assert NOTHING.lines() == ""


def test_data_are_kept_unless_they_are_to_go(there: SimulatedHost) -> None:
    found = find(there.paths, there.host)
    going = found.without_data()
    assert going.volumes == ()
    assert [os.path.basename(path) for path in going.folders] == [
        "compose.yaml",
        "nginx",
        "releases",
    ]
    remove(there.paths, there.host, going)
    assert there.engine.volumes == ["shop_database"]
    assert there.engine.networks == []
    assert [one.name for one in there.engine.everyone()] == ["other-app-1"]
    assert names(there) == ["secrets"]
    assert os.path.exists(os.path.join(there.paths.state, "audit.log"))
    again = find(there.paths, there.host).without_data()
    assert again == NOTHING, "a second run has nothing to do"


def test_everything_goes_with_the_data(there: SimulatedHost) -> None:
    remove(there.paths, there.host, find(there.paths, there.host))
    assert (there.engine.volumes, there.engine.networks) == ([], [])
    assert not os.path.exists(there.paths.root)
    assert find(there.paths, there.host) == NOTHING


def test_the_balancer_goes_before_what_it_sends_to(there: SimulatedHost) -> None:
    balancer = there.engine.of("balancer")[0]
    remove(there.paths, there.host, find(there.paths, there.host))
    stops = [call for call in there.engine.calls if call[0] == "stop"]
    assert stops[0] == ("stop", balancer.id, 10)
    assert len(stops) == 3


def test_a_folder_that_holds_only_what_each_run_brings_is_nothing(there: SimulatedHost) -> None:
    for name in ("nginx", "releases", "secrets", "compose.yaml"):
        path = os.path.join(there.paths.root, name)
        if os.path.islink(path):
            os.unlink(path)
        else:
            shutil.rmtree(path)
    assert names(there) == []
    remove(there.paths, None, find(there.paths, None))
    assert not os.path.exists(there.paths.root)


def test_a_linked_folder_loses_its_link_and_not_what_it_points_to(
    there: SimulatedHost, tmp_path: Path
) -> None:
    shutil.rmtree(there.paths.logs)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "precious").touch()
    os.symlink(tmp_path / "disk", there.paths.logs)
    assert "logs" in names(there)
    remove(there.paths, there.host, find(there.paths, there.host))
    assert (tmp_path / "disk" / "precious").exists()


def test_what_lies_outside_of_the_stacks_folder_goes_too(there: SimulatedHost) -> None:
    Path(there.paths.logrotate).touch()
    found = find(there.paths, None)
    assert there.paths.logrotate in found.without_data().folders
    remove(there.paths, None, found)
    assert not os.path.exists(there.paths.logrotate)
    assert not os.path.exists(there.paths.root)


def test_a_network_that_others_use_is_told(there: SimulatedHost) -> None:
    there.engine.failing["remove_network"] = docker.errors.APIError("it has active endpoints")
    with pytest.raises(LoadBalancingError) as caught:
        remove(there.paths, there.host, find(there.paths, there.host))
    assert str(caught.value) == "Docker's engine refused: it has active endpoints."
    assert os.path.exists(there.paths.root)


def test_what_cannot_be_removed_is_told(
    there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, **_options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(LoadBalancingError) as caught:
        remove(there.paths, None, find(there.paths, None))
    assert str(caught.value) == (f"{there.paths.nginx} cannot be removed: Read-only file system.")
