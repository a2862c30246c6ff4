# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role settings in real plays: facts, error texts, secrets, inventories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ansible.cli", reason="the controller's side needs ansible-core")

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
- name: Read the settings
  hosts: all
  gather_facts: false
  tasks:
    - name: Read
      ansible.builtin.import_role:
        name: digiz.load_balancing.settings
        tasks_from: "{{ entry }}"
        rolespec_validate: false
    - name: Show what other roles get
      ansible.builtin.debug:
        msg: "{{ shown | from_json }}"
      vars:
        shown: '{"stack": {{ stack_settings | to_json }}, "secrets": {{ stack_secrets | to_json }}}'
      when: entry == 'deploy'
    - name: Show what a drill gets
      ansible.builtin.debug:
        msg: ["{{ drill_fault }}", "{{ drill_mode }}"]
      when: entry == 'drill'
"""


def play(folder: Path, *arguments: str, **variables: object) -> tuple[int, dict[str, Any], str]:
    """Run the play; return its exit status, its results by task and all that it printed."""
    status, results, text = plays(folder, PLAY, *arguments, **variables)
    return status, dict(results), text


def plays(
    folder: Path, content: str, *arguments: str, **variables: object
) -> tuple[int, list[tuple[str, Any]], str]:
    """Run plays; return the exit status, each task's name and result, and all that was printed."""
    (folder / "play.yml").write_text(content)
    (folder / "values.json").write_text(json.dumps({"entry": "deploy", **variables}))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(folder / "play.yml")]
    done = subprocess.run(
        [*command, "-e", f"@{folder / 'values.json'}", *(arguments or ("-i", "localhost,"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_VERBOSITY": "3",
        },
    )
    text = done.stdout[done.stdout.index("{\n") :]
    tasks = [task for one in json.loads(text)["plays"] for task in one["tasks"]]
    results = [(task["task"]["name"], next(iter(task["hosts"].values()))) for task in tasks]
    return done.returncode, results, done.stdout + done.stderr


def test_facts_are_typed_and_hold_no_secret(tmp_path: Path) -> None:
    status, results, text = play(
        tmp_path,
        replicas="4",
        app_env={"GREETING": "{{ 'hel' ~ 'lo' }}"},
        app_secrets={"key": "hush-hush"},
        app_version=2,
    )
    assert status == 0, text
    result = next(value for name, value in results.items() if "Check the settings" in name)
    settings = result["ansible_facts"]["load_balancing"]
    assert settings["replicas"] == 4
    assert settings["app_reference"] == "digiz/chatbot:2"
    assert settings["app_env"] == {"GREETING": "hello"}
    assert settings["secret_names"] == ["database_password", "key"]
    assert "hush-hush" not in json.dumps(result)
    shown = results["Show what other roles get"]["msg"]
    assert shown["stack"]["replicas"] == 4
    assert shown["secrets"] == {"key": "hush-hush"}


def test_all_faults_at_once_and_no_secret_in_them(tmp_path: Path) -> None:
    status, results, text = play(
        tmp_path,
        "-i",
        "localhost,",
        "--check",
        replicas="three",
        app_verison="2",
        app_users=["somebody"],
        settings_other_variables=["app_users"],
        app_user="{{ nowhere }}",
        app_secrets={"key": ["hush-hush"]},
    )
    assert status != 0
    (result,) = results.values()
    lines = result["msg"].splitlines()
    assert lines[0].startswith("app_user: its template cannot be resolved: ")
    assert lines[1:] == [
        "replicas: 'three' is not allowed: a whole number from 1 to 100, or auto. "
        "Set the variable replicas.",
        "app_secrets: the value of key is not allowed: a text without control characters (other "
        "than newline and tab), a number, true or false. Set the variable app_secrets.",
        "unknown variable 'app_verison': did you mean app_version?",
    ]
    assert "hush-hush" not in text


def test_every_playbook_has_its_entry_point(tmp_path: Path) -> None:
    entries = ["scale", "verify", "rollback", "remove"]
    content = "".join(PLAY.replace("{{ entry }}", entry) for entry in entries)
    status, results, text = plays(tmp_path, content, "-i", "localhost,", entry="none of these")
    assert status == 0, text
    facts = [result["ansible_facts"] for _name, result in results if "ansible_facts" in result]
    assert [one["load_balancing"]["playbook"] for one in facts] == entries


def test_a_drill_gets_its_fault(tmp_path: Path) -> None:
    status, results, text = play(tmp_path, entry="drill", fault="hang", mode="development")
    assert status == 0, text
    assert results["Show what a drill gets"]["msg"] == ["hang", "development"]


def test_a_drill_without_a_fault_is_refused(tmp_path: Path) -> None:
    status, results, _text = play(tmp_path, entry="drill")
    assert status != 0
    (result,) = results.values()
    assert result["msg"].startswith("fault: a value is needed: crash, stop, ")


@pytest.mark.parametrize(
    ("inventory", "port", "image"),
    [
        ("local", 8080, "digiz/chatbot:1"),
        ("single_host", 80, "registry.example.com/team/shop:1.4.2"),
    ],
)
def test_the_inventories_are_right(tmp_path: Path, inventory: str, port: int, image: str) -> None:
    status, results, text = play(tmp_path, "-i", f"inventories/{inventory}")
    assert status == 0, text
    result = next(iter(results.values()))
    settings = result["ansible_facts"]["load_balancing"]
    assert settings["balancer_http_port"] == port
    assert settings["app_reference"] == image
