# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugins, which run on the controller: settings and rollout_step."""

from __future__ import annotations

import getpass
import json
import multiprocessing
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.template import Templar, trust_as_template

from ansible_collections.digiz.load_balancing.plugins.action import rollout_step, settings
from ansible_collections.digiz.load_balancing.plugins.modules import settings as documentation

ROOT = Path(__file__).resolve().parents[2]
SPECS = yaml.safe_load((ROOT / "roles/settings/meta/argument_specs.yml").read_text())


def action(plugin: Any, variables: dict[str, Any], check: bool = False, **arguments: Any) -> Any:
    """The plugin with its task, as Ansible makes it."""
    loader, task = DataLoader(), Task()
    task.args, task.check_mode = arguments, check
    return plugin.ActionModule(
        task=task,
        connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir="/nowhere")),
        play_context=None,
        loader=loader,
        templar=Templar(loader=loader, variables=variables),
        shared_loader_obj=None,
    )


def run_settings(playbook: str = "deploy", check: bool = False, **variables: Any) -> dict[str, Any]:
    """What the action settings returns for these variables."""
    done: dict[str, Any] = action(settings, variables, check, playbook=playbook).run(
        task_vars=variables
    )
    return done


def faults(**variables: Any) -> list[str]:
    done = run_settings(**variables)
    assert (done["failed"], "ansible_facts" in done) == (True, False)
    return str(done["msg"]).splitlines()


# settings


@pytest.mark.parametrize("check", [True, False])
def test_settings_are_typed_facts_without_secrets(check: bool) -> None:
    done = run_settings(
        check=check,
        replicas="4",
        app_env={"GREETING": trust_as_template("{{ 'hel' ~ 'lo' }}")},
        app_secrets={"key": "hush-hush"},
    )
    found = done["ansible_facts"]["load_balancing"]
    assert (done["changed"], found["playbook"], found["replicas"]) == (False, "deploy", 4)
    assert (found["app_env"], "key" in found["secret_names"]) == ({"GREETING": "hello"}, True)
    assert "hush-hush" not in json.dumps(done)


def test_all_faults_are_told_at_once() -> None:
    assert faults(replicas="three", rollout_surge=0, app_verison="2") == [
        "replicas: 'three' is not allowed: a whole number from 1 to 100, or auto. "
        "Set the variable replicas.",
        "rollout_surge: 0 is not allowed: a whole number from 1 to 100. "
        "Set the variable rollout_surge.",
        "unknown variable 'app_verison': did you mean app_version?",
    ]


def test_a_template_that_cannot_be_resolved_is_told() -> None:
    (line,) = faults(app_user=trust_as_template("{{ nowhere }}"))
    assert line.startswith("app_user: its template cannot be resolved: ")
    assert "nowhere" in line
    assert line.endswith(". Set the variable app_user.")


def test_the_template_of_a_secret_is_not_shown() -> None:
    secret = trust_as_template("{{ hush_hush }}")
    assert faults(app_secrets=secret) == [
        "app_secrets: its template cannot be resolved. Set the variable app_secrets."
    ]


def test_variables_of_other_roles_are_no_slips() -> None:
    """The names that the roles know are looked up as soon as one looks odd."""
    known: set[str] = set()
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            known.update(entry.get("options") or {})
    others = known - set(SPECS["argument_specs"]["deploy"]["options"])
    slip = "unknown variable 'app_verison': did you mean app_version?"
    assert faults(app_verison="2", **dict.fromkeys(others, "x")) == [slip]


def test_who_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    found = run_settings("verify")["ansible_facts"]["load_balancing"]
    assert (found["operator"], found["controller"]) == (getpass.getuser(), socket.gethostname())
    monkeypatch.setenv("SUDO_USER", "ana")
    assert run_settings("verify")["ansible_facts"]["load_balancing"]["operator"] == "ana"
    found = run_settings("verify", awx_user_name="bình")["ansible_facts"]["load_balancing"]
    assert found["operator"] == "bình", "AWX knows better"


@pytest.mark.parametrize("arguments", [{"playbook": "backup"}, {}, {"playbook": "deploy", "x": 1}])
def test_a_playbook_that_there_is_not(arguments: dict[str, Any]) -> None:
    with pytest.raises(AnsibleError, match="playbook"):
        action(settings, {}, **arguments).run(task_vars={})


def test_its_documentation_names_every_playbook() -> None:
    described = yaml.safe_load(documentation.DOCUMENTATION)["options"]["playbook"]["choices"]
    assert described == list(SPECS["argument_specs"])


# rollout_step


@pytest.fixture(name="executed")
def executed_fixture(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How the module was called."""
    calls: list[dict[str, Any]] = []

    def execute(_self: object, **options: Any) -> dict[str, Any]:
        calls.append(options)
        return {"changed": True, "text": "done"}

    monkeypatch.setattr(rollout_step.ActionModule, "_execute_module", execute)
    return calls


@pytest.mark.parametrize("parent", [None, SimpleNamespace(is_alive=lambda: True)])
def test_a_step_runs_while_its_run_does(
    executed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, parent: Any
) -> None:
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    done = action(rollout_step, {}, step={"action": "join"}).run(task_vars={"a": 1})
    assert (done["changed"], done["text"]) == (True, "done")
    assert executed == [{"module_name": "digiz.load_balancing.rollout_step", "task_vars": {"a": 1}}]


def test_no_step_is_begun_when_its_run_has_ended(
    executed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = SimpleNamespace(is_alive=lambda: False)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: gone)
    done = action(rollout_step, {}, check=True, step={"action": "join"}).run(task_vars={})
    assert (done["failed"], executed) == (True, [])
    assert done["msg"] == (
        "The run that this step belongs to has ended. The next run goes on from here."
    )
