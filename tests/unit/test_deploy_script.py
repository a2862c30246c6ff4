# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""deploy.sh: what becomes of its options, and which Python the bootstrap takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BASH = shutil.which("bash") or "/bin/bash"
# Stands in for ansible-playbook: prints its arguments as JSON.
PRINT_ARGUMENTS = f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n"


def executable(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def in_bash(checkout: Path, code: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run code after the bootstrap has been sourced."""
    environment = {**os.environ, "PATH": path or os.environ["PATH"], "PYENV_ROOT": "/nowhere"}
    return subprocess.run(
        [BASH, "-c", f'root="$1"; . "$root/tools/bootstrap.sh"; {code}', "bash", str(checkout)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(name="checkout")
def checkout_fixture(tmp_path: Path) -> Path:
    """A checkout whose environment is ready and whose ansible-playbook only prints."""
    for name in ("deploy.sh", "requirements.txt", "requirements.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tools").mkdir()
    for name in ("bootstrap.sh", "install_collections.py"):
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools" / name)
    (tmp_path / "inventories" / "local").mkdir(parents=True)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    executable(tmp_path / ".venv/bin/python", "#!/bin/sh\n")
    executable(tmp_path / ".venv/bin/ansible-playbook", PRINT_ARGUMENTS)
    (tmp_path / "fake").mkdir()
    executable(tmp_path / "fake" / "id", "#!/bin/sh\necho 0\n")
    done = in_bash(tmp_path, 'fingerprint run >"$venv/.ready-run"')
    assert done.returncode == 0, done.stderr
    return tmp_path


def deploy(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run deploy.sh as if by root, who is not asked for a password."""
    path = f"{checkout / 'fake'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [BASH, str(checkout / "deploy.sh"), *words],
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def arguments(checkout: Path, *words: str) -> list[str]:
    """The arguments that ansible-playbook gets, without the inventory and with short paths."""
    done = deploy(checkout, *words)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    assert found[0] == "-i"
    return [word.replace(f"{checkout}/", "") for word in found[1:]]


LOCAL = "inventories/local"
DEPLOY = "playbooks/deploy.yml"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [LOCAL, DEPLOY]),
        (["--replicas", "5"], [LOCAL, DEPLOY, "-e", '{"replicas": "5"}']),
        (["--replicas=5"], [LOCAL, DEPLOY, "-e", '{"replicas": "5"}']),
        (["--replicas", "-1"], [LOCAL, DEPLOY, "-e", '{"replicas": "-1"}']),
        (["--version", "2"], [LOCAL, DEPLOY, "-e", '{"app_version": "2"}']),
        (["--scale", "7"], [LOCAL, "playbooks/scale.yml", "-e", '{"replicas": "7"}']),
        (["--dev"], [LOCAL, DEPLOY, "-e", '{"mode": "development"}']),
        (["--check"], [LOCAL, DEPLOY, "--check", "--diff"]),
        (["--", "--limit", "web 1", "-e", "a=b"], [LOCAL, DEPLOY, "--limit", "web 1", "-e", "a=b"]),
    ],
)
def test_options_become_arguments(checkout: Path, words: list[str], expected: list[str]) -> None:
    assert arguments(checkout, *words) == expected


@pytest.mark.parametrize("value", ["3 mode=development", '3", "mode": "x', "a\\b", "{{ 1 + 1 }}"])
def test_a_value_stays_one_value(checkout: Path, value: str) -> None:
    assert json.loads(arguments(checkout, "--replicas", value)[-1]) == {"replicas": value}


def test_another_inventory(checkout: Path, tmp_path: Path) -> None:
    assert arguments(checkout, "--inventory", str(tmp_path))[0] == str(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--replicas"], "error: --replicas needs a value"),
        (["--replicas="], "error: --replicas needs a value"),
        (["--version", "--dev"], "error: --version needs a value"),
        (["--replica", "3"], "error: unknown option: --replica"),
        (["3"], "error: unknown option: 3"),
        (
            ["--inventory", "/nowhere"],
            "error: --inventory /nowhere: there is no such file or folder",
        ),
        (
            ["--scale", "3", "--version", "2"],
            "error: --scale changes the number of replicas and nothing else; "
            "--version does not go with it",
        ),
        (
            ["--version", "1\n2"],
            "error: control characters are not allowed in an option's value",
        ),
    ],
)
def test_wrong_options_are_refused(checkout: Path, words: list[str], message: str) -> None:
    done = deploy(checkout, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [message, "./deploy.sh --help lists the options."]


def test_help_needs_no_environment(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    done = deploy(checkout, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--replicas N" in done.stdout
    assert not (checkout / ".venv").exists()


def test_a_python_that_does_not_run_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    """Shims for versions that are not selected are newer by name, and fail."""
    shims, good = tmp_path / "shims", tmp_path / "good"
    for folder in (shims, good):
        folder.mkdir()
    executable(shims / "python3.14", "#!/bin/sh\nexit 127\n")
    executable(good / "python3.12", "#!/bin/sh\nexit 0\n")
    executable(good / "python3.11", "#!/bin/sh\nexit 0\n")
    done = in_bash(checkout, "find_python", f"{shims}:{good}:/usr/bin:/bin")
    assert done.stdout.strip() == str(good / "python3.12")


def test_another_place_or_requirement_makes_the_environment_anew(checkout: Path) -> None:
    assert in_bash(checkout, "is_ready run").returncode == 0
    with (checkout / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("another\n")
    assert in_bash(checkout, "is_ready run").returncode == 1
