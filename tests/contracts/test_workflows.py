# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflows and the hooks: pinned, bounded, without untrusted text, and naming what exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runner.parts import PARTS

ROOT = Path(__file__).resolve().parent.parent.parent
WORKFLOWS = sorted(path.name for path in (ROOT / ".github/workflows").iterdir())
HOOKS = ".pre-commit-config.yaml"
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+")
# What whoever opens a pull request or pushes a branch can choose.
UNTRUSTED = re.compile(r"\$\{\{[^}]*\b(github\.(event|head_ref|ref|ref_name|actor)|inputs)\b")
RUNNER = re.compile(r"(?:\./test\.sh|\.ci/run)((?: +[\w$\"-]+)*)")
NAMES = {part.name for part in PARTS}


@dataclass(frozen=True)
class Job:
    """One job as data, with the file and the name that lead to it."""

    workflow: str
    name: str
    data: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.workflow}:{self.name}"

    @property
    def scripts(self) -> list[str]:
        return [step["run"] for step in self.data["steps"] if "run" in step]

    @property
    def matrix(self) -> list[dict[str, Any]]:
        """The combinations that it runs with: all of ours are listed, none is multiplied."""
        matrix = self.data.get("strategy", {}).get("matrix", {})
        assert set(matrix) <= {"include"}
        return matrix.get("include", [])


def text(name: str) -> str:
    return (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")


def load(name: str) -> dict[Any, Any]:
    """A workflow as YAML 1.1 reads it: the key ``on`` is True there."""
    return yaml.safe_load(text(name))


def jobs() -> list[Job]:
    return [Job(name, job, data) for name in WORKFLOWS for job, data in load(name)["jobs"].items()]


def hooks() -> list[dict[str, Any]]:
    config = yaml.safe_load((ROOT / HOOKS).read_text(encoding="utf-8"))
    return [hook for repository in config["repos"] for hook in repository["hooks"]]


def parts(job: Job) -> Iterator[str]:
    """The parts of ./test.sh that a job runs, those of its matrix included."""
    for step in job.data["steps"]:
        for words in RUNNER.findall(step.get("run", "")):
            for word in shlex.split(words):
                if word.startswith("$"):
                    value = step["env"][word[1:]]
                    key = re.fullmatch(r"\$\{\{ matrix\.(\w+) \}\}", value)
                    assert key, f"{job}: {word} is no value of the matrix: {value}"
                    yield from (each[key[1]] for each in job.matrix)
                else:
                    yield word


def command_faults(entry: str) -> Iterator[str]:
    """What keeps a hook's entry from running in a checkout whose .venv is there."""
    words = shlex.split(entry)
    if "/" in words[0]:
        if not (ROOT / words[0]).is_file():
            yield f"there is no {words[0]}"
    elif shutil.which(words[0]) is None:
        yield f"{words[0]} is not installed"
    if "-m" in words:
        module = words[words.index("-m") + 1]
        if importlib.util.find_spec(module) is None:
            yield f"there is no module {module}"
    if words[0] == "./test.sh" and not set(words[1:]) <= {"fast", *NAMES}:
        yield f"{entry}: there is no such part"


def test_there_are_workflows() -> None:
    assert WORKFLOWS == ["ci.yml", "release.yml", "weekly.yml"]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_actions_are_pinned_by_hash(workflow: str) -> None:
    """A tag can be moved. The comment says which version the hash is."""
    used = re.findall(r"\buses:\s*(.*)", text(workflow))
    assert used
    assert [action for action in used if not PINNED.fullmatch(action)] == []


def test_an_action_has_one_version() -> None:
    every = "\n".join(text(workflow) for workflow in WORKFLOWS)
    used = set(re.findall(r"\buses:\s*(.*)", every))
    assert len(used) == len({action.split("@")[0] for action in used})


@pytest.mark.parametrize("job", jobs(), ids=str)
def test_scripts_hold_no_untrusted_text(job: Job) -> None:
    """An expression is pasted into a script before the shell reads it; ``env`` passes it whole."""
    assert [script for script in job.scripts if "${{" in script] == []


def test_untrusted_text_goes_nowhere_else() -> None:
    """It may group runs and be compared; a script reads what GitHub sets in its environment."""
    wrong = []
    for workflow in WORKFLOWS:
        for number, line in enumerate(text(workflow).splitlines(), 1):
            if UNTRUSTED.search(line) and not re.match(r"\s*(group|if): ", line):
                wrong.append(f"{workflow}:{number}: {line.strip()}")
    assert wrong == []


@pytest.mark.parametrize("job", jobs(), ids=str)
def test_jobs_end(job: Job) -> None:
    limit = job.data["timeout-minutes"]
    limits = [limit]
    if not isinstance(limit, int):
        assert limit == "${{ matrix.minutes }}"
        limits = [each["minutes"] for each in job.matrix]
    assert limits
    assert all(1 <= minutes <= 120 for minutes in limits)


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_workflows_may_only_read(workflow: str) -> None:
    """One job may write: the one that creates the release, which runs no package."""
    assert load(workflow)["permissions"] == {"contents": "read"}
    assert "concurrency" in load(workflow)
    writing = [
        str(job)
        for job in jobs()
        if job.workflow == workflow and "write" in job.data.get("permissions", {}).values()
    ]
    assert writing == (["release.yml:github"] if workflow == "release.yml" else [])


def test_checkouts_keep_no_credentials() -> None:
    wrong = [
        str(job)
        for job in jobs()
        for step in job.data["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") is not False
    ]
    assert wrong == []


def test_the_token_is_given_to_one_step_of_the_protected_job() -> None:
    holders = [
        (str(job), step["name"])
        for job in jobs()
        for step in job.data["steps"]
        if "secrets." in str(step)
    ]
    assert holders == [("release.yml:galaxy", "Publish")]
    assert text("release.yml").count("secrets.") == 1
    assert load("release.yml")["jobs"]["galaxy"]["environment"] == "release"


def test_scripts_call_programs_that_exist() -> None:
    named = {
        name
        for job in jobs()
        for script in job.scripts
        for name in re.findall(r"(?<![\w/.])\.(?:/|ci/)[\w.-]+(?= )", script)
    }
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_part_runs_but_the_benchmarks() -> None:
    """What benchmarks measure on a shared machine says nothing. The mutation check runs weekly."""
    run = {
        workflow: {name for job in jobs() if job.workflow == workflow for name in parts(job)}
        for workflow in ("ci.yml", "weekly.yml")
    }
    assert run["ci.yml"] | run["weekly.yml"] == NAMES - {"benchmarks"}
    assert {part.name for part in PARTS if not part.by_name} <= run["ci.yml"]


def test_the_matrix_has_the_pinned_releases_of_ansible() -> None:
    """requirements.txt chooses by the Python: below 3.12 the older release."""
    pins = re.findall(
        r"^ansible-core==(\d+\.\d+)\.\d+; python_version (>=|<) \"3\.12\"$",
        (ROOT / "requirements.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    (job,) = [job for job in jobs() if str(job) == "ci.yml:ansible"]
    chosen = {
        (each["ansible"], ">=" if int(each["python"].split(".")[1]) >= 12 else "<")
        for each in job.matrix
    }
    assert chosen == set(pins)


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook["id"])
def test_hooks_run_what_exists(hook: dict[str, Any]) -> None:
    assert hook["language"] == "system"
    assert list(command_faults(hook["entry"])) == []


def test_hooks_are_those_of_lint_and_fast_before_a_push() -> None:
    """What ./test.sh lint runs in a moment runs on each commit; ansible-lint takes its time."""
    stages = {hook["id"]: hook.get("stages", ["pre-commit"]) for hook in hooks()}
    pushed = {name for name, when in stages.items() if when == ["pre-push"]}
    assert pushed == {"fast"}
    assert set(stages) - pushed == {
        *("ruff-check", "ruff-format", "yamllint", "shellcheck", "codespell", "docs", "awx"),
        *("workflows", "zizmor"),
    }


def test_neither_is_shipped() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert {".github", HOOKS} <= set(galaxy["build_ignore"])
