# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timer that scales: its texts, and that they run the same command from any folder."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils.errors import LoadBalancingError
from ansible_collections.digiz.load_balancing.plugins.module_utils.scaling_units import (
    ScalingTimer,
    files,
)
from tests.unit.unit_readers import cron_reads, systemd_reads

SHOP = ScalingTimer(
    stack="shop",
    interval=90,
    checkout="/srv/checkout",
    python="/srv/checkout/.venv/bin/python3",
    interpreter="/usr/bin/python3",
    variables="/opt/shop/state/scaling-timer.json",
    config="/srv/checkout/ansible.cfg",
)
WORDS = [
    "/srv/checkout/.venv/bin/ansible-playbook",
    *("-i", "localhost,", "-c", "local"),
    *("-e", '{"ansible_python_interpreter": "/usr/bin/python3"}'),
    *("-e", "@/opt/shop/state/scaling-timer.json"),
    "/srv/checkout/playbooks/scale.yml",
]
COMMAND = (
    "cd /srv/checkout && ANSIBLE_CONFIG=/srv/checkout/ansible.cfg "
    "/srv/checkout/.venv/bin/ansible-playbook -i localhost, -c local "
    """-e '{"ansible_python_interpreter": "/usr/bin/python3"}' """
    "-e @/opt/shop/state/scaling-timer.json /srv/checkout/playbooks/scale.yml"
)
FOLDERS = ["plain", "a b", " 50%h ", "q\"uo'te", "back\\slash\\", "$HOME ${x} $$", "a=b;c&d", "é€"]
# Stands in for ansible-playbook: where and with what it was run.
STANDING_IN = """#!/bin/sh
printf '%s\\0' "$PWD" "$ANSIBLE_CONFIG" "$@" >"$SAID"
"""


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The sections of a unit. No key stands twice in ours."""
    parser: Any = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def command_of_systemd(text: str) -> list[str]:
    """What systemd starts."""
    return systemd_reads(parsed(text)["Service"]["ExecStart"])


def command_of_cron(text: str) -> str:
    """What cron hands to the shell: the line without its times and its user."""
    line = cron_reads(text.splitlines()[-1], folds_backslashes=False)
    found = re.fullmatch(r"\*/\d+ \* \* \* \* root (.*)", line)
    assert found, line
    return found[1]


def test_systemd_runs_the_playbook() -> None:
    text = parsed(files(SHOP)["service"])
    assert command_of_systemd(files(SHOP)["service"]) == ["/bin/sh", "-c", COMMAND]
    assert shlex.split(COMMAND.partition(" && ANSIBLE_CONFIG=/srv/checkout/ansible.cfg ")[2]) == (
        WORDS
    )
    assert (text["Service"]["Type"], text["Service"]["Environment"]) == ("oneshot", "HOME=/root")
    assert text["Unit"]["After"] == "docker.service digiz-keeper-shop.service"


def test_the_timer_fires_again_and_again() -> None:
    timer = parsed(files(SHOP)["timer"])
    assert timer["Timer"] == {
        "OnActiveSec": "90",
        "OnUnitInactiveSec": "90",
        "AccuracySec": "5",
    }
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_cron_runs_the_same_in_whole_minutes() -> None:
    lines = files(SHOP)["cron"].splitlines()
    assert lines[-1] == f"*/1 * * * * root {COMMAND} >/opt/shop/logs/scaling.log 2>&1"
    assert lines[-2] == "HOME=/root"
    assert "*/30 * * * * root " in files(replace(SHOP, interval=1800))["cron"]


def test_without_a_configuration_ansible_finds_one_itself() -> None:
    """An empty ANSIBLE_CONFIG would be the current folder's."""
    bare = replace(SHOP, config="")
    assert not [text for text in files(bare).values() if "ANSIBLE_CONFIG" in text]
    assert command_of_systemd(files(bare)["service"])[2].startswith(
        "cd /srv/checkout && /srv/checkout/.v"
    )


def standing_in(tmp_path: Path, folder: str) -> ScalingTimer:
    """A timer whose checkout, in a folder of that name, only tells how it was run."""
    checkout = tmp_path / folder
    program = checkout / ".venv" / "bin" / "ansible-playbook"
    program.parent.mkdir(parents=True)
    program.write_text(STANDING_IN, encoding="utf-8")
    program.chmod(0o755)
    there = {"checkout": str(checkout), "config": str(checkout / "ansible.cfg")}
    return replace(SHOP, python=str(program.with_name("python3")), **there)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("by", ["systemd", "cron"])
def test_the_checkout_may_lie_anywhere(tmp_path: Path, folder: str, by: str) -> None:
    timer = standing_in(tmp_path, folder)
    shell = ["/bin/sh", "-c"]
    text = command_of_cron(files(timer)["cron"]).rpartition(" >/opt/")[0]
    command = command_of_systemd(files(timer)["service"]) if by == "systemd" else [*shell, text]
    said = tmp_path / "said"
    environment = {**os.environ, "SAID": str(said)}
    subprocess.run(command, env=environment, check=True, timeout=10, cwd="/")
    where, config, *arguments = said.read_text(encoding="utf-8").split("\0")[:-1]
    assert (where, config) == (timer.checkout, timer.config)
    assert arguments == [*WORDS[1:-1], f"{timer.checkout}/playbooks/scale.yml"]
    assert json.loads(arguments[5]) == {"ansible_python_interpreter": "/usr/bin/python3"}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
@pytest.mark.parametrize("folder", FOLDERS)
def test_systemd_understands_every_line(tmp_path: Path, folder: str) -> None:
    timer = standing_in(tmp_path, folder)
    names = {"service": "digiz-scaling-shop.service", "timer": "digiz-scaling-shop.timer"}
    for kind, name in names.items():
        (tmp_path / name).write_text(files(timer)[kind], encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *[str(tmp_path / name) for name in names.values()]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "digiz-scaling" in line] == []


@pytest.mark.parametrize("change", [{"checkout": "/srv/a\nb"}, {"stack": "Shop"}])
def test_what_cannot_be_written_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(LoadBalancingError, match="is not allowed"):
        files(replace(SHOP, **change))
