# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare what was acknowledged to clients with what the application holds."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.load.faults import TrafficError
from tests.load.profile import Target

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ids that were acknowledged and are not stored; ids stored more than once; ids stored without
    an acknowledgement (requests that failed on the way back: neither lost nor doubled)."""

    acknowledged: int
    stored: int
    lost: list[str]
    doubled: list[str]
    unacknowledged: list[str]

    @property
    def exact(self) -> bool:
        """Nothing lost and nothing doubled."""
        return not self.lost and not self.doubled

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.stored} stored: {len(self.lost)} lost, "
            f"{len(self.doubled)} doubled, {len(self.unacknowledged)} stored but not acknowledged"
        )


def compare(
    acknowledged: Iterable[str], stored: Iterable[tuple[str, int]], run: str = ""
) -> Comparison:
    """Compare ids with rows of (id, how often it is stored).

    `run`: look only at stored ids that begin with this (`Result.run`): others put theirs there too.
    """
    wanted = Counter(acknowledged)
    held: Counter[str] = Counter()
    for message_id, count in stored:
        if message_id.startswith(run):
            held[message_id] += count
    return Comparison(
        acknowledged=len(wanted),
        stored=held.total(),
        lost=sorted(message_id for message_id in wanted if not held[message_id]),
        doubled=sorted(message_id for message_id, count in held.items() if count > 1),
        unacknowledged=sorted(message_id for message_id in held if message_id not in wanted),
    )


def stored_count(url: str, path: str = "/api/messages/count", timeout: float = 10.0) -> int:
    """How many messages the application says it holds: the field `count` of its answer.

    Raises TrafficError for a target elsewhere or another answer, OSError if there is none.
    """
    target = Target.parse(url)
    with urllib.request.urlopen(f"http://{target.authority}{path}", timeout=timeout) as answer:
        data = json.load(answer)
    if not isinstance(data, dict) or not isinstance(data.get("count"), int):
        raise TrafficError(f"{path} does not answer with a count: {data!r}")
    return int(data["count"])


def stored_ids_via_psql(
    container: str,
    user: str,
    database: str,
    table: str = "messages",
    column: str = "id",
    run: str = "",
) -> list[tuple[str, int]]:
    """Rows of (id, how often) from PostgreSQL in a container, read by psql in it.

    `run`: only ids that begin with this (`Result.run`). Raises TrafficError if docker or psql
    refuse.
    """
    for name in (table, column, run or "all"):
        if not _NAME.fullmatch(name):
            raise TrafficError(f"{name!r} is not allowed: a plain name of a table or column.")
    where = f" WHERE starts_with(\"{column}\", '{run}')" if run else ""
    query = f'SELECT "{column}", count(*) FROM "{table}"{where} GROUP BY 1'
    done = subprocess.run(
        [
            *("docker", "exec", container, "psql", "--no-psqlrc", "--username", user),
            *("--dbname", database, "--tuples-only", "--no-align", "--field-separator=\t"),
            *("--set", "ON_ERROR_STOP=1", "--command", query),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise TrafficError(f"psql in {container} says: {done.stderr.strip()[-500:]}")
    rows = (line.rpartition("\t") for line in done.stdout.splitlines() if line)
    return [(message_id, int(count)) for message_id, _unused, count in rows]
