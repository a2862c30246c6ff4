# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX starts them: ansible-runner with a private data folder of each job's own.

As in AWX (awx/main/tasks/jobs.py) it leads to a copy of the project, the collections that
requirements.yml names, the inventory as a program that prints it, and the extra variables, the
survey's answers among them, as texts that are marked as unsafe. Nobody sits at a terminal: what
asks for the vault's password is answered by ansible-runner.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.defects.trial import copy_checkout
from tests.e2e import faults
from tests.e2e.stack import ROOT, Stack
from tools import awx

JOB_TIMEOUT = 300.0
CANCEL_TIMEOUT = 30.0
OPERATOR = "olivia"
_PREFIX = "{{ awx_prefix }}"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# AWX looks each 5 seconds whether a job is to be cancelled. Here it is at the moment that is meant.
_SETTINGS = {"pexpect_timeout": 0.1, "suppress_ansible_output": True}


class Unsafe(yaml.SafeDumper):
    """Marks every text, as AWX does with extra variables."""


Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


@dataclass(frozen=True)
class Template:
    """A job template of awx/templates.yml, with the questions of its survey."""

    name: str
    playbook: str
    questions: list[dict[str, Any]]

    def answers(self, **given: Any) -> dict[str, str]:
        """The survey as it is filled in, and what an operator changes in it; all as texts."""
        filled = {one["variable"]: one["default"] for one in self.questions}
        unknown = set(given) - set(filled)
        assert not unknown, f"the survey of {self.name} does not ask for {sorted(unknown)}"
        answers = {key: as_text(one) for key, one in {**filled, **given}.items() if one != ""}
        needed = {one["variable"] for one in self.questions if one["required"]}
        assert needed <= set(answers), f"{self.name} wants {sorted(needed - set(answers))}"
        return answers


def as_text(value: Any) -> str:
    """A value as somebody types it into a survey."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def templates() -> dict[str, Template]:
    """All job templates, by their names without the prefix."""
    found = {}
    for one in awx.load("templates.yml")["awx_templates"]:
        survey = yaml.safe_load((awx.SURVEYS / f"{one['survey']}.yml").read_text(encoding="utf-8"))
        name = one["name"].replace(_PREFIX, "").strip()
        found[name] = Template(name, one["playbook"], survey["spec"])
    return found


@dataclass
class Job:
    """A job that runs, or has ended."""

    number: int
    folder: Path
    process: subprocess.Popen[str]
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def artifacts(self) -> Path:
        """What ansible-runner leaves, and AWX keeps."""
        return self.folder / "artifacts" / str(self.number)

    @property
    def output(self) -> str:
        """What AWX shows of the job, without colours."""
        path = self.artifacts / "stdout"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return _COLOURS.sub("", text).replace("\r\n", "\n")

    @property
    def log(self) -> str:
        """What ansible-runner itself printed: where it could not even begin."""
        return (self.folder / "runner.log").read_text(encoding="utf-8", errors="replace")

    @property
    def said(self) -> str:
        """The same on one line."""
        return " ".join(self.output.split())

    @property
    def status(self) -> str:
        """How it ended, in ansible-runner's word."""
        path = self.artifacts / "status"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def events(self, seen: set[str] | None = None) -> list[dict[str, Any]]:
        """Its events so far without those whose files were ``seen``, which then are."""
        seen = set() if seen is None else seen
        paths = list(self.artifacts.glob("job_events/*-*.json"))
        fresh = [one for one in paths if one.name not in seen and "-partial" not in one.name]
        seen.update(one.name for one in fresh)
        return [json.loads(one.read_text(encoding="utf-8")) for one in fresh]

    def longest_task(self) -> tuple[str, float]:
        """The task that took the longest, and how many seconds."""
        done = [one["event_data"] for one in self.events() if one["event"] == "runner_on_ok"]
        assert done, self.output
        task = max(done, key=lambda one: one["duration"])
        return task["task"], task["duration"]

    def wait(self, timeout: float = JOB_TIMEOUT) -> Job:
        """Wait for its end, whatever that is."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"not ended within {timeout:g} s:\n{self.output}") from None
        self.seconds = time.monotonic() - self.started
        return self

    def cancel_in(self, task: str, seconds: float) -> Job:
        """Cancel it as AWX does, by SIGTERM to ansible-runner, so long after a task began."""
        seen: set[str] = set()
        faults.wait_for(lambda: self._has_begun(task, seen), JOB_TIMEOUT, poll=0.1)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGTERM)
        return self.wait(CANCEL_TIMEOUT)

    def _has_begun(self, task: str, seen: set[str]) -> bool:
        """Whether a task has begun, by the events that were not ``seen`` before."""
        assert self.process.poll() is None, f"it ended before {task}:\n{self.output}"
        begun = (one for one in self.events(seen) if one["event"] == "playbook_on_task_start")
        return task in [one["event_data"]["task"] for one in begun]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """All that is left of it, by the names of the files."""
        for path in self.artifacts.rglob("*"):
            if path.is_file():
                yield str(path.relative_to(self.artifacts)), path.read_bytes()


class Controller:
    """What AWX knows of one stack: the project, the inventory, and two credentials.

    One is a vault's password, for ``vaulted`` secrets that are encrypted in the inventory. The
    other is of a type of its own that hands ``injected`` on as extra variables.
    """

    def __init__(
        self, stack: Stack, folder: Path, vaulted: dict[str, str], injected: dict[str, str]
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._injected = injected
        self._password = "open-sesame-of-the-vault"
        self._secrets = {*vaulted.values(), *injected.values(), self._password}
        self._project = folder / "project"
        copy_checkout(ROOT, self._project)
        (self._project / ".venv").unlink()  # nothing but the repository comes into a project
        host = json.loads(stack.inventory.read_text(encoding="utf-8"))["all"]["hosts"]["localhost"]
        vault = VaultLib([("default", VaultSecret(self._password.encode()))])
        locked = {key: vault.encrypt(text).decode() for key, text in vaulted.items()}
        host["app_secrets"] = {
            **{key: {"__ansible_vault": text} for key, text in locked.items()},
            **{key: f"{{{{ {key} }}}}" for key in injected},
        }
        self._host = host
        self.jobs: list[Job] = []

    def begin(self, template: Template, **given: Any) -> Job:
        """Launch a job with answers to its survey."""
        number = len(self.jobs) + 1
        data = self._folder / f"awx_{number}"
        self._fill(data, number, template, template.answers(**given))
        command = [sys.executable, "-m", "ansible_runner", "run", str(data)]
        command += ["--ident", str(number), "--playbook", template.playbook]
        command += ["--inventory", str(data / "inventory" / "hosts")]
        own = {key: one for key, one in os.environ.items() if not key.startswith("ANSIBLE_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        with (data / "runner.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                cwd=data,
                env={**own, "PATH": path, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        job = Job(number, data, process)
        self.jobs.append(job)
        return job

    def run(self, template: Template, **given: Any) -> Job:
        """Launch a job and wait for its end."""
        return self.begin(template, **given).wait()

    def leaks(self, job: Job) -> list[str]:
        """The files of a job in which one of the secrets can be read."""
        known = [secret.encode() for secret in self._secrets]
        return [name for name, data in job.files() if any(secret in data for secret in known)]

    def stop(self) -> None:
        """End what still runs."""
        for job in self.jobs:
            if job.process.poll() is None:
                os.killpg(job.process.pid, signal.SIGKILL)
                job.process.wait()

    def _fill(self, data: Path, number: int, template: Template, answers: dict[str, str]) -> None:
        data.mkdir(mode=0o700)
        (data / "project").symlink_to(self._project)
        for folder in ("env", "inventory", "cp"):
            (data / folder).mkdir(mode=0o700)
        self._link_collections(data / "requirements_collections" / "ansible_collections")
        hosts = data / "inventory" / "hosts"
        hosts.write_text(f"#!/usr/bin/env python3\nprint({json.dumps(self._hosts())!r})\n")
        hosts.chmod(0o700)
        files = {
            "extravars": unsafe({**answers, **self._about(number, template)}),
            "credential": unsafe(self._injected),
            "cmdline": shlex.join(
                ["-u", "root", "--ask-vault-pass", "-e", f"@{data}/env/credential"]
            ),
            "passwords": json.dumps({r"Vault password:\s*?$": self._password}),
            "settings": json.dumps(_SETTINGS),
            "envvars": json.dumps(self._environment(data, number)),
        }
        for name, text in files.items():
            (data / "env" / name).write_text(text, encoding="utf-8")

    def _link_collections(self, folder: Path) -> None:
        """What AWX installs out of the project's requirements.yml."""
        wanted = yaml.safe_load((ROOT / "requirements.yml").read_text(encoding="utf-8"))
        for one in wanted["collections"]:
            path = Path(*one["name"].split("."))
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to(ROOT / ".venv/collections/ansible_collections" / path)

    def _hosts(self) -> dict[str, Any]:
        host = {**self._host, "remote_tower_enabled": "true", "remote_tower_id": 1}
        return {"all": {"hosts": ["localhost"]}, "_meta": {"hostvars": {"localhost": host}}}

    def _about(self, number: int, template: Template) -> dict[str, Any]:
        """The variables that AWX adds to every job."""
        known = {
            "job_id": number,
            "job_launch_type": "manual",
            "job_template_id": 7,
            "job_template_name": f"{self._stack.name} {template.name}",
            "inventory_id": 1,
            "inventory_name": f"{self._stack.name} inventory",
            "project_revision": "0" * 40,
            "project_scm_branch": "main",
            "user_id": 3,
            "user_name": OPERATOR,
            "user_email": f"{OPERATOR}@example.com",
        }
        return {f"{owner}_{key}": one for owner in ("awx", "tower") for key, one in known.items()}

    def _environment(self, data: Path, number: int) -> dict[str, str]:
        """AWX sets the paths itself: its own first, then those of the project's ansible.cfg."""
        config = (ROOT / "ansible.cfg").read_text(encoding="utf-8")
        (configured,) = re.findall(r"^collections_path = (.+)$", config, re.MULTILINE)
        return {
            "ANSIBLE_COLLECTIONS_PATH": f"{data}/requirements_collections:{configured}",
            "ANSIBLE_ROLES_PATH": f"{data}/requirements_roles",
            "ANSIBLE_FORCE_COLOR": "True",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{data}/cp",
            "AWX_HOST": "https://awx.example.com",
            "AWX_PRIVATE_DATA_DIR": str(data),
            "INVENTORY_ID": "1",
            "JOB_ID": str(number),
            "MAX_EVENT_RES": "700000",
        }


def unsafe(variables: dict[str, Any]) -> str:
    """Extra variables as AWX writes them."""
    return yaml.dump(variables, Dumper=Unsafe, default_flow_style=False, allow_unicode=True)
