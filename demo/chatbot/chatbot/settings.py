# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings, read once from the environment and checked before anything starts."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PASSWORD_FILE = "/run/secrets/database_password"
HEADER_SAFE = re.compile(r"[A-Za-z0-9._+-]{1,128}")
NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,253}")


class SettingsError(Exception):
    """All faults at once, one text for each, in words for an operator."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Database:
    """Where PostgreSQL is and how to sign in."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)

    def parameters(self) -> dict[str, str | int]:
        """Give the connection parameters by libpq's names."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "user": self.user,
            "password": self.password,
            "connect_timeout": 2,
        }


@dataclass(frozen=True)
class Settings:
    """What a replica needs to know; times are in seconds."""

    port: int
    keep_alive: int
    shutdown_timeout: int
    pool_size: int
    faults: bool
    instance: str
    version: str
    database: Database


class _Reader:
    """Takes values out of an environment and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def fault(self, name: str, value: str, allowed: str) -> None:
        self.faults.append(f"{name}: {value} is not allowed: {allowed}. Set the variable {name}.")

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self._environment.get(name, "").strip()
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            self.fault(name, repr(value), f"a whole number from {low} to {high}")
            return default
        return int(value)

    def text(self, name: str, default: str, pattern: re.Pattern[str], allowed: str) -> str:
        value = self._environment.get(name, "") or default
        if not pattern.fullmatch(value):
            self.fault(name, repr(value), allowed)
        return value

    def switch(self, name: str) -> bool:
        value = self._environment.get(name, "")
        if value not in ("", "0", "1"):
            self.fault(name, repr(value), "0 or 1")
        return value == "1"

    def secret(self, name: str, default: str) -> str:
        """Read a secret from the file that the variable names, without its last newline."""
        path = self._environment.get(name, "") or default
        try:
            value = Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            allowed = f"a file that user {os.getuid()} can read ({reason}). Mount the secret there"
            self.fault(name, path, f"{allowed} or name another file")
            return ""
        if not value or "\0" in value:
            self.fault(
                name, path, "a file that holds the password, but it is empty or has NUL in it"
            )
        return value


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read and check all settings of a replica.

    :raises SettingsError: with every fault; nothing in it shows a secret
    """
    reader = _Reader(environment)
    header_safe = "1 to 128 of the characters A-Z a-z 0-9 . _ + -"
    settings = Settings(
        port=reader.number("APP_PORT", 8000, 1, 65535),
        # Longer than the balancer's upstream keepalive_timeout (60 s): otherwise this side closes a
        # connection at the moment the balancer sends a POST on it.
        keep_alive=reader.number("KEEP_ALIVE", 75, 1, 3600),
        shutdown_timeout=reader.number("SHUTDOWN_TIMEOUT", 25, 1, 3600),
        pool_size=reader.number("DATABASE_POOL_SIZE", 10, 1, 100),
        faults=reader.switch("CHATBOT_FAULTS"),
        instance=reader.text("APP_INSTANCE", socket.gethostname(), HEADER_SAFE, header_safe),
        version=reader.text("APP_VERSION", "development", HEADER_SAFE, header_safe),
        database=_database(reader),
    )
    if reader.faults:
        raise SettingsError(reader.faults)
    return settings


def migration_from_environment(environment: Mapping[str, str]) -> tuple[Database, int]:
    """Read and check what a migration needs: the database, and how long to wait for it (s).

    :raises SettingsError: with every fault
    """
    reader = _Reader(environment)
    database = _database(reader)
    wait_seconds = reader.number("DATABASE_WAIT_TIMEOUT", 30, 1, 3600)
    if reader.faults:
        raise SettingsError(reader.faults)
    return database, wait_seconds


def _database(reader: _Reader) -> Database:
    return Database(
        host=reader.text("DATABASE_HOST", "database", NAME, "a host name or an address"),
        port=reader.number("DATABASE_PORT", 5432, 1, 65535),
        name=reader.text("DATABASE_NAME", "chatbot", NAME, "a name without spaces"),
        user=reader.text("DATABASE_USER", "chatbot", NAME, "a name without spaces"),
        password=reader.secret("DATABASE_PASSWORD_FILE", PASSWORD_FILE),
    )
