# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of ./test.sh: what each of them runs, in the order in which they run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.defects.catalogue import DEFECTS
from tests.defects.trial import rehearse
from tests.mutation.trial import check as mutation
from tests.runner import artifact, core219, pythons, scenarios
from tests.runner.cases import (
    OUTPUT,
    PYTHON,
    ROOT,
    Case,
    check,
    checks,
    read_coverage,
    report,
)
from tests.runner.suite import parallel, pytest, side_by_side

COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""pytest rewrites each file of tests: once, by collecting first, and not in each process."""

LINES_WANTED = 95.0
"""Per cent of the lines of plugins/ that the unit tests have to run."""


@dataclass(frozen=True)
class Part:
    """A part by its name; ``fast`` ones need neither Docker nor root, ``by_name`` ones must be
    named. Those that need an engine run alone, but those ``beside`` others that are so: they count,
    and allow for a busy machine where they wait; the one that takes longest comes first.
    ``patient`` ones wait for nothing with a limit: they run aside, while those with an engine leave
    processor time.
    """

    name: str
    what: str
    run: Callable[[], list[Case]]
    fast: bool = False
    needs_engine: bool = False
    by_name: bool = False
    beside: bool = False
    patient: bool = False


def lint() -> list[Case]:
    """Style and known weaknesses of every kind of file."""
    workflows = sorted(str(path) for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    github = ["check-jsonschema", "--quiet", "--builtin-schema", "vendor.github-workflows"]
    return checks(
        {
            "ansible-lint": ["ansible-lint", "--nocolor"],  # it takes longest
            "ruff check": ["ruff", "check", "--no-fix", "."],
            "ruff format": ["ruff", "format", "--check", "--diff", "."],
            "yamllint": ["yamllint", "--strict", "."],
            "shellcheck": ["shellcheck", "-x", *shell_scripts()],
            "codespell": ["codespell"],
            "GitHub's schema": [*github, *workflows],
            "zizmor": ["zizmor", "--offline", "--quiet", "--persona=pedantic", ".github"],
        }
    )


def shell_scripts() -> list[str]:
    """Every file of ours that a shell reads: by its ending or by its first line. Other parts write
    to the tests' output meanwhile.
    """
    folders = [".ci", "demo", "roles", "tests", "tools"]
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files = [path for path in found if OUTPUT not in path.parents and path.is_file()]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    return sorted(str(path.relative_to(ROOT)) for path in files if _is_shell(path.name, path))


def _is_shell(name: str, path: Path) -> bool:
    if name.endswith((".sh", ".bash")):
        return True
    with path.open("rb") as file:
        first = file.readline(64)
    return first.startswith(b"#!") and first.rstrip().endswith((b"bash", b"/sh", b" sh"))


def types() -> list[Case]:
    """mypy, strict: the plugins under their real name, and the packages of the tests."""
    packages = ["ansible_collections.digiz.load_balancing.plugins", "tests.load", "tests.runner"]
    packages += ["tests.e2e", "tests.defects", "tests.mutation"]
    arguments = [word for package in packages for word in ("-p", package)]
    return [
        check("mypy", ["mypy", "--strict", *arguments]),
        check("mypy tools", ["mypy", "--strict", "tools"]),
    ]


def unit() -> list[Case]:
    """Unit and property tests, with the coverage of plugins/. Many wait for what they have begun,
    so there are more processes than processors.
    """
    found = OUTPUT / "coverage.xml"
    found.unlink(missing_ok=True)
    report_to = ["--cov", "--cov-report=term-missing", f"--cov-report=xml:{found}"]
    # Python's own monitoring costs next to nothing; what is older than it takes twice the time.
    core = {"COVERAGE_CORE": "sysmon"} if sys.version_info >= (3, 12) else {}
    collected = check(
        "collection",
        [PYTHON, "-m", "pytest", "-qq", "--collect-only", "tests/unit"],
        extra=COMPILED,
    )
    cases = pytest("unit", ["-n", "4", *report_to, "tests/unit"], {**core, **COMPILED})
    return [collected, *cases, coverage(found)]


def coverage(found: Path) -> Case:
    """Whether the unit tests run enough of the lines of plugins/."""
    if not found.exists():
        return report(Case("coverage of plugins", 0, "there is no report of it"))
    lines = read_coverage(found)
    name = f"coverage of plugins: {lines} % of lines, {LINES_WANTED:g} wanted"
    problem = "Add tests of what the table above names." if lines < LINES_WANTED else ""
    return report(Case(name, 0, problem))


def integration() -> list[Case]:
    """Most of these wait for an image, a limit or a timeout."""
    return side_by_side("integration", 3, "not hosts", ["tests/integration"])


def rollout() -> list[Case]:
    """What keeps a rolling update waiting is its streams, and a monitor is slow to tell: there is
    room for other stacks.
    """
    return side_by_side("rollout", 3, "rollout", ["tests/e2e"])


def hosts() -> list[Case]:
    """Hosts of their own do not disturb each other: two are up at a time."""
    return pytest("hosts", parallel(2, "hosts", ["tests/integration", "tests/e2e"]))


PARTS = [
    Part(
        "lint",
        "ruff, yamllint, shellcheck, codespell, zizmor, ansible-lint",
        lint,
        fast=True,
        patient=True,
    ),
    Part("unit", "unit and property tests, with coverage", unit, fast=True),
    Part("types", "mypy --strict", types, fast=True, patient=True),
    Part(
        "contracts",
        "what is stated twice agrees: argument specs, defaults, READMEs, versions, headers",
        lambda: pytest("contracts", ["tests/contracts"]),
        fast=True,
    ),
    Part("sanity", "ansible-test sanity", artifact.sanity, patient=True),
    Part(
        "defects",
        "seeded defects, each of which a unit test has to notice",
        lambda: rehearse(DEFECTS),
    ),
    Part(
        "mutation",
        "small mistakes in the heart, each of which a unit test has to notice",
        mutation,
        by_name=True,
    ),
    Part(
        "python39",
        "module_utils and modules on Python 3.9, as on old managed hosts",
        lambda: pythons.run(["3.9"]),
    ),
    Part(
        "pythons",
        "the same on Python 3.10 to 3.13",
        lambda: pythons.run(["3.10", "3.11", "3.12", "3.13"]),
        by_name=True,
    ),
    Part(
        "build",
        "build the collection, import it as Galaxy does, use it by FQCN",
        artifact.build,
        patient=True,
    ),
    Part(
        "integration",
        "rendering, images and the demo against real nginx, Compose and PostgreSQL",
        integration,
        needs_engine=True,
    ),
    Part(
        "rollout",
        "rolling updates, scaling and monitors under traffic, on this machine",
        rollout,
        needs_engine=True,
    ),
    Part(
        "faults",
        "the fault matrix: replicas, balancer, keeper, engine, database and disk, under traffic",
        lambda: pytest("faults", ["-m", "faults", "tests/e2e"]),
        needs_engine=True,
    ),
    Part(
        "awx",
        "every job template of AWX through ansible-runner, whole and cancelled, under traffic",
        lambda: pytest("awx", ["-m", "awx", "tests/e2e"]),
        needs_engine=True,
        by_name=True,
    ),
    Part(
        "core219",
        "ansible-core 2.19 on Python 3.11: units, ansible-test sanity, a stack's life",
        core219.run,
        needs_engine=True,
        by_name=True,
    ),
    Part(
        "benchmarks",
        "the balancer and the rollout against other ways of doing the same",
        lambda: pytest("benchmarks", ["-m", "benchmark", "tests/benchmarks"]),
        needs_engine=True,
        by_name=True,
    ),
    Part(
        "molecule",
        "Molecule's scenarios on systemd hosts with an engine of their own",
        scenarios.run,
        needs_engine=True,
        beside=True,
    ),
    Part(
        "hosts",
        "fresh Debian hosts in containers",
        hosts,
        needs_engine=True,
        beside=True,
    ),
    Part(
        "failures",
        "deploys that must fail, or are killed, under traffic",
        lambda: pytest("failures", parallel(2, "failures", ["tests/e2e"])),
        needs_engine=True,
        beside=True,
    ),
]
