# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of ./test.sh: what each of them runs, in the order in which they run."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.defects.catalogue import DEFECTS
from tests.defects.trial import rehearse
from tests.runner import artifact, python39, scenarios
from tests.runner.cases import OUTPUT, PYTHON, ROOT, Case, check, environment, read_junit

NO_TESTS = 5  # pytest's exit status when nothing was collected


@dataclass(frozen=True)
class Part:
    """A part by its name; ``fast`` ones need neither Docker nor root, ``by_name`` ones must be
    named.
    """

    name: str
    what: str
    run: Callable[[], list[Case]]
    fast: bool = False
    needs_engine: bool = False
    by_name: bool = False


def pytest(part: str, arguments: Sequence[str]) -> list[Case]:
    """Run pytest with its output in view; its JUnit file is the result."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    junit = OUTPUT / f"{part}.xml"
    junit.unlink(missing_ok=True)
    start = time.monotonic()
    command = [PYTHON, "-m", "pytest", "-q", f"--junitxml={junit}", "-o", "junit_logging=all"]
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, check=False
    )
    cases = read_junit(junit) if junit.exists() else []
    if done.returncode and not any(case.problem for case in cases):
        why = "no test was found" if done.returncode == NO_TESTS else f"status {done.returncode}"
        cases.append(Case(f"{part}::pytest", time.monotonic() - start, f"pytest failed: {why}"))
    return cases


def lint() -> list[Case]:
    """Style and known weaknesses of every kind of file."""
    return [
        check("ruff check", ["ruff", "check", "--no-fix", "."]),
        check("ruff format", ["ruff", "format", "--check", "--diff", "."]),
        check("yamllint", ["yamllint", "--strict", "."]),
        check("shellcheck", ["shellcheck", "-x", *shell_scripts()]),
        check("codespell", ["codespell"]),
        check("ansible-lint", ["ansible-lint", "--nocolor"]),
    ]


def shell_scripts() -> list[str]:
    """Every file of ours that a shell reads: by its ending or by its first line."""
    folders = [".ci", "demo", "roles", "tests", "tools"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
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
    packages += ["tests.e2e", "tests.defects"]
    arguments = [word for package in packages for word in ("-p", package)]
    return [
        check("mypy", ["mypy", "--strict", *arguments]),
        check("mypy tools", ["mypy", "--strict", "tools"]),
    ]


def unit() -> list[Case]:
    """Unit and property tests, on two processes, with the coverage of plugins/."""
    report = ["--cov", "--cov-report=term", f"--cov-report=xml:{OUTPUT / 'coverage.xml'}"]
    return pytest("unit", ["-n", "2", *report, "tests/unit"])


PARTS = [
    Part("lint", "ruff, yamllint, shellcheck, codespell, ansible-lint", lint, fast=True),
    Part("types", "mypy --strict", types, fast=True),
    Part(
        "contracts",
        "what is stated twice agrees: argument specs, defaults, READMEs, versions, headers",
        lambda: pytest("contracts", ["tests/contracts"]),
        fast=True,
    ),
    Part("unit", "unit and property tests, with coverage", unit, fast=True),
    Part(
        "defects",
        "seeded defects, each of which a unit test has to notice",
        lambda: rehearse(DEFECTS),
    ),
    Part("python39", "module_utils on Python 3.9, as on old managed hosts", python39.run),
    Part("build", "build the collection, install it, use it by FQCN", artifact.build),
    Part("sanity", "ansible-test sanity", artifact.sanity),
    Part(
        "integration",
        "rendering, images and the demo against real nginx, Compose and PostgreSQL",
        lambda: pytest("integration", ["-m", "not hosts", "tests/integration"]),
        needs_engine=True,
    ),
    Part(
        "rollout",
        "rolling updates and scaling under traffic, on this machine",
        lambda: pytest("rollout", ["-m", "rollout", "tests/e2e"]),
        needs_engine=True,
    ),
    Part(
        "failures",
        "deploys that must fail, or are killed, under traffic",
        lambda: pytest("failures", ["-m", "failures", "tests/e2e"]),
        needs_engine=True,
    ),
    Part(
        "faults",
        "the fault matrix: replicas, balancer, keeper, engine, database and disk, under traffic",
        lambda: pytest("faults", ["-m", "faults", "tests/e2e"]),
        needs_engine=True,
    ),
    Part(
        "hosts",
        "fresh Debian hosts in containers",
        lambda: pytest("hosts", ["-m", "hosts", "tests/integration", "tests/e2e"]),
        needs_engine=True,
    ),
    Part(
        "molecule",
        "Molecule's scenarios on systemd hosts with an engine of their own",
        scenarios.run,
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
]
