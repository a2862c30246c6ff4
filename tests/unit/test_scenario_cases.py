# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Molecule prints becomes cases: one a scenario, one for the hosts, the skipped hosts."""

from __future__ import annotations

import pytest

from tests.runner.cases import Case
from tests.runner.scenarios import HOSTS, Reading, chosen, names

GREEN = """
INFO     [default > create] Executing
    msg: 'SKIPPED lbtest-host-molecule-ubuntu2404: no image of noble can be had: no
        network, no key'
INFO     [default > create] Executed: Successful
INFO     [one > converge] Executing
INFO     [one > converge] Executed: Successful
INFO     [two > converge] Executing
INFO     [two > converge] Executed: Successful
INFO     [default > destroy] Executing
"""


def read(text: str, status: int) -> dict[str, Case]:
    reading = Reading(["one", "two"])
    for line in text.splitlines():
        reading.line(line)
    return {case.name: case for case in reading.cases(status)}


def test_every_scenario_is_a_case_and_a_skipped_host_says_why() -> None:
    cases = read(GREEN, 0)
    assert set(cases) == {HOSTS, "one", "two", "ubuntu2404"}
    assert [case.problem for case in cases.values()] == [""] * 4
    assert cases["ubuntu2404"].skipped == "no image of noble can be had: no network, no key"


def test_what_failed_is_told_and_what_was_not_reached_is_no_success() -> None:
    failed = GREEN.replace(
        "[one > converge] Executed: Successful", "fatal: x\n[one > converge] Executed: Failed"
    )
    cut = failed[: failed.index("INFO     [two")]
    cases = read(cut, 2)
    assert "fatal: x" in cases["one"].problem
    assert cases["two"].problem == "not run, since one failed before"
    assert cases[HOSTS].problem == ""


def test_a_playbook_that_is_missing_is_a_failure() -> None:
    """Molecule calls it none."""
    missing = GREEN.replace(
        "[two > converge] Executed: Successful", "[two > converge] Executed: Missing playbook"
    )
    assert read(missing, 0)["two"].problem


def test_a_status_without_a_word_is_told_where_it_ended() -> None:
    assert read("INFO     [default > create] Executing\nKilled", 137)[HOSTS].problem.endswith(
        "Killed"
    )


def test_there_are_scenarios() -> None:
    assert "default" in names()


def test_scenarios_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOLECULE_SCENARIOS", raising=False)
    assert chosen(["default", "tls"]) == []
    monkeypatch.setenv("MOLECULE_SCENARIOS", "tls default")
    assert chosen(["default", "deploy", "tls"]) == ["default", "tls"]
    monkeypatch.setenv("MOLECULE_SCENARIOS", "tlz")
    with pytest.raises(ValueError, match="there is no scenario 'tlz': default, tls"):
        chosen(["default", "tls"])
