# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host lacks of the engine, which packages bring it, and how the engine is started."""

from __future__ import annotations

import dataclasses
import os
import ssl
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import (
    apt,
    engine_install,
    engine_packages,
    engine_service,
    engine_state,
    programs,
)
from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from tests.unit.fakes.engine_host import elf

ALL = ["engine", "client", "compose", "buildx", "sdk", "busybox", "logrotate"]
GOOD = engine_state.EngineState(
    running=True,
    engine="26.1.5",
    client="26.1.5",
    compose="2.26.1-4",
    buildx="v0.13.1",
    sdk=True,
    sdk_system=True,
    busybox=True,
    logrotate=True,
    init="systemd",
    enabled=True,
    family="distribution",
    swarm=False,
    live_restore=True,
)
BOOKWORM = engine_packages.Host("debian", "bookworm", "Debian 12")
TRIXIE = engine_packages.Host("debian", "trixie", "Debian 13")
NOBLE = engine_packages.Host("ubuntu", "noble", "Ubuntu 24.04")
CANDIDATES = {
    "bookworm": {"docker.io": "20.10.24", "docker-compose": "1.29.2-3"},
    "trixie": {
        "docker.io": "26.1.5",
        "docker-cli": "26.1.5",
        "docker-compose": "2.26.1-4",
        "docker-buildx": "0.13.1",
    },
    "noble": {
        "docker.io": "27.5.1-0ubuntu3",
        "docker-compose": "1.29.2-6ubuntu1",
        "docker-compose-v2": "2.33.0+ds1-0ubuntu1",
        "docker-buildx": "0.20.1",
    },
}


def change(**changes: Any) -> list[str]:
    """What is missing on a good host with changes."""
    return dataclasses.replace(GOOD, **changes).missing()


def test_a_good_host_lacks_nothing() -> None:
    assert GOOD.missing() == []
    assert change(running=False, engine="") == []


def test_a_virgin_host_lacks_everything() -> None:
    assert (
        change(
            running=False,
            engine="",
            client="",
            compose="",
            buildx="",
            sdk=False,
            sdk_system=False,
            busybox=False,
            logrotate=False,
            family="none",
        )
        == ALL
    )


def test_an_old_compose_is_missing_and_an_old_engine_is_an_error() -> None:
    assert change(compose="2.19.9") == ["compose"]
    engine_state.check_engine_version("20.10.24+dfsg1")
    engine_state.check_engine_version("")
    with pytest.raises(LoadBalancingError, match=r"19\.3\.1 is not allowed: at least 20\.10"):
        engine_state.check_engine_version("19.3.1")


def test_an_interpreter_without_the_sdk_is_told() -> None:
    engine_state.check_interpreter(GOOD)
    with pytest.raises(LoadBalancingError, match=r"^ansible_python_interpreter: "):
        engine_state.check_interpreter(dataclasses.replace(GOOD, sdk=False))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v2.26.1-4", (2, 26, 1)),
        ("5:27.5.1-1~debian", (27, 5, 1)),
        ("26.1.5+dfsg1", (26, 1, 5)),
        ("", ()),
        ("none", ()),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert engine_state.version_tuple(text) == version


@pytest.mark.parametrize("wide", [True, False])
def test_a_program_with_a_loader_is_not_static(wide: bool) -> None:
    assert engine_state.is_static_elf(elf([1, 1, 4], wide))
    assert not engine_state.is_static_elf(elf([6, 3, 1], wide))
    assert not engine_state.is_static_elf(b"#!/bin/sh\n")
    assert not engine_state.is_static_elf(b"")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n',
            engine_packages.Host("debian", "bookworm", "Debian 12"),
        ),
        (
            "ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n"
            "PRETTY_NAME=Mint\n",
            engine_packages.Host("ubuntu", "noble", "Mint"),
        ),
    ],
)
def test_the_distribution(text: str, expected: engine_packages.Host) -> None:
    assert engine_packages.parse_os_release(text) == expected


def test_an_unknown_distribution_is_told() -> None:
    with pytest.raises(LoadBalancingError, match="installed on Fedora 44: Debian and Ubuntu"):
        engine_packages.parse_os_release('ID=fedora\nPRETTY_NAME="Fedora 44"\n')


def packages_of(host: engine_packages.Host, missing: list[str]) -> tuple[str, ...] | None:
    return engine_packages.distribution_packages(missing, CANDIDATES[host.codename])


def test_packages_of_each_distribution() -> None:
    common = ("python3-docker", "busybox-static", "logrotate")
    assert packages_of(BOOKWORM, ALL) is None
    assert packages_of(BOOKWORM, ["sdk", "busybox", "logrotate"]) == common
    debian = ("docker.io", "docker-cli", "docker-compose", "docker-buildx", *common)
    assert packages_of(TRIXIE, ALL) == debian
    assert packages_of(NOBLE, ALL) == ("docker.io", "docker-compose-v2", "docker-buildx", *common)
    docker = ("docker-ce", "containerd.io", "docker-ce-cli", "docker-compose-plugin")
    assert engine_packages.docker_packages(ALL) == (*docker, "docker-buildx-plugin", *common)


def test_only_missing_packages_are_preferred_from_the_next_suite() -> None:
    files = engine_packages.next_suite_files("trixie", apt.Mirrors(), ["compose"])
    pin = files[engine_packages.NEXT_PIN]
    assert "Package: *\nPin: release n=trixie\nPin-Priority: 100\n" in pin
    assert "Package: docker-compose\nPin: release n=trixie\nPin-Priority: 500\n" in pin
    assert "docker.io" not in pin
    later = engine_packages.next_suite_files("trixie", apt.Mirrors(), ["engine"], pin)
    assert "Package: docker.io docker-cli docker-compose\n" in later[engine_packages.NEXT_PIN]
    assert "Signed-By: " in files[engine_packages.NEXT_SOURCES]


class Machine:
    """A host's apt, and the web as it sees it."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: engine_packages.Host
    ) -> None:
        self.known: dict[str, str] = CANDIDATES[host.codename]
        self.web: dict[str, Any] = {}
        self.done: list[str] = []
        monkeypatch.setattr(engine_packages, "parse_os_release", lambda _text: host)
        monkeypatch.setattr(engine_install, "read", self.read)
        monkeypatch.setattr(engine_packages, "NEXT_PIN", str(tmp_path / "pin"))
        monkeypatch.setattr(apt, "candidates", lambda _names: self.known)
        monkeypatch.setattr(apt, "mirrors", apt.Mirrors)
        monkeypatch.setattr(apt, "update", self.update)
        monkeypatch.setattr(apt, "install", self.install)
        monkeypatch.setattr(apt, "write_files", lambda files: self.done.append("write"))

    def update(self, _timeout: float) -> str:
        self.done.append("update")
        return ""

    def install(self, names: Any, timeout: float = 0, complaint: str = "") -> None:
        self.done.append(" ".join(names))

    def read(self, url: str, _timeout: float) -> str:
        answer = self.web.get(url.rpartition("/")[2], OSError("no such host"))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n…"


def test_dockers_own_packages_where_they_can_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine(monkeypatch, tmp_path, TRIXIE)
    machine.web = {"gpg": KEY, "InRelease": "…"}
    done = engine_install.install(ALL, "none", "auto", check=False)
    assert done.source == "docker"
    assert set(done.files) == {engine_packages.DOCKER_KEY, engine_packages.DOCKER_SOURCES}
    assert "Suites: trixie\n" in done.files[engine_packages.DOCKER_SOURCES]
    assert machine.done[:3] == ["update", "write", "update"]
    assert machine.done[3].startswith("docker-ce containerd.io docker-ce-cli")


def test_the_distributions_packages_where_dockers_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine(monkeypatch, tmp_path, TRIXIE)
    done = engine_install.install(ALL, "none", "auto", check=False)
    assert (done.source, dict(done.files)) == ("distribution", {})
    assert machine.done[0] == "update"
    assert machine.done[1].startswith("docker.io docker-cli docker-compose docker-buildx")
    assert machine.done[1].endswith("ca-certificates")


def test_a_host_without_certificates_gets_them_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine(monkeypatch, tmp_path, NOBLE)
    untrusted = urllib.error.URLError(ssl.SSLCertVerificationError("unknown issuer"))
    machine.web = {"gpg": [untrusted, KEY], "InRelease": "…"}
    assert engine_install.install(ALL, "none", "auto", check=False).source == "docker"
    assert machine.done[1] == "ca-certificates"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OSError("no such host"), "no such host"),
        ("<html>", "what it sends is no key"),
    ],
)
def test_dockers_repository_that_is_asked_for_and_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Any, reason: str
) -> None:
    Machine(monkeypatch, tmp_path, NOBLE).web = {"gpg": answer, "InRelease": "…"}
    with pytest.raises(LoadBalancingError) as error:
        engine_install.install(ALL, "none", "docker", check=False)
    assert str(error.value) == (
        "docker_engine_source: docker is not possible here: https://download.docker.com/linux "
        f"cannot be used: {reason}. Let the host reach it, or set "
        f"docker_engine_source=distribution."
    )


@pytest.mark.parametrize(
    ("family", "source", "expected"),
    [
        ("docker", "auto", "docker"),
        ("distribution", "docker", "distribution"),
        ("other", "auto", "distribution"),
        ("other", "docker", "docker"),
        ("none", "distribution", "distribution"),
    ],
)
def test_plugins_come_from_where_the_engine_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, family: str, source: str, expected: str
) -> None:
    Machine(monkeypatch, tmp_path, TRIXIE).web = {"gpg": KEY, "InRelease": "…"}
    done = engine_install.install(["compose"], family, source, check=True)
    assert done.source == expected


def test_check_mode_on_a_virgin_host_names_the_packages_without_package_lists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for host, compose in ((BOOKWORM, "docker-compose"), (NOBLE, "docker-compose-v2")):
        machine = Machine(monkeypatch, tmp_path, host)
        machine.known = {}
        done = engine_install.install(ALL, "none", "auto", check=True)
        assert compose in done.packages
        assert bool(done.files) == (host is BOOKWORM)
        assert machine.done == []


def test_nothing_is_installed_where_that_is_not_wanted() -> None:
    engine_packages.check_possible([], "none")
    with pytest.raises(LoadBalancingError, match="compose, sdk is missing on the host"):
        engine_packages.check_possible(["compose", "sdk"], "none")


def test_a_release_without_any_recent_compose_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = Machine(monkeypatch, tmp_path, TRIXIE)
    machine.known = {"docker.io": "20.10"}
    old = engine_packages.Host("debian", "bullseye", "Debian 11")
    monkeypatch.setattr(engine_packages, "parse_os_release", lambda _text: old)
    with pytest.raises(LoadBalancingError, match="not possible on Debian 11: it has no Docker"):
        engine_install.install(ALL, "none", "distribution", check=False)


def test_pid_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "docker.pid"
    assert not engine_service.remove_stale_pid_file(str(path), "dockerd")
    for text in ("999999999", "rubbish", str(os.getpid())):
        path.write_text(text)
        assert engine_service.remove_stale_pid_file(str(path), "dockerd")
        assert not path.exists()
    path.write_text(str(os.getpid()))
    own = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert not engine_service.remove_stale_pid_file(str(path), own)
    assert path.exists()


class Init:
    """What starts the engine, or fails to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, starts: str) -> None:
        self.commands: list[str] = []
        self.starts, self.up = starts, False
        monkeypatch.setattr(engine_service, "engine_pid", lambda: 1)
        monkeypatch.setattr(engine_service, "answers", lambda: self.up)
        monkeypatch.setattr(engine_service, "_SCRIPT_PATIENCE", 0)
        monkeypatch.setattr(programs, "run", self.run)

    def run(self, command: list[str], *_rest: Any, **_options: Any) -> str:
        text = " ".join(command)
        self.commands.append(text)
        self.up = self.up or self.starts in text
        return "the last words\n"


@pytest.mark.parametrize(
    ("init", "starts", "method"),
    [
        ("systemd", "systemctl start", "systemd"),
        ("sysv", "/etc/init.d/docker start", "sysv"),
        ("sysv", "start-stop-daemon", "direct"),
        ("none", "start-stop-daemon", "direct"),
    ],
)
def test_ways_to_start(
    monkeypatch: pytest.MonkeyPatch, init: str, starts: str, method: str
) -> None:
    Init(monkeypatch, starts)
    assert engine_service.start(init, 0) == method


def test_an_engine_that_does_not_come_up_is_told_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Init(monkeypatch, "nothing does")
    with pytest.raises(LoadBalancingError) as error:
        engine_service.start("systemd", 0)
    assert str(error.value) == (
        "the Docker engine did not answer within 0 s. Its last words:\nthe last words"
    )
