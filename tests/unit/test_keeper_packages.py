# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python packages of the keeper: which are missing, and what is told if nobody has them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    apt,
    keeper_packages,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError

BOTH = ["python3-prometheus-client", "python3-waitress"]


class Apt:
    """An apt that has packages, or has not; installing one makes its content found."""

    def __init__(
        self, patch: pytest.MonkeyPatch, missing: Sequence[str], works: bool = True
    ) -> None:
        self.missing = list(missing)
        self.calls: list[str] = []
        self.works = works
        self.useful = True
        patch.setattr(programs, "run", self.run)

    def run(self, command: Sequence[str], what: str, *_others: Any, **_options: Any) -> str:
        """Takes the place of ``programs.run``."""
        if command[0] == keeper_packages.PYTHON:
            assert command[3:] == ["prometheus_client", "waitress"]
            names = {package: name for name, package in keeper_packages.PACKAGES.items()}
            return " ".join(names[package] for package in self.missing) + "\n"
        action = "update" if "update" in command else "install"
        self.calls.append(action)
        if not self.works:
            raise LoadBalancingError(f"{what} failed (100).\nE: no such thing")
        if action == "install" and self.useful:
            self.missing = [package for package in self.missing if package not in command]
        return ""


def test_what_python_finds_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_packages, "PYTHON", sys.executable)
    monkeypatch.setattr(
        keeper_packages, "PACKAGES", {"json": "one", "no_such_module": "two", "http": "three"}
    )
    assert keeper_packages.missing() == ["two"]


def test_a_host_without_that_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_packages, "PYTHON", "/nowhere/python3")
    with pytest.raises(LoadBalancingError) as caught:
        keeper_packages.missing()
    assert str(caught.value) == (
        "looking for the keeper's Python packages failed: /nowhere/python3: "
        "No such file or directory."
    )


def test_what_is_missing_is_installed_after_a_look_at_the_archive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Apt(monkeypatch, BOTH)
    assert keeper_packages.missing() == BOTH
    keeper_packages.install(BOTH)
    assert (host.calls, keeper_packages.missing()) == (["update", "install"], [])


def test_packages_that_cannot_be_had_are_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Apt(monkeypatch, BOTH, works=False)
    with pytest.raises(LoadBalancingError) as caught:
        keeper_packages.install(BOTH)
    assert str(caught.value) == (
        "The keeper needs python3-prometheus-client and python3-waitress, which cannot be had "
        "here. Install what is missing for /usr/bin/python3, or set keeper_enabled=false to deploy "
        "without the keeper.\n"
        "installing python3-prometheus-client python3-waitress failed (100).\nE: no such thing\n"
        "apt-get update failed (100).\nE: no such thing"
    )


def test_packages_for_another_python_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Apt(monkeypatch, BOTH[1:])
    host.useful = False
    with pytest.raises(LoadBalancingError) as caught:
        keeper_packages.install(BOTH[1:])
    assert str(caught.value) == (
        "The keeper needs python3-waitress, which cannot be had here. Install what is missing for "
        "/usr/bin/python3, or set keeper_enabled=false to deploy without the keeper.\n"
        "They are installed, and yet /usr/bin/python3 does not find them."
    )


def test_recommended_packages_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Sequence[str]] = []
    monkeypatch.setattr(apt.programs, "run", lambda command, *_o, **_p: seen.append(command) or "")
    keeper_packages.install(BOTH)
    assert "--no-install-recommends" in seen[1]
    assert list(seen[1][-2:]) == BOTH
