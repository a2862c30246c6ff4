# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python3 -m chatbot.migrate``: bring the database's schema to what this version needs.

May be run at any time, again, and by several at once: an advisory lock lets one work and the others
find it done. While it runs, and until the rollout ends, replicas of the version before still
serve: a migration may therefore only add (tables, columns with a default), never take away.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import LiteralString

import psycopg

from .settings import Database, SettingsError, migration_from_environment

LOCK_KEY = 7_033_415_092_311  # any number, but the same for ever
LOCK_TIMEOUT = "30s"

MIGRATIONS: tuple[LiteralString, ...] = (
    """
    CREATE TABLE messages (
        id text PRIMARY KEY,
        message text NOT NULL,
        reply text NOT NULL,
        instance text NOT NULL,
        version text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def connect(database: Database, wait_seconds: int) -> psycopg.Connection[tuple[int]]:
    """Connect, and wait for a database that is just starting.

    :raises psycopg.OperationalError: the last one, when the time is over
    """
    deadline = time.monotonic() + wait_seconds
    announced = False
    while True:
        try:
            return psycopg.connect(**database.parameters())  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            if time.monotonic() + 1 > deadline:
                raise
            if not announced:
                print(f"Waiting for the database: {_one_line(error)}", flush=True)
                announced = True
            time.sleep(0.5)


def migrate(connection: psycopg.Connection[tuple[int]]) -> tuple[int, int]:
    """Carry out what is missing, all or nothing; give the schema's version before and after."""
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version ("
            "version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
        before = row[0] if row else 0
        for version, statement in enumerate(MIGRATIONS, start=1):
            if version > before:
                connection.execute(statement)
                connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (version,))
    return before, max(before, len(MIGRATIONS))


def main() -> int:
    """Give the exit status: 0 done, 1 the database refused or was not there, 2 wrong settings."""
    # As process 1 of a container this would otherwise ignore SIGTERM. The database undoes the rest.
    signal.signal(signal.SIGTERM, _stop)
    try:
        database, wait_seconds = migration_from_environment(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    place = f"{database.name} on {database.host}:{database.port}"
    try:
        with connect(database, wait_seconds) as connection:
            before, after = migrate(connection)
    except psycopg.OperationalError as error:
        print(
            f"DATABASE_HOST: {place} could not be used for {wait_seconds} s: "
            f"{_one_line(error)}. Check that the database runs, and its name, user and password.",
            file=sys.stderr,
        )
        return 1
    except psycopg.Error as error:
        print(f"The schema of {place} was left as it was: {_one_line(error)}.", file=sys.stderr)
        return 1
    if before == after:
        print(f"The schema of {place} is at version {after} already.")
    else:
        print(f"The schema of {place} went from version {before} to {after}.")
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
