# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What awx/ creates in AWX is what the playbooks take, and its parts refer to each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.digiz.load_balancing.plugins.module_utils import errors, settings
from ansible_collections.digiz.load_balancing.plugins.module_utils.settings_fields import (
    FIELDS,
    read_field,
)
from tools import awx, docs

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
PREFIX = "{{ awx_prefix }} "
# What the API of AWX takes: JobTemplateSurveySpec in awx/api/views.
TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "integer": int,
    "float": float,
    "multiplechoice": str,
    "multiselect": str,
}
# And the type of a question by the type of its variable, where there are no choices.
BY_TYPE = {"bool": "multiplechoice", "float": "float", "int": "integer"}


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


POINTS = docs.entry_points(docs.FRONT)
TEMPLATES = awx.asking()
JOBS = {template["name"]: template for template in awx.load("templates.yml")["awx_templates"]}
WORKFLOW = awx.load("workflow.yml")["awx_workflow"]
SCHEDULES = awx.load("schedules.yml")["awx_schedules"]
QUESTIONS = [
    (template, question)
    for template in TEMPLATES
    for question in read(f"awx/surveys/{template['survey']}.yml")["spec"]
]


def option_of(template: dict[str, Any], variable: str) -> dict[str, Any]:
    """The option of the playbook that a question is about."""
    option: dict[str, Any] = POINTS[Path(template["playbook"]).stem]["options"][variable]
    return option


def named(case: Any) -> str:
    return str(case.get("variable") or case["name"].replace(PREFIX, ""))


def sample(variable: str, option: dict[str, Any]) -> Any:
    """A value that the variable may have."""
    field = FIELDS[variable]
    if "choices" in option:
        return option["choices"][-1]
    if field.low is not None:
        return field.high if variable == "scale_max_replicas" else field.low
    texts = {"app_version": "1.10", "replicas": "auto", "app_memory_reservation": "512m"}
    texts.update(drill_path="/health", maintenance_allow="203.0.113.0/24, 2001:db8::/32")
    texts.update(maintenance_message="Back at 3", traffic_since="7d", traffic_until="1h")
    return "true" if option.get("type") == "bool" else texts[variable]


def resolved(template: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the playbook's settings are, with what else it needs."""
    playbook = Path(template["playbook"]).stem
    options = POINTS[playbook]["options"]
    needed = {name: sample(name, o) for name, o in options.items() if o.get("required")}
    return settings.resolve(playbook, options, {**needed, **given}, names=given)


def test_surveys_are_fresh() -> None:
    stale = [str(path.relative_to(ROOT)) for path in awx.stale()]
    assert stale == [], "run: .venv/bin/python -m tools.awx"


def test_check_finds_nothing_to_write() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.awx", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_stale_is_written_and_what_is_too_many_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(awx, "ROOT", tmp_path)
    monkeypatch.setattr(awx, "SURVEYS", tmp_path / "surveys")
    monkeypatch.setattr(sys, "argv", ["awx"])
    assert awx.main() == 0
    assert capsys.readouterr().out.count(": written\n") == len(TEMPLATES)
    (tmp_path / "surveys" / "old.yml").write_text("", encoding="utf-8")
    (tmp_path / "surveys" / "scale.yml").write_text("", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["awx", "--check"])
    assert awx.main() == 1
    assert capsys.readouterr().out == "surveys/scale.yml: stale\nsurveys/old.yml: stale\n"
    monkeypatch.setattr(sys, "argv", ["awx"])
    assert awx.main() == 0
    assert capsys.readouterr().out == "surveys/scale.yml: written\nsurveys/old.yml: removed\n"
    assert awx.stale() == {}


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ("app_env", "app_env: a survey cannot ask for a dict"),
        ("replicas", "replicas: settings_fields.py tells no range"),
    ],
)
def test_what_a_survey_cannot_ask_for(variable: str, problem: str) -> None:
    with pytest.raises(SystemExit) as refused:
        awx.question(variable, {"type": "dict" if variable == "app_env" else "int"})
    assert str(refused.value) == problem


@pytest.mark.parametrize("template", TEMPLATES, ids=named)
def test_the_playbook_is_there(template: dict[str, Any]) -> None:
    assert (ROOT / template["playbook"]).is_file()


def test_every_playbook_for_daily_work_has_a_template() -> None:
    """All but remove, which asks for what no job should answer by default."""
    playbooks = {str(path.relative_to(ROOT)) for path in ROOT.glob("playbooks/*.yml")}
    asked = [template["playbook"] for template in JOBS.values()]
    assert sorted(asked) == sorted(playbooks - {"playbooks/remove.yml"})


@pytest.mark.parametrize(("template", "question"), QUESTIONS, ids=named)
def test_a_question_is_an_option_of_the_playbook(
    template: dict[str, Any], question: dict[str, Any]
) -> None:
    """With the same type, choices and default, or without one where the inventory decides."""
    name = question["variable"]
    option = option_of(template, name)
    kind = option.get("type", "str")
    expected = "multiplechoice" if "choices" in option else BY_TYPE.get(kind, "text")
    assert question["type"] == expected
    if expected == "multiplechoice":
        assert question["choices"] == option.get("choices", ["true", "false"])
    if name in template["overrides"]:
        assert question["default"] == ""
    elif question["default"] == "":
        assert option.get("default", "") in ("", [])
    else:
        assert read_field(name, question["default"]) == read_field(name, option["default"])
    required = option.get("required", False) or name in template.get("required", ())
    assert question["required"] is required


@pytest.mark.parametrize(("template", "question"), QUESTIONS, ids=named)
def test_a_range_is_the_one_that_the_playbook_checks(
    template: dict[str, Any], question: dict[str, Any]
) -> None:
    """Exactly for whole numbers; for others the next whole ones outside, AWX takes no other."""
    name, field = question["variable"], FIELDS[question["variable"]]
    if question["type"] not in ("integer", "float"):
        return
    assert field.low is not None
    assert field.high is not None
    assert (field.read(field.low), field.read(field.high)) == (field.low, field.high)
    for outside in (field.low - 1, field.high + 1):
        with pytest.raises(errors.LoadBalancingError):
            read_field(name, outside)
    assert 0 <= field.low - question["min"] < 1
    assert 0 <= question["max"] - field.high < 1
    if question["type"] == "integer":
        assert (question["min"], question["max"]) == (field.low, field.high)


@pytest.mark.parametrize(("template", "question"), QUESTIONS, ids=named)
def test_awx_would_take_the_question(template: dict[str, Any], question: dict[str, Any]) -> None:
    assert question["type"] in TYPES
    for key in ("variable", "question_name", "question_description"):
        assert isinstance(question[key], str)
        assert question[key]
    assert isinstance(question["required"], bool)
    if question["default"] != "":
        assert isinstance(question["default"], TYPES[question["type"]])
    if question["type"] == "multiplechoice":
        assert all(isinstance(choice, str) for choice in question["choices"])
        assert question["default"] in ["", *question["choices"]]
        return
    assert isinstance(question["min"], int)
    assert isinstance(question["max"], int)
    if question["type"] == "text":
        assert question["min"] == 1, "an empty answer would hide the inventory's value"


@pytest.mark.parametrize(("template", "question"), QUESTIONS, ids=named)
def test_an_answer_means_the_same_as_a_text(
    template: dict[str, Any], question: dict[str, Any]
) -> None:
    name = question["variable"]
    typed = sample(name, option_of(template, name))
    as_text, as_typed = (resolved(template, {name: value}) for value in (str(typed), typed))
    assert as_text == as_typed
    if name != "replicas":
        assert as_text[name] == read_field(name, typed)


@pytest.mark.parametrize("template", TEMPLATES, ids=named)
def test_a_survey_as_it_is_filled_in_is_a_run_without_variables(template: dict[str, Any]) -> None:
    survey = read(f"awx/surveys/{template['survey']}.yml")
    given = {q["variable"]: q["default"] for q in survey["spec"] if q["default"] != ""}
    assert resolved(template, given) == resolved(template, {})


def test_what_awx_adds_by_itself_is_no_misspelt_variable() -> None:
    own = (
        *("job_id", "job_launch_type", "job_template_id", "job_template_name", "execution_node"),
        *("project_revision", "project_scm_branch", "user_id", "user_name", "user_email"),
        *("user_first_name", "user_last_name", "inventory_id", "inventory_name", "schedule_id"),
        *("schedule_name", "workflow_job_id", "workflow_job_name", "workflow_job_launch_type"),
    )
    names = {f"{prefix}_{name}" for prefix in ("awx", "tower") for name in own}
    names |= {"remote_tower_enabled", "remote_tower_id", *awx.load("objects.yml")}
    assert settings.resolve("deploy", POINTS["deploy"]["options"], {}, names=names)


@pytest.mark.parametrize("template", TEMPLATES, ids=named)
def test_settings_of_the_stack_are_not_filled_in(template: dict[str, Any]) -> None:
    """A survey's default is an extra variable, which would hide the inventory's value."""
    stack = set(POINTS["deploy"]["options"])
    assert set(template["asks"]) & stack == set()
    assert set(template["overrides"]) <= stack
    assert set(template.get("required", ())) <= {*template["asks"], *template["overrides"]}


def test_names_are_given_once() -> None:
    named_objects = [*JOBS, WORKFLOW["name"], *(schedule["name"] for schedule in SCHEDULES)]
    assert len(named_objects) == len(set(named_objects))
    assert len({template["survey"] for template in TEMPLATES}) == len(TEMPLATES)
    assert all(name.startswith(PREFIX) for name in named_objects)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=named)
def test_a_schedule_runs_a_template_with_its_variables(schedule: dict[str, Any]) -> None:
    template = JOBS[schedule["template"]]
    survey = read(f"awx/surveys/{template['survey']}.yml")["spec"]
    given = schedule["extra_data"]
    assert set(given) <= {question["variable"] for question in survey}
    assert {q["variable"] for q in survey if q["required"]} <= set(given)
    assert resolved(template, given)
    rule = r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=(MINUTELY|HOURLY|DAILY);INTERVAL=[1-9]\d*"
    assert re.fullmatch(rule, schedule["rrule"])


def test_monitor_scaling_and_renewal_are_scheduled() -> None:
    found = {s["template"].replace(PREFIX, ""): s["rrule"].split(":")[-1] for s in SCHEDULES}
    assert found == {
        "monitor": "FREQ=MINUTELY;INTERVAL=5",
        "scale": "FREQ=MINUTELY;INTERVAL=2",
        "certificate": "FREQ=DAILY;INTERVAL=1",
    }


def test_the_workflow_deploys_verifies_and_goes_back_only_where_that_fails() -> None:
    nodes = {node["identifier"]: node for node in WORKFLOW["nodes"]}
    edges = {
        (name, kind, following["identifier"])
        for name, node in nodes.items()
        for kind, followers in node.get("related", {}).items()
        for following in followers
    }
    assert edges == {
        ("deploy", "success_nodes", "verify"),
        ("verify", "failure_nodes", "rollback"),
    }
    for name, node in nodes.items():
        template = JOBS[node["unified_job_template"]["name"]]
        assert Path(template["playbook"]).stem == name
        asked = [*template["asks"], *template["overrides"]]
        assert set(node.get("extra_data", {})) <= set(asked)
        assert resolved(template, node.get("extra_data", {}))
    deploy = JOBS[f"{PREFIX}deploy"]
    assert set(WORKFLOW["overrides"]) <= set(deploy["overrides"])


def test_no_secret_is_in_the_repository() -> None:
    objects = awx.load("objects.yml")
    assert objects["awx_secrets"] == {}
    assert objects["awx_scale_by_load"] is False
    kinds = [credential["kind"] for credential in objects["awx_credentials"]]
    assert kinds == objects["awx_credential_kinds"] == ["machine", "vault"]
    for credential in objects["awx_credentials"]:
        assert set(credential) == {"kind", "name", "credential_type", "description"}
    for task in read("awx/tasks/objects.yml"):
        if "awx.awx.credential" in task:
            assert task["no_log"] is True


def test_the_project_is_this_one() -> None:
    objects = awx.load("objects.yml")
    assert objects["awx_project_url"] == read("galaxy.yml")["repository"]
    assert (ROOT / objects["awx_inventory_path"]).is_file()


def test_without_the_collection_the_set_up_says_how_to_get_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", "localhost,", "awx/setup.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert "The collection awx.awx is not installed. Install it with: " in said
    assert "ansible-galaxy collection install -r awx/requirements.yml" in said
    assert (ROOT / "awx/requirements.yml").is_file()
