# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules certificate_packages, preflight and verify."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    certificate_packages as packages_core,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import (
    replace_link,
    write_text,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.lock import DeployLock
from ansible_collections.digiz.load_balancing.plugins.module_utils.preflight import (
    ANY,
    GIB,
    Host,
    Listener,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification import Verification
from ansible_collections.digiz.load_balancing.plugins.module_utils.verification_checks import Check
from ansible_collections.digiz.load_balancing.plugins.modules import (
    certificate_packages,
    preflight,
    verify,
)
from tests.unit.fakes.host import STACK, SimulatedHost
from tests.unit.fakes.modules import Face, fail, run, warnings_of


@pytest.fixture(name="there")
def there_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host on which nothing runs."""
    return SimulatedHost(tmp_path, monkeypatch)


# certificate_packages


@pytest.fixture(name="installed")
def installed_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was installed; at first cryptography is missing."""
    installed: list[str] = []
    needed = [packages_core.PACKAGE]
    monkeypatch.setattr(packages_core, "missing", lambda: [] if installed else needed)
    monkeypatch.setattr(packages_core, "install", installed.extend)
    return installed


def test_cryptography_is_installed_once(installed: list[str]) -> None:
    planned = run(certificate_packages, check=True)
    assert installed == []
    done = run(certificate_packages)
    assert installed == ["python3-cryptography"]
    for result in (planned, done):
        assert (result["changed"], result["packages"]) == (True, ["python3-cryptography"])
        assert result["diff"]["after"] == "python3-cryptography\n"
    again = run(certificate_packages)
    assert (again["changed"], again["packages"], again["diff"]["after"]) == (False, [], "")


def test_cryptography_that_cannot_be_had(
    installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(_packages: list[str]) -> None:
        raise LoadBalancingError("TLS needs python3-cryptography.")

    monkeypatch.setattr(packages_core, "install", install)
    assert fail(certificate_packages) == "TLS needs python3-cryptography."
    assert installed == []


# preflight

ROOMY = Host("root", 8 * GIB, 4, {"/opt": 50 * GIB})
LIMITS = {"cpus": "2", "memory": "1g"}
PROJECT = {
    "services": {
        "app": {
            "deploy": {"resources": {"limits": LIMITS, "reservations": {"memory": "512m"}}},
        },
        "database": {"deploy": {"resources": {"limits": {"memory": "1g"}}}},
    }
}
SAID = {
    "cpus": 1.0,
    "memory": "1g",
    "memory_reservation": "512m",
    "database": "embedded",
    "database_memory": "1g",
    "http_port": 8080,
    "status_port": 18080,
    "keeper_port": 28080,
}


class Machine:
    """What the module finds on its host, and the ports that it asks for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.has = ROOMY
        self.asked: list[int] = []
        patch.setattr(preflight, "observe_host", self.observe)

    def observe(self, ports: Iterable[int]) -> Host:
        """Takes the place of ``observe_host``."""
        self.asked = sorted(ports)
        return self.has


@pytest.fixture(name="machine")
def machine_fixture(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A host with room."""
    return Machine(monkeypatch)


@pytest.fixture(name="fits")
def fits_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module preflight."""
    return Face(preflight, there, monkeypatch)


def release(there: SimulatedHost, project: str) -> None:
    """Put a release in force with this text as its project."""
    folder = Path(there.paths.releases, "1")
    folder.mkdir()
    for name, text in (("stack", json.dumps(STACK.as_dict())), ("project", project)):
        write_text(str(folder / f"{name}.json"), text)
    write_text(str(folder / "nginx.conf"), "")
    replace_link(there.paths.release, "1")


@pytest.mark.parametrize("check", [True, False])
def test_a_stack_that_fits(fits: Face, machine: Machine, check: bool) -> None:
    found = fits.run(check, replicas=3, **SAID)
    assert (found["changed"], machine.asked) == (False, [8080, 18080, 28080])
    assert found["host"] == {"cpus": 4, "memory": 8 * GIB, "disk_free": {"/opt": 50 * GIB}}
    assert found["text"] == "4 processors, 8.0 GiB of memory, 50.0 GiB free in /opt"


def test_the_port_of_a_keeper_that_is_not_wanted_is_not_asked_for(
    fits: Face, machine: Machine
) -> None:
    fits.run(replicas=3, keeper_enabled=False, **SAID)
    assert machine.asked == [8080, 18080]


def test_all_that_does_not_fit_is_told_at_once(fits: Face, machine: Machine) -> None:
    nginx = Listener(8080, ANY, "nginx", 7)
    machine.has = replace(ROOMY, user="ana", listeners=(nginx,))
    found = fits.run(replicas=3, **{**SAID, "cpus": 8})
    assert found["msg"].splitlines() == [
        "become: the tasks run as ana on the host, they need root. Set become: true for the play, "
        "or run it with --become.",
        "app_cpus: 8 is not allowed: at most 4, the processors of the host. Set the variable "
        "app_cpus.",
        "balancer_http_port: 8080 is in use by nginx (process 7). Free it or set the variable "
        "balancer_http_port.",
    ]
    assert (found["failed"], found["host"]["cpus"]) == (True, 4)


def test_what_is_risky_is_a_warning(
    fits: Face, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings = warnings_of(monkeypatch)
    assert not fits.run(replicas=9, **SAID)["changed"]
    (text,) = warnings
    assert text.startswith("app_memory: 1g lets 9 + 1 replicas and the database use 11.0 GiB")
    assert not fits.run(replicas=9, mode="development", **SAID)["changed"]
    assert len(warnings) == 1


@pytest.mark.usefixtures("machine")
def test_more_replicas_of_what_is_deployed(fits: Face, there: SimulatedHost) -> None:
    assert not fits.run(replicas=20)["changed"], "nothing is deployed: nothing is known of its size"
    release(there, json.dumps({"project": PROJECT, "secret_files": {}}))
    assert fits.fail(replicas=20).startswith(
        "replicas: 20 needs 11.5 GiB of memory for 20 + 1 replicas at "
        "app_memory_reservation=512m and database_memory=1g, the host has 8.0 GiB."
    )
    assert not fits.run(replicas=20, memory_reservation="64m")["changed"]


@pytest.mark.usefixtures("machine")
def test_a_damaged_release_matters_only_when_it_is_needed(fits: Face, there: SimulatedHost) -> None:
    release(there, "{")
    assert fits.fail(replicas=3) == (
        "Release 1 of the stack shop is missing or damaged. Run the playbook deploy."
    )
    assert not fits.run(replicas=3, **SAID)["changed"]


@pytest.mark.usefixtures("machine")
def test_a_size_that_is_none_is_told(fits: Face) -> None:
    said = fits.fail(replicas=3, **{**SAID, "memory": "much"})
    assert said.startswith("app_memory: 'much' is not allowed")
    assert said.endswith("Set the variable app_memory.")
    assert fits.fail() == "missing required arguments: replicas"


# verify

GOOD, BAD = Check("health", True, "GET / answers 200"), Check("spread", False, "one got nothing")


@pytest.fixture(name="verifies")
def verifies_fixture(there: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> Face:
    """The module verify."""
    return Face(verify, there, monkeypatch)


def find(patch: pytest.MonkeyPatch, *checks: Check) -> list[tuple[Any, ...]]:
    """Let a verification find this; gives how it was asked for."""
    asked: list[tuple[Any, ...]] = []

    def verified(paths: Any, *others: Any) -> Verification:
        asked.append((paths.name, *others))
        return Verification(checks)

    patch.setattr(verify, "verify", verified)
    return asked


def test_a_stack_that_is_as_wanted(verifies: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = find(monkeypatch, GOOD)
    found = verifies.run(requests=60, keeper=False)
    assert (found["changed"], asked) == (False, [("shop", 60, False)])
    assert found["report"] == ["ok      health: GET / answers 200"]
    assert found["msg"] == found["report"][0]
    assert found["checks"] == [{"name": "health", "passed": True, "text": "GET / answers 200"}]


def test_a_stack_that_is_not(verifies: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    find(monkeypatch, GOOD, BAD)
    found = verifies.run()
    assert (found["failed"], found["msg"]) == (True, "spread: one got nothing")
    assert len(found["report"]) == len(found["checks"]) == 2


def test_the_lock_shows_signs_of_life_meanwhile(
    verifies: Face, there: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = DeployLock(there.paths)
    token, _unused = lock.acquire("ana", "laptop", "deploy")
    find(monkeypatch, GOOD)
    steps = lock.owner().steps  # type: ignore[union-attr]
    assert not verifies.run(lock=token).get("failed")
    assert lock.owner().steps == steps + 1  # type: ignore[union-attr]
    lock.release(token)
    assert "lost the lock of the stack shop: it was freed" in verifies.fail(lock=token)


def test_check_mode_sends_no_request(verifies: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = find(monkeypatch, BAD)
    planned = verifies.run(check=True)
    assert (planned["changed"], planned["checks"], asked) == (False, [], [])
    assert planned["msg"] == "would verify the stack shop with 300 requests"


def test_a_stack_that_there_is_not(verifies: Face) -> None:
    found = verifies.run()
    assert found["msg"].startswith("There is no stack shop in ")
    assert (found["failed"], found["checks"], found["report"]) == (True, [], [])
