# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that run two at a time, by a stand-in for the runner of one part."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import pytest

from tests.runner import lanes

RUNNER = """#!/bin/sh
part=$4 # behind -m tests.runner --only-output
echo "== $part"
echo $$ > "$OUT/$part.pid"
case $part in
slow) exec sleep 60 ;;
waits) while [ ! -e "$OUT/other.pid" ]; do sleep 0.05; done ;;
dies) exit 3 ;;
tells) while [ ! -e "$OUT/seen" ]; do sleep 0.05; done; echo; printf end ;;
nice)
  for _ in 1 2 3 4 5 6 7 8 9 10; do grep -qs 'nice 19' /proc/$$/autogroup || sleep 0.2; done
  nice > "$OUT/niceness"; cat /proc/$$/autogroup > "$OUT/session" 2>&1 ;;
leaves) sleep 60 & echo $! > "$OUT/left.pid" ;;
esac
problem=
[ "$part" = bad ] && problem='<failure message="no">assert False</failure>'
cat > "$OUT/$part.xml" <<XML
<testsuite><testcase classname="$part" name="one" time="2.5">$problem</testcase></testsuite>
XML
[ "$part" != bad ]
"""


@pytest.fixture(autouse=True)
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in instead of Python."""
    stand_in = tmp_path / "runner"
    stand_in.write_text(RUNNER, encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setattr(lanes, "PYTHON", str(stand_in))
    monkeypatch.setenv("OUT", str(tmp_path))


def test_two_run_at_a_time_and_each_is_shown_in_one_piece(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first one ends only when the second one is there."""
    found = {result.name: result for result in lanes.run(["waits", "other"], tmp_path)}
    assert {name: str(result.tally) for name, result in found.items()} == {
        "waits": "1 passed, 0 failed",
        "other": "1 passed, 0 failed",
    }
    assert [case.name for case in found["waits"].cases] == ["one"]
    printed = capsys.readouterr().out
    assert printed.startswith("\n2 at a time: waits, other\n")
    assert {"== waits", "== other"} <= set(printed.splitlines())


class Reader(io.StringIO):
    """A standard output whose reader does something as soon as a text is shown."""

    def __init__(self, text: str, seen: Path) -> None:
        super().__init__()
        self._text, self._seen = text, seen

    def write(self, text: str) -> int:
        if self._text in text:
            self._seen.touch()
        return super().write(text)


def test_lines_are_shown_as_they_come_with_the_part_before_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part ends only when its first line was shown."""
    monkeypatch.setattr(lanes, "LOOK", 0.02)
    reader = Reader("tells | == tells\n", tmp_path / "seen")
    monkeypatch.setattr("sys.stdout", reader)
    found = {result.name: result for result in lanes.run(["tells", "other"], tmp_path, True)}
    assert [str(found[name].tally) for name in ("tells", "other")] == ["1 passed, 0 failed"] * 2
    shown = reader.getvalue().splitlines()
    assert [line for line in shown if line.startswith("tells |")] == [
        *("tells | == tells", "tells |", "tells | end"),
    ]
    assert "other | == other" in shown


@pytest.mark.parametrize("by_line", [True, False])
def test_what_a_part_leaves_running_is_not_waited_for(tmp_path: Path, by_line: bool) -> None:
    """It still has the part's standard output."""
    start = time.monotonic()
    (result,) = lanes.run(["leaves"], tmp_path, by_line)
    os.kill(int((tmp_path / "left.pid").read_text(encoding="ascii")), signal.SIGKILL)
    assert str(result.tally) == "1 passed, 0 failed"
    assert time.monotonic() - start < 30


def test_what_runs_aside_has_processor_time_last_and_is_known(tmp_path: Path) -> None:
    with lanes.aside(["nice", "other"], tmp_path) as aside:
        found = list(aside.results())
        assert [(one.name, str(one.tally)) for one in found] == [
            *(("nice", "1 passed, 0 failed"), ("other", "1 passed, 0 failed")),
        ]
        pids = {(tmp_path / f"{one}.pid").read_text("ascii").strip() for one in ("nice", "other")}
        assert {run.partition("@")[0] for run in aside.runs()} == pids
    assert (tmp_path / "niceness").read_text("ascii").strip() == "19"
    if Path("/proc/self/autogroup").exists():
        assert (tmp_path / "session").read_text("ascii").strip().endswith(" nice 19")


def test_with_the_block_what_runs_aside_ends(tmp_path: Path) -> None:
    """And what has not begun does not begin."""
    with lanes.aside(["slow", "other"], tmp_path) as aside:
        end = time.monotonic() + 30
        while not (tmp_path / "slow.pid").exists() and time.monotonic() < end:
            time.sleep(0.02)
    pid = int((tmp_path / "slow.pid").read_text(encoding="ascii"))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len(aside.runs()) == 1


def test_failures_come_through_and_a_part_that_breaks_is_one(tmp_path: Path) -> None:
    (tmp_path / "dies.xml").write_text("<testsuite/>", encoding="utf-8")  # of an earlier run
    found = {result.name: result for result in lanes.run(["bad", "dies"], tmp_path)}
    assert [case.problem for case in found["bad"].cases] == ["no\nassert False"]
    assert [case.problem for case in found["dies"].cases] == ["the part ended with status 3"]


@pytest.mark.parametrize("by_line", [True, False])
def test_an_interrupt_ends_what_runs_and_begins_nothing_more(tmp_path: Path, by_line: bool) -> None:
    every = lanes.run(["slow", "other", "slow", "slow"], tmp_path, by_line)
    assert next(every).name == "other"
    end = time.monotonic() + 30
    while not (tmp_path / "slow.pid").exists() and time.monotonic() < end:
        time.sleep(0.02)
    every.close()
    pid = int((tmp_path / "slow.pid").read_text(encoding="ascii"))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
