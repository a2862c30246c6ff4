# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves behind is found; what one that was killed has left is removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner import earlier, leftovers, processes
from tests.runner.leftovers import Machine

BEFORE: Machine = {
    "container": {"shop-app-1": "shop:1"},
    "image": {"digiz/nginx:1.30": "83MB"},
    "setting": {"/proc/sys/x = 0": ""},
}
STACK = ("lbtest-roll-app-1", "lbtest-roll_default", "lbtest-roll_database", "/opt/lbtest-roll")


def with_stack() -> Machine:
    """The machine with a stack of the tests on it, and something of somebody else."""
    container, network, volume, folder = STACK
    return {
        "container": {**BEFORE["container"], container: "digiz/chatbot:1", "other": "x"},
        "network": {network: "bridge", "other": "bridge"},
        "volume": {volume: "local", "0" * 64: "local"},
        "image": {
            **BEFORE["image"],
            "lbtest/plain:1": "215MB",
            "<none>:<none>": "6B",
            "x:1": "9MB",
        },
        "file": {folder: "", "/etc/sysctl.d/60-digiz-load-balancing.conf": ""},
        "setting": {"/proc/sys/x = 1": ""},
        "process": {"7@100": "7 python keeper"},
    }


def test_what_was_there_before_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert leftovers.compare(BEFORE, lambda: BEFORE, settle=0).problem == ""
    assert "kept" not in capsys.readouterr().out


def test_what_is_left_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    case = leftovers.compare(BEFORE, with_stack, settle=0)
    assert case.name == "leftovers"
    assert case.problem.splitlines() == [
        "left behind:",
        "container lbtest-roll-app-1 digiz/chatbot:1",
        "container other x",
        "network lbtest-roll_default bridge",
        "network other bridge",
        f"volume {'0' * 64} local",
        "volume lbtest-roll_database local",
        "image x:1 9MB",
        "file /etc/sysctl.d/60-digiz-load-balancing.conf",
        "file /opt/lbtest-roll",
        "setting /proc/sys/x = 1",
        "process 7 python keeper",
    ]
    kept = "kept for the next run: image <none>:<none> 6B, image lbtest/plain:1 215MB"
    assert kept in capsys.readouterr().out


def test_what_is_just_ending_is_waited_for() -> None:
    looks = iter([with_stack(), BEFORE])
    assert leftovers.compare(BEFORE, lambda: next(looks), settle=0.1).problem == ""


def test_files_and_settings_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processes.VARIABLE, "")  # put back at the end
    monkeypatch.setattr(leftovers, "docker", lambda *words: ["a\tb"] if words[0] == "ps" else [])
    setting = tmp_path / "proc/sys/net/ipv4/tcp_migrate_req"
    for path in (setting, tmp_path / "etc/rc2.d/S01digiz-keeper-x", tmp_path / "opt/other"):
        path.parent.mkdir(parents=True)
        path.write_text("1\n", encoding="ascii")
    (tmp_path / "opt/lbtest-x").mkdir()
    found = leftovers.machine(tmp_path)
    assert found["container"] == {"a": "b"}
    assert sorted(found["file"]) == [
        str(tmp_path / "etc/rc2.d/S01digiz-keeper-x"),
        str(tmp_path / "opt/lbtest-x"),
    ]
    assert list(found["setting"]) == [f"{setting} = 1"]
    assert os.environ[processes.VARIABLE] == processes.identity(os.getpid())


def fake(
    proc: Path, pid: int, parent: int, words: str, environ: str = "", cgroup: str = "/", **more: str
) -> str:
    """A process in a made-up /proc; gives its identity."""
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    name, state = more.get("name", "sh (x)"), more.get("state", "S")
    fields = f"{state} {parent} " + "0 " * 17 + f"{pid}00 0"
    (folder / "stat").write_text(f"{pid} ({name}) {fields}\n", encoding="utf-8")
    (folder / "cmdline").write_text(words.replace(" ", "\0"), encoding="utf-8")
    (folder / "environ").write_text(environ.replace(" ", "\0"), encoding="utf-8")
    (folder / "cgroup").write_text(f"0::{cgroup}\n", encoding="utf-8")
    return f"{pid}@{pid}00"


def test_processes_of_a_run(tmp_path: Path) -> None:
    """By the mark, by the parent, by what an orphan names; none in containers, not the engine."""
    mark = f"A=1 {processes.VARIABLE}=7@1 B=2"
    fake(tmp_path, 1, 0, "init")
    runner = 4_000_001
    fake(tmp_path, runner, 1, "python -m tests.runner")
    child = fake(tmp_path, 20, runner, "pytest")
    grandchild = fake(tmp_path, 21, 20, "sleep 9", environ=mark)
    lost = fake(tmp_path, 22, 1, "sleep 99", environ=mark)
    keeper = fake(tmp_path, 23, 1, "python -m keeper --stack lbtest-roll")
    fake(tmp_path, 24, 1, "nginx lbtest-x", environ=mark, cgroup=f"/docker/{'a' * 64}")
    fake(tmp_path, 25, 1, "dockerd -H lbtest-x", environ=mark, name="dockerd")
    fake(tmp_path, 26, 99, "vi lbtest-roll.yml", environ=f"{processes.VARIABLE}=7@10")
    fake(tmp_path, 27, 20, "gone", environ=mark, state="Z")
    assert sorted(processes.below(runner, tmp_path)) == [child, grandchild]
    assert sorted(processes.marked("7@1", tmp_path)) == [grandchild, lost]
    assert processes.orphans(tmp_path) == {keeper: "23 python -m keeper --stack lbtest-roll"}


def test_a_run_within_another_has_marks_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it starts is its own and the other's, but not of a third one beside it."""
    monkeypatch.setenv(processes.VARIABLE, "7@1")
    own = processes.mark()
    assert own == processes.mark() == f"7@1/{processes.identity(os.getpid())}"
    mine = fake(tmp_path, 20, 1, "sleep 9", environ=f"{processes.VARIABLE}={own}")
    beside = fake(tmp_path, 21, 1, "sleep 9", environ=f"{processes.VARIABLE}=7@1/8@1")
    assert sorted(processes.marked("7@1", tmp_path)) == [mine, beside]
    assert sorted(processes.marked(own, tmp_path)) == [mine]


def test_what_a_run_within_this_one_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runner, too: by what it has started, by the mark of who has lost its parent."""
    monkeypatch.setenv(processes.VARIABLE, "")
    mark = processes.mark()
    proc = tmp_path / "proc"
    fake(proc, 1, 0, "init")
    runner = fake(proc, 20, os.getpid(), "python -m tests.runner")
    environ = f"{processes.VARIABLE}={mark}/{runner}"
    theirs = [
        fake(proc, 21, 20, "pytest"),
        fake(proc, 22, 21, "sleep 9"),
        fake(proc, 23, 1, "sleep 99", environ=environ),
    ]
    other = fake(proc, 30, os.getpid(), "python -m tests.runner")
    mine = fake(proc, 31, 1, "sleep 9", environ=f"{processes.VARIABLE}={mark}/{other}")
    fake(proc, 32, 1, "sleep 9", environ=f"{processes.VARIABLE}=1@1")
    assert processes.of_runs({runner, "9@9"}, proc) == {runner, *theirs}
    assert processes.of_runs({"20@1"}, proc) == set()
    monkeypatch.setattr(leftovers, "docker", lambda *_arguments: [])
    every = leftovers.machine(tmp_path)["process"]
    assert sorted(every) == sorted([runner, *theirs, other, mine])
    assert sorted(leftovers.machine(tmp_path, {runner})["process"]) == sorted([other, mine])


def test_a_process_whose_parent_ended_is_found_by_its_mark() -> None:
    mark = f"test-{os.getpid()}@1"
    script = "sleep 60 >/dev/null 2>&1 & echo $!"
    environment = {**os.environ, processes.VARIABLE: mark}
    started = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, check=True)
    pid = int(started.stdout)
    try:
        (found,) = processes.marked(mark).items()
        assert found == (processes.identity(pid), f"{pid} sleep 60")
        assert processes.is_alive(found[0])
        assert not processes.is_alive(f"{pid}@1")
    finally:
        os.kill(pid, signal.SIGKILL)


def run(before: Machine, runner: str = "0@0", mark: str = "none") -> earlier.Run:
    return earlier.Run(runner, mark, started_engine=False, before=before)


def removed(what: Machine) -> list[str]:
    return [name for things in what.values() for name in things]


def test_only_what_a_killed_run_made_is_removed() -> None:
    """Nobody's things, none of the tests' that were there before; without a record nothing."""
    container, network, volume, folder = STACK
    there = {"container": {container: ""}}
    now = with_stack()
    assert removed(earlier.to_remove(now, None, alone=False)) == []
    assert removed(earlier.to_remove(now, run(BEFORE), alone=False)) == [
        *(folder, container, network, volume)
    ]
    assert container not in removed(earlier.to_remove(now, run(there), alone=False))


def test_on_an_engine_of_our_own_everything_of_the_tests_is_removed() -> None:
    container, network, volume, folder = STACK
    every = [folder, container, network, volume]
    assert removed(earlier.to_remove(with_stack(), None, alone=True)) == every
    assert removed(earlier.to_remove(with_stack(), run(with_stack()), alone=True)) == every


def test_a_killed_run_is_cleaned_up_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    unlinked: list[str] = []
    real = earlier.remove
    after = with_stack()
    del after["file"]["/opt/lbtest-roll"]
    machines = iter([with_stack(), after])
    monkeypatch.setattr(earlier, "machine", lambda: next(machines))
    monkeypatch.setattr(earlier, "docker", lambda *words: commands.append(words))
    monkeypatch.setattr(
        earlier,
        "remove",
        lambda kind, name: unlinked.append(name) if kind == "file" else real(kind, name),
    )
    mark = f"killed-{os.getpid()}@1"
    environment = {**os.environ, processes.VARIABLE: mark}
    with subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=-1) as lost:
        told = earlier.clean(run(BEFORE, mark=mark), alone=False)
        assert lost.wait(10) == -signal.SIGKILL
    assert told[0].startswith(f"process {lost.pid} ")
    assert told[1:] == [
        "file /opt/lbtest-roll",
        "container lbtest-roll-app-1",
        "network lbtest-roll_default",
        "volume lbtest-roll_database",
        "/proc/sys/x = 1 is not as that run found it, and stays",
        "/etc/sysctl.d/60-digiz-load-balancing.conf is not as that run found it, and stays",
    ]
    assert unlinked == ["/opt/lbtest-roll"]
    assert commands == [
        ("container", "rm", "--force", "--volumes", "lbtest-roll-app-1"),
        ("network", "rm", "lbtest-roll_default"),
        ("volume", "rm", "--force", "lbtest-roll_database"),
    ]


def test_files_of_a_stack_are_removed(tmp_path: Path) -> None:
    script = tmp_path / "init.d" / "digiz-keeper-lbtest-x"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\necho $1 >{tmp_path}/said\n", encoding="ascii")
    script.chmod(0o755)
    folder = tmp_path / "lbtest-x"
    (folder / "state").mkdir(parents=True)
    (tmp_path / "link").symlink_to(script)
    for path in (tmp_path / "link", script, folder, tmp_path / "no-longer-there"):
        earlier.remove("file", str(path))
    assert (tmp_path / "said").read_text(encoding="ascii") == "stop\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["init.d", "said"]
    assert list(script.parent.iterdir()) == []


def test_the_record_is_there_while_a_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(processes.VARIABLE, "")
    monkeypatch.setattr(earlier, "machine", lambda: BEFORE)
    path = tmp_path / "cache" / "run.json"
    with earlier.recorded(started_engine=True, path=path):
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert earlier.unfinished(path) is None  # it lives: this process
    assert not path.exists()
    kept["runner"] = "0@0"
    path.write_text(json.dumps(kept), encoding="utf-8")
    left = earlier.unfinished(path)
    assert left
    assert (left.started_engine, left.before) == (True, BEFORE)
    path.write_text("{", encoding="utf-8")
    assert earlier.unfinished(path) is None


def test_what_an_interrupt_leaves_is_removed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(processes.VARIABLE, "")
    machines = iter([BEFORE, with_stack(), with_stack()])
    monkeypatch.setattr(earlier, "machine", lambda: next(machines))
    gone: list[tuple[str, str]] = []
    monkeypatch.setattr(earlier, "remove", lambda *thing: gone.append(thing))
    path = tmp_path / "run.json"

    def interrupted() -> None:
        with earlier.recorded(started_engine=False, path=path):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ("container", "lbtest-roll-app-1") in gone
    assert (
        "  left by a run that did not end: volume lbtest-roll_database" in capsys.readouterr().out
    )
    assert not path.exists()


def test_a_living_run_keeps_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processes.VARIABLE, "")
    path = tmp_path / "run.json"
    other = run(BEFORE, runner=processes.identity(os.getppid()))
    path.write_text(json.dumps(vars(other)), encoding="utf-8")
    with earlier.recorded(started_engine=False, path=path):
        pass
    assert json.loads(path.read_text(encoding="utf-8")) == vars(other)
