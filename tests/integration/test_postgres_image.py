# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database image that is built from packages: first start, stops, crashes, wrong settings."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.process_one import hears

IMAGE = os.environ.get("LB_TEST_POSTGRES_IMAGE", "digiz/postgres:17")
PASSWORD = 'it\'s "a" secret'
DATABASE = 'chat"db'
KILLED = "137"
"""The exit status after SIGKILL: the grace was over."""


def docker(*words: str, check: bool = True) -> str:
    result = subprocess.run(
        ["docker", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    if check and result.returncode:
        pytest.fail(f"docker {' '.join(words)}:\n{result.stdout}")
    return result.stdout.strip()


@dataclass
class Database:
    """A container with a volume of its own."""

    name: str
    secret: Path

    def start(self, *options: str) -> None:
        """As the stack does: docker-init is process 1, so that signals count from the start."""
        docker(
            *("run", "--detach", "--init", "--name", self.name, "--read-only"),
            *("--tmpfs", "/tmp", "--tmpfs", "/run/postgresql"),
            *("--volume", f"{self.name}:/var/lib/postgresql/data"),
            *("--volume", f"{self.secret}:/run/secrets/password:ro"),
            *("--env", "POSTGRES_USER=chatbot", "--env", f"POSTGRES_DB={DATABASE}"),
            *("--env", "POSTGRES_PASSWORD_FILE=/run/secrets/password"),
            *options,
            IMAGE,
        )

    def wait_until_it_hears(self) -> None:
        """Until docker-init waits for signals; what it runs comes after that."""
        pid = int(docker("inspect", "--format", "{{.State.Pid}}", self.name))
        end = time.monotonic() + 30
        while not hears(pid, signal.SIGTERM):
            assert time.monotonic() < end, docker("logs", self.name)
            time.sleep(0.001)

    def wait(self) -> None:
        end = time.monotonic() + 60
        while "accepting" not in docker(
            "exec", self.name, "pg_isready", "--host=127.0.0.1", check=False
        ):
            if time.monotonic() > end:
                pytest.fail(docker("logs", self.name))
            time.sleep(0.1)

    def sql(self, statement: str, password: str = PASSWORD) -> str:
        client = ("psql", "-h", "127.0.0.1", "-U", "chatbot", "-d", DATABASE, "-Atc", statement)
        return docker("exec", "--env", f"PGPASSWORD={password}", self.name, *client, check=False)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name, check=False)
        docker("volume", "rm", "--force", self.name, check=False)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    if not docker("images", "--quiet", IMAGE):
        pytest.fail(f"the image {IMAGE} is missing: the role images builds it")
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    made = Database(f"lbtest-postgres-{secrets.token_hex(3)}", secret)
    yield made
    made.remove()


def test_the_first_start_makes_user_and_database_with_scram(database: Database) -> None:
    database.start()
    database.wait()
    assert database.sql("select current_user") == "chatbot"
    assert "password authentication failed" in database.sql("select 1", password="wrong")
    stored = database.sql("select rolpassword from pg_authid where rolname = 'chatbot'")
    assert stored.startswith("SCRAM-SHA-256$")
    processes = [
        line.split()
        for line in docker("top", database.name, "-eo", "pid,uid,comm").splitlines()[1:]
    ]
    assert {uid for _unused, uid, command in processes if command != "docker-init"} == {"999"}
    # No process's environment or arguments hold the password.
    assert PASSWORD not in docker("top", database.name, "-eo", "pid,args")
    for pid, _unused, _unused in processes:
        assert PASSWORD.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def test_it_runs_without_root_and_without_capabilities(database: Database) -> None:
    database.secret.chmod(0o644)
    database.start("--user", "999:999", "--cap-drop", "ALL")
    database.wait()
    assert database.sql("select 1") == "1"


def test_a_stop_is_fast_with_clients_connected_and_loses_nothing(database: Database) -> None:
    database.start()
    database.wait()
    database.sql("create table kept (id int); insert into kept values (1)")
    client = ["docker", "exec", database.name, "psql", "-U", "chatbot", "-d", DATABASE]
    with subprocess.Popen(
        [*client, "-c", "select pg_sleep(60)"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        time.sleep(0.5)
        docker("stop", "--time", "30", database.name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", database.name) == "0"
    docker("start", database.name)
    database.wait()
    assert database.sql("select id from kept") == "1"


def test_it_recovers_after_a_kill(database: Database) -> None:
    database.start()
    database.wait()
    database.sql("create table kept (id int); insert into kept values (1)")
    docker("kill", database.name)
    docker("start", database.name)
    database.wait()
    assert database.sql("select id from kept") == "1"


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8, 1.2])
def test_a_first_start_that_was_killed_begins_again(database: Database, seconds: float) -> None:
    database.start()
    time.sleep(seconds)
    docker("kill", database.name, check=False)
    docker("start", database.name)
    database.wait()
    assert database.sql("select 1") == "1"


def test_a_stop_during_the_first_start_is_obeyed(database: Database) -> None:
    for seconds in (0.0, 0.02, 0.05, 0.1, 0.2, 0.5):
        database.start()
        database.wait_until_it_hears()
        time.sleep(seconds)
        docker("stop", "--time", "30", database.name)
        status = docker("inspect", "--format", "{{.State.ExitCode}}", database.name)
        assert status != KILLED, f"a stop {seconds} s after that was not heard"
        database.remove()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "there is no password for user postgres. Set POSTGRES_PASSWORD_FILE."),
        (["--env", "POSTGRES_PASSWORD_FILE=/nowhere"], "/nowhere cannot be read by user id"),
        (
            ["--volume", "/etc/hostname:/var/lib/postgresql/data/file:ro"],
            "has files in it but is no database. Give it an empty volume.",
        ),
    ],
)
def test_wrong_settings_are_told(options: list[str], text: str) -> None:
    run = ["docker", "run", "--rm", *options, IMAGE]
    result = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert text in result.stderr
