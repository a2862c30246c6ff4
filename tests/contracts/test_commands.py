# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documents tell people to type is right, and translations tell them the same.

Commands stand in blocks marked ``sh`` or between single backticks, settings in blocks marked
``yaml`` whose first line is ``# group_vars``. What a program printed is marked ``text``.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.cli.playbook import PlaybookCLI

from ansible_collections.digiz.load_balancing.plugins.module_utils import errors, settings
from tests.runner.parts import PARTS
from tools import awx, docs
from tools.monitor import __main__ as monitor

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
FQCN = "digiz.load_balancing."
COPIED = "inventories/my_server"
EXAMPLE = "inventories/single_host"
SET_UP = "setup"  # awx/setup.yml has no argument specs
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SECTIONS = re.compile(r"^#+ (.+)$", re.MULTILINE)
TRANSLATED = re.compile(r"►|\A/opt/<")  # drawings and lists of files
TRANSLATIONS = {
    "README.md": "README.vi.md",
    "docs/operations.md": "docs/vi/operations.md",
    "docs/own-application.md": "docs/vi/own-application.md",
    "docs/self-healing.md": "docs/vi/self-healing.md",
    "docs/drill.md": "docs/vi/drill.md",
    "docs/scaling.md": "docs/vi/scaling.md",
    "docs/capacity.md": "docs/vi/capacity.md",
    "docs/traffic.md": "docs/vi/traffic.md",
    "docs/watching.md": "docs/vi/watching.md",
    "docs/monitoring-alerts.md": "docs/vi/monitoring-alerts.md",
    "docs/tls.md": "docs/vi/tls.md",
    "docs/security.md": "docs/vi/security.md",
    "docs/awx.md": "docs/vi/awx.md",
}


@dataclass(frozen=True)
class Command:
    """One command line of a document."""

    document: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {shlex.join(self.words)}"


def documents() -> list[str]:
    """Every document that people read."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, kind: str) -> list[str]:
    return [content for marked, content in BLOCK.findall(read(document)) if marked == kind]


def outside_blocks(document: str) -> str:
    return BLOCK.sub("", read(document))


def command_lines(document: str) -> list[str]:
    """The lines of the blocks marked ``sh``, continued ones as one."""
    text = "".join(blocks(document, "sh")).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip()]


def commands(program: str) -> list[Command]:
    """Every command of all documents that calls this program; a mere name in a sentence is none."""
    found = {}
    call = re.compile(rf"(?:\.venv/bin/)?{re.escape(program)}(?: |$)")
    for document in documents():
        lines = [*command_lines(document), *SPAN.findall(outside_blocks(document))]
        for line in lines:
            if call.match(line) and line != "ansible-playbook":
                command = Command(document, tuple(shlex.split(line, comments=True)))
                found[str(command)] = command
    return list(found.values())


@functools.cache
def known_variables() -> set[str]:
    """Variables of the playbooks, of the roles, of awx/, and the one that chooses hosts."""
    of_roles = (name for role in docs.roles() for name in docs.options(role))
    return {"target", "awx_image", "awx_notifications", *awx.load("objects.yml"), *of_roles}


def variables(extra: list[str]) -> dict[str, Any]:
    """What ``-e`` sets: ``NAME=VALUE …`` or a mapping in JSON or YAML; not what is in a file."""
    found: dict[str, Any] = {}
    for text in extra:
        if text.startswith("{"):
            found.update(yaml.safe_load(text))
        elif not text.startswith("@"):
            parts = (word.partition("=") for word in shlex.split(text))
            found.update({name: value for name, _equals, value in parts})
    return found


@functools.cache
def front() -> dict[str, Any]:
    """The entry points of the playbooks' variables."""
    return dict(docs.entry_points(docs.FRONT))


def path_of(playbook: str) -> str:
    """A playbook's file, by its path or by its FQCN."""
    return f"playbooks/{playbook[len(FQCN) :]}.yml" if playbook.startswith(FQCN) else playbook


def playbook_faults(words: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with the arguments of ansible-playbook."""
    line = PlaybookCLI(["ansible-playbook", *words])
    line.init_parser()
    try:
        parsed = line.parser.parse_args(list(words))
    except SystemExit:
        yield "ansible-playbook has no such options"
        return
    for playbook in parsed.args:
        if not (ROOT / path_of(playbook)).is_file():
            yield f"there is no {path_of(playbook)}"
    for inventory in parsed.inventory or ():
        if inventory != COPIED and not (ROOT / inventory).exists():
            yield f"there is no {inventory}"
    unknown = set(variables(parsed.extra_vars)) - known_variables()
    if unknown:
        yield f"unknown variables: {', '.join(sorted(unknown))}"


def settings_faults(playbook: str, given: dict[str, Any]) -> str:
    """What the collection itself says to these settings."""
    if playbook == SET_UP:
        return ""
    options = front()[playbook]["options"]
    try:
        settings.resolve(playbook, options, given, names=given, ordinary=known_variables())
    except errors.LoadBalancingError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("command", commands("ansible-playbook"), ids=str)
def test_ansible_playbook_would_take_it(command: Command) -> None:
    assert list(playbook_faults(command.words[1:])) == []


@pytest.mark.parametrize("command", commands("ansible-playbook"), ids=str)
def test_values_are_allowed(command: Command) -> None:
    line = PlaybookCLI(list(command.words))
    line.init_parser()
    parsed = line.parser.parse_args(list(command.words[1:]))
    given = {k: v for k, v in variables(parsed.extra_vars).items() if v not in ("N", "NAME", "…")}
    for playbook in parsed.args:
        assert settings_faults(Path(path_of(playbook)).stem, given) == ""


@pytest.mark.parametrize("command", commands("./deploy.sh"), ids=str)
def test_deploy_sh_would_take_it(command: Command, tmp_path: Path) -> None:
    """Run it with an ansible-playbook that only prints, and look at what that would get."""
    lines = ["#!/bin/sh", 'printf "%s\\0" "$@"', ""]
    stub = tmp_path / "checkout" / ".venv" / "bin" / "ansible-playbook"
    stub.parent.mkdir(parents=True)
    stub.write_text("\n".join(lines), encoding="utf-8")
    stub.chmod(0o755)
    checkout = tmp_path / "checkout"
    (checkout / "tools").mkdir()
    # As if all was prepared and root called: what counts here are the arguments.
    prepared = 'venv="$root/.venv"\nbootstrap() { :; }\nid() { echo 0; }\n'
    (checkout / "tools/bootstrap.sh").write_text(
        prepared + 'say() { echo "$*" >&2; }\ndie() { say "$*"; exit 1; }\n', encoding="utf-8"
    )
    (checkout / "deploy.sh").write_text(read("deploy.sh"), encoding="utf-8")
    words = [EXAMPLE if word == COPIED else word for word in command.words[1:]]
    done = subprocess.run(
        ["bash", str(checkout / "deploy.sh"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if "--help" not in words:
        passed_on = done.stdout.replace(f"{checkout}/", "").split("\0")[:-1]
        assert list(playbook_faults(tuple(passed_on))) == []


@pytest.mark.parametrize("command", commands("./monitor.sh"), ids=str)
def test_monitor_sh_has_these_options(command: Command) -> None:
    words = [word for word in command.words[1:] if word != "--help"]
    assert monitor.options().parse_args(words)


@pytest.mark.parametrize("command", commands("./test.sh"), ids=str)
def test_test_sh_has_these_parts(command: Command) -> None:
    assert set(command.words[1:]) <= {"fast", "--help", *(part.name for part in PARTS)}


def test_playbooks_are_sound() -> None:
    playbooks = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("playbooks/*.yml"))
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "--syntax-check", *playbooks],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("document", documents())
def test_settings_in_documents_are_allowed(document: str) -> None:
    for content in blocks(document, "yaml"):
        given = yaml.safe_load(content)
        if content.startswith("# group_vars"):
            assert set(given) <= known_variables()
            assert settings_faults("deploy", given) == ""


@pytest.mark.parametrize("document", documents())
def test_links_lead_somewhere(document: str) -> None:
    broken = []
    for link in LINK.findall(outside_blocks(document)):
        if link.startswith(("http:", "https:")):
            continue
        path, _hash, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def anchors(path: Path) -> set[str]:
    """The names by which GitHub lets one link to a section."""
    titles = SECTIONS.findall(BLOCK.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("english", TRANSLATIONS)
def test_translations_say_the_same(english: str) -> None:
    """Sections of the same depths, the same commands, the same settings, the same output."""
    vietnamese = TRANSLATIONS[english]
    depths = [HEADING.findall(outside_blocks(name)) for name in (english, vietnamese)]
    assert depths[0] == depths[1]
    for kind in ("sh", "text"):
        assert without_prose(english, kind) == without_prose(vietnamese, kind)
    settings = [[yaml.safe_load(b) for b in blocks(n, "yaml")] for n in (english, vietnamese)]
    assert settings[0] == settings[1]


def without_prose(document: str, kind: str) -> list[str]:
    """What programs read or wrote."""
    if kind == "sh":
        return command_lines(document)
    return [text for text in blocks(document, "text") if not TRANSLATED.search(text)]
