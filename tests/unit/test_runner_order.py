# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which parts run alone and which beside each other, and who looks for what they leave behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.runner import __main__ as runner
from tests.runner import cases, leftovers
from tests.runner.cases import Case
from tests.runner.leftovers import Machine
from tests.runner.parts import PARTS, Part
from tests.runner.summary import Result

CLEAN: Machine = {"container": {}}
LEFT: Machine = {"container": {"lbtest-host-x": "lb-test-host:trixie"}}


class Story:
    """What happens in a run, in order, and how the machine looks."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.patient: Sequence[str] = ()
        self.machines = [CLEAN]

    def part(self, name: str, beside: bool = False) -> Part:
        """One that needs an engine."""
        return Part(name, "", self._run(name), needs_engine=True, beside=beside)

    def light(self, name: str, patient: bool = False) -> Part:
        """One that does not."""
        return Part(name, "", self._run(name), patient=patient)

    def _run(self, name: str) -> Callable[[], list[Case]]:
        def run() -> list[Case]:
            self.told.append(name)
            return [Case(name, 0)]

        return run

    @contextmanager
    def aside(self, names: Sequence[str]) -> Iterator[Story]:
        self.told += [f"aside {name}" for name in names]
        self.patient = names
        yield self

    def runs(self) -> set[str]:
        return set(self.patient)

    def results(self) -> Iterator[Result]:
        for name in self.patient:
            self.told.append(f"{name} has ended")
            yield Result(name, (Case(name, 0),), 1)

    @contextmanager
    def engine(self) -> Iterator[Case]:
        self.told.append("engine")
        yield Case("prepare", 0)
        self.told.append("no engine")

    def lanes(self, names: Sequence[str], by_line: bool = False) -> Iterator[Result]:
        self.told.append(f"lanes {' '.join(names)}{' by line' if by_line else ''}")
        for name in names:
            yield Result(name, (Case(name, 0),), 1)

    def machine(self, aside: Collection[str]) -> Machine:
        self.told.append(f"look{''.join(f' but at {run}' for run in sorted(aside))}")
        return self.machines.pop(0) if len(self.machines) > 1 else self.machines[0]


@pytest.fixture(name="story")
def story_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    story = Story()
    compare = leftovers.compare
    monkeypatch.setattr(runner, "OUTPUT", tmp_path)
    monkeypatch.setattr(cases, "OUTPUT", tmp_path)
    monkeypatch.setattr(runner, "engine", story.engine)
    monkeypatch.setattr(runner.lanes, "run", story.lanes)
    monkeypatch.setattr(runner.lanes, "aside", story.aside)
    monkeypatch.setattr(leftovers, "machine", story.machine)
    monkeypatch.setattr(leftovers, "started", lambda: CLEAN)
    monkeypatch.setattr(leftovers, "compare", lambda before, look: compare(before, look, settle=0))
    interrupt = signal.getsignal(signal.SIGINT)
    yield story
    signal.signal(signal.SIGINT, interrupt)


def test_everything_ends_with_the_parts_that_run_beside_each_other() -> None:
    beside = [part.name for part in PARTS if part.beside]
    assert beside == ["molecule", "hosts", "failures"]
    assert [part.name for part in runner.arguments(beside)] == beside
    assert [part.name for part in runner.arguments([])][-3:] == beside
    assert [part.name for part in PARTS][-3:] == beside
    assert all(part.needs_engine for part in PARTS if part.beside)


def test_some_run_beside_each_other_once_the_others_have_run_alone(story: Story) -> None:
    parts = [story.part("a", beside=True), story.part("b"), story.part("c", beside=True)]
    results = list(runner.run(parts))
    assert [result.name for result in results] == ["engine", "b", "a", "c", "beside"]
    assert story.told == [
        *("engine", "look", "b", "look"),
        *("look", "lanes a c by line", "look", "no engine"),
    ]


def test_one_of_them_by_itself_runs_alone(story: Story) -> None:
    results = list(runner.run([story.part("a", beside=True)]))
    assert [result.name for result in results] == ["engine", "a"]
    assert story.told == ["engine", "look", "a", "look", "no engine"]


def test_patient_ones_run_aside_while_those_with_an_engine_do(story: Story) -> None:
    """What they have started meanwhile is not what these leave."""
    parts = [story.light("a"), story.light("p", patient=True), story.part("b")]
    results = list(runner.run(parts))
    assert [result.name for result in results] == ["a", "engine", "b", "p"]
    assert story.told == [
        *("a", "aside p", "engine", "look but at p", "b", "look but at p"),
        *("no engine", "p has ended"),
    ]


def test_without_an_engine_patient_ones_run_as_others_do(story: Story) -> None:
    results = list(runner.run([story.light("a"), story.light("p", patient=True)]))
    assert [result.name for result in results] == ["a", "p"]
    assert story.told == ["lanes a p"]


def test_the_patient_ones_are_those_without_tests_of_ours() -> None:
    """These wait with limits, which they would miss."""
    patient = [part for part in PARTS if part.patient]
    assert [part.name for part in patient] == ["lint", "types", "sanity", "build"]
    assert not any(part.needs_engine or part.beside for part in patient)


def test_what_those_beside_each_other_leave_is_a_failure_of_its_own(
    story: Story, tmp_path: Path
) -> None:
    story.machines = [CLEAN, LEFT]
    *parts, left = runner.run([story.part("a", beside=True), story.part("b", beside=True)])
    assert [result.tally.failed for result in parts] == [0, 0, 0]
    (case,) = left.cases
    assert case.problem == "left behind:\ncontainer lbtest-host-x lb-test-host:trixie"
    (read,) = cases.read_junit(tmp_path / "beside.xml")
    assert (read.name, read.problem) == ("beside::leftovers", case.problem)


def test_in_a_lane_a_part_has_the_engine_and_looks_at_its_own_only(
    story: Story, tmp_path: Path
) -> None:
    """What its neighbour has made is not its own; an interrupt is passed on by the one outside."""
    every = runner.run_in_lane([story.part("a", beside=True)])
    assert [case.name for case in next(every).cases] == ["a", "leftovers"]
    os.kill(os.getpid(), signal.SIGINT)
    assert list(every) == []
    assert story.told == ["a"]
    found = [case.name for case in cases.read_junit(tmp_path / "a.xml")]
    assert found == ["a::a", "a::leftovers"]
