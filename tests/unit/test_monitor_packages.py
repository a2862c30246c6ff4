# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prometheus and Alertmanager come without instances of their own, and what was there stays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    engine_state,
    monitor_packages,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

BOTH = ["prometheus", "prometheus-alertmanager"]


class Host:
    """A host whose apt has the packages, or has not."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, init: str = "systemd") -> None:
        self.folder = folder
        self.policy = folder / "policy-rc.d"
        self.calls: list[str] = []
        self.works = self.useful = True
        self.policy_meanwhile = ""
        self.files = {
            package: tuple(str(folder / f"{package}-{number}") for number in (1, 2))
            for package in BOTH
        }
        patch.setattr(monitor_packages, "POLICY", str(self.policy))
        patch.setattr(monitor_packages, "PACKAGES", self.files)
        patch.setattr(programs, "run", self.run)
        patch.setattr(engine_state, "init_system", lambda: init)

    def have(self, package: str) -> None:
        for name in self.files[package]:
            Path(name).touch(0o755)

    def run(self, command: Sequence[str], what: str, *_others: Any, **_options: Any) -> str:
        """Takes the place of ``programs.run``."""
        action = next((word for word in ("update", "install") if word in command), "")
        self.calls.append(action or " ".join(command))
        if action == "install":
            self.policy_meanwhile = self.policy.read_text(encoding="utf-8")
            if not self.works:
                raise LoadBalancingError(f"{what} failed (100).\nE: no such thing")
            for package in BOTH if self.useful else []:
                if package in command:
                    self.have(package)
        return ""


@pytest.fixture(name="host")
def host_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_package_is_missing_if_one_of_its_programs_is(host: Host) -> None:
    assert monitor_packages.missing() == BOTH
    host.have("prometheus")
    assert monitor_packages.missing() == ["prometheus-alertmanager"]
    os.unlink(host.files["prometheus"][1])
    assert monitor_packages.missing() == BOTH


def test_their_own_instances_do_not_start(host: Host) -> None:
    monitor_packages.install(BOTH)
    assert host.calls == [
        "update",
        "install",
        "systemctl disable --now prometheus.service",
        "systemctl disable --now prometheus-alertmanager.service",
    ]
    assert host.policy_meanwhile == f"#!/bin/sh\n[ -d /proc/{os.getpid()} ] && exit 101\nexit 0\n"
    assert not host.policy.exists()
    assert monitor_packages.missing() == []


def test_hosts_without_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch, "sysv")
    host.have("prometheus-alertmanager")
    monitor_packages.install(["prometheus"])
    assert host.calls == ["update", "install", "update-rc.d prometheus disable"]


def test_the_owners_policy_stays(host: Host) -> None:
    host.policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    monitor_packages.install(BOTH)
    assert (
        host.policy_meanwhile == host.policy.read_text(encoding="utf-8") == "#!/bin/sh\nexit 101\n"
    )


def test_what_cannot_be_had_is_told(host: Host) -> None:
    host.works = False
    with pytest.raises(LoadBalancingError) as caught:
        monitor_packages.install(BOTH)
    assert str(caught.value) == (
        "Monitoring needs prometheus and prometheus-alertmanager, which cannot be had here. "
        "Install what is missing, or set monitoring=false to deploy without it.\n"
        "installing prometheus prometheus-alertmanager failed (100).\nE: no such thing"
    )
    assert not host.policy.exists()


def test_packages_without_the_programs_are_told(host: Host) -> None:
    host.useful = False
    with pytest.raises(LoadBalancingError) as caught:
        monitor_packages.install(["prometheus"])
    assert str(caught.value).endswith("They are installed, and yet their programs are not there.")
