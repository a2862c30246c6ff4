# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo's settings: what is read, what is refused, and in which words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "demo" / "chatbot"))

from chatbot.settings import (
    Settings,
    SettingsError,
    from_environment,
    migration_from_environment,
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The least that a replica needs."""
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    return {"DATABASE_PASSWORD_FILE": str(password), "APP_INSTANCE": "one"}


def faults(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        from_environment(environment)
    return caught.value.faults


def test_defaults(environment: dict[str, str]) -> None:
    settings = from_environment(environment)
    assert (settings.port, settings.keep_alive, settings.shutdown_timeout) == (8000, 75, 25)
    assert (settings.pool_size, settings.faults) == (10, False)
    assert (settings.instance, settings.version) == ("one", "development")
    assert settings.database.parameters() == {
        "host": "database",
        "port": 5432,
        "dbname": "chatbot",
        "user": "chatbot",
        "password": "correct horse",
        "connect_timeout": 2,
    }


def test_the_password_is_not_shown(environment: dict[str, str]) -> None:
    settings: Settings = from_environment(environment)
    assert "correct" not in repr(settings)
    assert "correct" not in str(faults(environment | {"APP_PORT": "x"}))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("APP_PORT", "0", "APP_PORT: '0' is not allowed: a whole number from 1 to 65535."),
        (
            "APP_PORT",
            "8000.0",
            "APP_PORT: '8000.0' is not allowed: a whole number from 1 to 65535.",
        ),
        ("KEEP_ALIVE", "-1", "KEEP_ALIVE: '-1' is not allowed: a whole number from 1 to 3600."),
        ("SHUTDOWN_TIMEOUT", "٣", "SHUTDOWN_TIMEOUT: '٣' is not allowed: a whole number"),
        ("DATABASE_POOL_SIZE", "101", "DATABASE_POOL_SIZE: '101' is not allowed: a whole number"),
        ("CHATBOT_FAULTS", "yes", "CHATBOT_FAULTS: 'yes' is not allowed: 0 or 1."),
        ("APP_VERSION", "1\r\nX: y", r"APP_VERSION: '1\r\nX: y' is not allowed: 1 to 128"),
        ("DATABASE_HOST", "a b", "DATABASE_HOST: 'a b' is not allowed: a host name or an address."),
    ],
)
def test_wrong_values(environment: dict[str, str], name: str, value: str, text: str) -> None:
    (fault,) = faults(environment | {name: value})
    assert fault.startswith(text)
    assert fault.endswith(f" Set the variable {name}.")


def test_all_faults_at_once(environment: dict[str, str]) -> None:
    found = faults(environment | {"APP_PORT": "x", "DATABASE_PORT": "99999"})
    assert [fault.partition(":")[0] for fault in found] == ["APP_PORT", "DATABASE_PORT"]


def test_password_file_missing(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "absent"
    environment["DATABASE_PASSWORD_FILE"] = str(path)
    assert faults(environment) == [
        f"DATABASE_PASSWORD_FILE: {path} is not allowed: a file that user {os.getuid()} can read "
        "(No such file or directory). Mount the secret there or name another file. "
        "Set the variable DATABASE_PASSWORD_FILE."
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"a\0b", b"\xff"])
def test_password_file_unusable(environment: dict[str, str], content: bytes) -> None:
    Path(environment["DATABASE_PASSWORD_FILE"]).write_bytes(content)
    assert len(faults(environment)) == 1


def test_the_default_password_file_is_the_mounted_secret() -> None:
    (fault,) = faults({"APP_INSTANCE": "one"})
    assert "/run/secrets/database_password is not allowed" in fault


def test_only_the_last_newline_is_dropped(environment: dict[str, str]) -> None:
    Path(environment["DATABASE_PASSWORD_FILE"]).write_bytes(b" a \n\r\n")
    assert from_environment(environment).database.password == " a \n"


def test_migration(environment: dict[str, str]) -> None:
    assert migration_from_environment(environment)[1] == 30
    # Nothing of the web server's matters to a migration.
    environment |= {"DATABASE_WAIT_TIMEOUT": "5", "APP_PORT": "x"}
    assert migration_from_environment(environment)[1] == 5
    with pytest.raises(SettingsError, match="DATABASE_WAIT_TIMEOUT: '0' is not allowed"):
        migration_from_environment(environment | {"DATABASE_WAIT_TIMEOUT": "0"})
