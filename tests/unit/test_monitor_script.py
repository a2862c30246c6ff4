# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""monitor.sh and its program, against a keeper on loopback."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.digiz.load_balancing.plugins.module_utils import watch
from ansible_collections.digiz.load_balancing.plugins.module_utils.files import StackPaths
from tests.unit.fakes.watched import (
    HOSTILE,
    FakeKeeper,
    deployed,
    fake_keeper,
    hostile,
    loaded,
    replica,
    status,
)
from tools.monitor import __main__ as program

ROOT = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash") or "/bin/bash"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'collections'}",
    "LC_ALL": "C.UTF-8",
    "TERM": "xterm-256color",
}
COMMAND = [sys.executable, "-P", "-m", "tools.monitor"]
LEAVES = "\x1b[?1049l"


@pytest.fixture(name="keeper")
def keeper_fixture() -> Iterator[FakeKeeper]:
    with fake_keeper() as keeper:
        yield keeper


@pytest.fixture(name="base")
def base_fixture(keeper: FakeKeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders of stacks are; terminals have 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    deployed(tmp_path, keeper.port)
    return tmp_path


def run(*words: str, base: Path | str = "/nowhere") -> int:
    return program.main(words, str(base))


def test_once(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--stack", "shop", "--once", base=base) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0] == "shop  OK  2 of 2 replicas are healthy"
    assert lines[1] == "version 2, release 4; 2 of 2 get traffic; 2026-11-18T11:06:40Z"
    rows = [" ".join(line.split()) for line in lines]
    assert "Requests: 600 in the last 5 min, 120 a minute" in rows
    assert "shop-app-2 healthy yes 50.0 % 0.20 % 250 ms 12 % 41 % 2" in rows
    assert "2026-11-18T11:05:40Z In: shop-app-2" in rows
    assert "2026-11-18T11:01:40Z deploy succeeded, version 2, 2 replicas, release 4" in rows
    assert max(len(line) for line in lines) <= 80
    assert "\x1b" not in shown
    assert "broken" not in shown


def test_a_pipe_gets_one_look(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--stack", "shop", base=base) == 0
    assert capsys.readouterr().out.startswith("shop  OK  ")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_any_width(
    base: Path,
    keeper: FakeKeeper,
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    keeper.pages["/status.json"] = loaded(response_p95=250.0)
    watch.save_baseline(deployed(base / "other", keeper.port))
    for data in (loaded(response_p95=250.0), hostile()):
        keeper.pages["/status.json"] = data
        assert run("--stack", "shop", "--once", base=base / "other") == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(len(line) for line in lines) <= width


def test_what_is_broken_and_what_is_worse(
    base: Path, keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]
) -> None:
    watch.save_baseline(StackPaths("shop", str(base)))
    keeper.pages["/status.json"] = {
        **loaded(response_p95=3.0),
        "deploy": "deploy by ann from pc",
        "maintenance": True,
        "replicas": [replica(1), replica(2, state="ill", member=False)],
    }
    assert run("--stack", "shop", "--once", base=base) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for text in (
        "the response time p95 is 3 s, the limit is 2 s (alert_p95_seconds)",
        "1 replicas are healthy, 2 are wanted (replicas)",
        "Changed now: deploy by ann from pc",
        "Maintenance: clients get status 503",
        "Baseline of 2026-11-18T11:06:40Z: version 2, 2 replicas, 600 requests",
        "response time p95: 0.25 s → 3 s, worse",
        "shop-app-2 ill no ",
    ):
        assert text in shown


def test_hostile_names(base: Path, keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]) -> None:
    keeper.pages["/status.json"] = hostile()
    assert run("--url", keeper.url, "--once") == 0
    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.splitlines())
    assert "[red]" in shown


def test_json(base: Path, keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]) -> None:
    keeper.pages["/status.json"] = loaded(cpu_percent=99.0)
    assert run("--stack", "shop", "--json", base=base) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["stack"], told["state"], told["ok"]) == ("shop", "ok", False)
    assert [one["what"] for one in told["broken"]] == ["cpu_percent"]
    assert [one["name"] for one in told["replicas"]] == ["shop-app-1", "shop-app-2"]
    assert len(told["series"]["times"]) == len(told["series"]["totals"]["members"]) == 120
    assert told["baseline"] is None


def test_json_of_hostile_names(
    base: Path, keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper.pages["/status.json"] = hostile()
    assert run("--url", keeper.url, "--json") == 0
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "\x1b" not in shown
    assert json.loads(shown)["version"] == HOSTILE


def test_html(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = base / "report.html"
    file.write_text("old", encoding="utf-8")
    assert run("--stack", "shop", "--html", str(file), base=base) == 0
    assert capsys.readouterr().out == f"{file} is written.\n"
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(os.listdir(base)) == ["report.html", "shop"]


def test_html_and_json(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--stack", "shop", "--json", "--html", str(base / "x.html"), base=base) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert (base / "x.html").exists()


def test_html_into_a_folder_that_is_not_there(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--stack", "shop", "--html", str(base / "no/x.html"), base=base) == 1
    assert capsys.readouterr().err == (
        f"error: {base}/no/x.html cannot be written: No such file or directory. "
        "What was there is untouched.\n"
    )


def test_no_keeper(base: Path, keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]) -> None:
    keeper.answers["/status.json"] = 503
    for words in (["--once"], ["--json"], ["--html", str(base / "x.html")], []):
        assert run("--stack", "shop", *words, base=base) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err == (
            f"error: The keeper on {keeper.url} has just started. Try again. systemctl status "
            "digiz-keeper-shop says how it is; the playbook deploy installs it anew.\n"
        )
    assert not (base / "x.html").exists()


def test_no_stack(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--once", base=base) == 1
    assert capsys.readouterr().err == (
        f"error: There is no stack chatbot in {base}/chatbot. "
        "Run the playbook deploy first, or correct stack_name.\n"
    )


def test_who_may_not_read_the_stack(
    base: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_unused: object) -> None:
        raise PermissionError(13, "Permission denied", "/opt/shop/releases/current/stack.json")

    monkeypatch.setattr(program, "look", refuse)
    assert run("--stack", "shop", base=base) == 1
    assert capsys.readouterr().err == (
        "error: /opt/shop/releases/current/stack.json may be read by root only. Run sudo "
        "./monitor.sh, or give the keeper's address: ./monitor.sh --url http://127.0.0.1:28080\n"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--twice"], "unrecognized arguments: --twice"),
        (["--stack"], "argument --stack: expected one argument"),
        (["shop"], "unrecognized arguments: shop"),
        (["--onc"], "unrecognized arguments: --onc"),
        (["--html", ""], "--html: '' is not allowed: the name of a file"),
        (
            ["--stack", "../x"],
            "--stack: '../x' is not allowed: 1 to 40 lower-case letters, digits, - and _, "
            "beginning with a letter or a digit",
        ),
        (
            ["--url", "ftp://a"],
            "--url: 'ftp://a' is not allowed: an address such as http://127.0.0.1:28080",
        ),
        (
            ["--stack", "a", "--url", "http://a"],
            "--stack does not go with --url, which says where to ask",
        ),
    ],
)
def test_wrong_options(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    told = f"error: {text}\n./monitor.sh --help lists the options.\n"
    assert capsys.readouterr().err == told


# As a program of its own, in a terminal and in a pipe


def test_no_colour_is_respected(keeper: FakeKeeper) -> None:
    done = subprocess.run(
        [*COMMAND, "--url", keeper.url, "--once"],
        env={**ENVIRONMENT, "FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", done.stdout)
    assert "2 of 2 replicas are healthy" in done.stdout


class Terminal:
    """The live dashboard on a terminal of its own."""

    def __init__(self, url: str, **environment: str) -> None:
        self._fd, other = pty.openpty()
        self.process = subprocess.Popen(
            # A shell starts what it puts in the background with SIGINT ignored.
            ["env", "--default-signal=INT", *COMMAND, "--url", url],
            env={**ENVIRONMENT, **environment},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            close_fds=True,
        )
        os.close(other)
        self.text = ""

    def until(self, wanted: str, patience: float = 30.0) -> None:
        """Read until it shows a text."""
        end = time.monotonic() + patience
        while wanted not in self.text:
            assert time.monotonic() < end, self.text[-2000:]
            if select.select([self._fd], [], [], 0.2)[0]:
                self.text += os.read(self._fd, 65536).decode(errors="replace")

    def end(self, number: signal.Signals) -> int:
        """Send a signal; gives the exit status."""
        self.process.send_signal(number)
        self.until(LEAVES)
        state = self.process.wait(30)
        os.close(self._fd)
        return state


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_live(keeper: FakeKeeper, number: signal.Signals, state: int) -> None:
    """It shows, survives a keeper that restarts, and leaves the terminal as it was."""
    terminal = Terminal(keeper.url)
    terminal.until("2 of 2 replicas are healthy")
    keeper.answers["/status.json"] = 503
    terminal.until("This is what was seen last")
    keeper.pages["/status.json"] = status(text="all is well again")
    keeper.answers.clear()
    terminal.until("all is well again")
    assert terminal.end(number) == state
    assert terminal.text.rfind(LEAVES) > terminal.text.rfind("\x1b[?1049h")
    assert "\x1b[?25h" in terminal.text  # the cursor is back
    assert "Traceback" not in terminal.text


def test_a_terminal_that_cannot_be_drawn_on(keeper: FakeKeeper) -> None:
    terminal = Terminal(keeper.url, TERM="dumb")
    terminal.until("Last deploys")
    assert terminal.process.wait(30) == 0
    assert "\x1b[?1049h" not in terminal.text


# The script


@pytest.fixture(name="checkout")
def checkout_fixture(tmp_path: Path) -> Path:
    """A checkout whose environment is ready and whose python only prints its arguments."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "monitor.sh", tmp_path / "monitor.sh")
    stub = tmp_path / ".venv/bin/python"
    stub.parent.mkdir(parents=True)
    lines = ["#!/bin/sh", 'printf "%s\\n" "$PYTHONPATH" "$@"', ""]
    stub.write_text("\n".join(lines), encoding="utf-8")
    stub.chmod(0o755)
    prepared = 'venv="$root/.venv"\nbootstrap() { echo "prepares $1"; }\n'
    (tmp_path / "tools/bootstrap.sh").write_text(prepared, encoding="utf-8")
    return tmp_path


def script(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [BASH, str(checkout / "monitor.sh"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_prepares_and_passes_on(checkout: Path) -> None:
    done = script(checkout, "--stack", "a b", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "prepares run",
        f"{checkout}:{checkout}/collections",
        *("-P", "-m", "tools.monitor", "--stack", "a b", "--once"),
    ]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--once", "--help"]])
def test_help_needs_no_environment(checkout: Path, words: list[str]) -> None:
    done = script(checkout, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ./monitor.sh [OPTIONS]\n")
    documented = set(re.findall(r"^  (--[a-z]+)", done.stdout, re.MULTILINE))
    known = {name for one in program.options()._actions for name in one.option_strings}
    assert documented == known | {"--help"}
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
